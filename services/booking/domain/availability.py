"""A mentor's rules for their time, the link to the video room, and what of the time is sold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from services.booking.slots import MINUTES_PER_DAY, Hours, Interval, Rules
from shared.errors import Refusal
from shared.ids import OfferingId, SessionId

NO_ZONE = "UTC"


class HoursOverlap(Refusal):
    """Two rows of one day have an instant in common, or one ends before it starts."""

    code = "hours_overlap"
    detail = "Let every row end after it starts, and no two rows of a day overlap."


class TravelsOverlap(Refusal):
    """A day lies in two travels, or a travel ends before it begins."""

    code = "travels_overlap"
    detail = "Let every travel end on or after its first day, and no two of them share a day."


class OverriddenTwice(Refusal):
    """A date has two overrides."""

    code = "overridden_twice"
    detail = "Give every date one override, with all its hours."


@dataclass(frozen=True)
class Availability:
    """Rules of a mentor; version 0 means that nothing has been set."""

    rules: Rules
    room_url: str | None
    version: int


NOTHING_SET = Availability(Rules(NO_ZONE, ()), None, 0)
"""What a mentor has who never set any hours."""


@dataclass(frozen=True)
class SoldTime:
    """What a session takes of somebody's time: `during`, with its buffers where they belong."""

    session_id: SessionId
    offering_id: OfferingId
    starts_at: datetime
    during: Interval


def check_rules(rules: Rules) -> None:
    """Raise `HoursOverlap`, `TravelsOverlap` or `OverriddenTwice` unless each day is clear."""
    for weekday in range(7):
        _check_hours(weekly.hours for weekly in rules.weekly if weekly.weekday == weekday)
    for override in rules.overrides:
        _check_hours(override.hours)
    travels = sorted(rules.travels, key=lambda travel: travel.from_on)
    if any(travel.until_on < travel.from_on for travel in travels) or any(
        later.from_on <= earlier.until_on for earlier, later in pairwise(travels)
    ):
        raise TravelsOverlap
    if len({override.on for override in rules.overrides}) < len(rules.overrides):
        raise OverriddenTwice


def _check_hours(of_day: Iterable[Hours]) -> None:
    ordered = sorted(of_day, key=lambda hours: hours.starts_minute)
    if any(not 0 <= h.starts_minute < h.ends_minute <= MINUTES_PER_DAY for h in ordered):
        raise HoursOverlap
    if any(later.starts_minute < earlier.ends_minute for earlier, later in pairwise(ordered)):
        raise HoursOverlap
