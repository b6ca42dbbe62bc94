"""A mentor's weekly hours and the link to the video room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from services.booking.slots import MINUTES_PER_DAY, Rules, WeeklyHours
from shared.errors import Refusal

NO_ZONE = "UTC"


class HoursOverlap(Refusal):
    """Two rows of one weekday have an instant in common, or one ends before it starts."""

    code = "hours_overlap"
    detail = "Let every row end after it starts, and no two rows of a day overlap."


@dataclass(frozen=True)
class Availability:
    """Rules of a mentor; version 0 means that nothing has been set."""

    rules: Rules
    room_url: str | None
    version: int


NOTHING_SET = Availability(Rules(NO_ZONE, ()), None, 0)
"""What a mentor has who never set any hours."""


def check_hours(weekly: tuple[WeeklyHours, ...]) -> None:
    """Raise `HoursOverlap` unless the hours of every day are in order and apart."""
    ordered = sorted(weekly, key=lambda hours: (hours.weekday, hours.starts_minute))
    if any(not 0 <= h.starts_minute < h.ends_minute <= MINUTES_PER_DAY for h in ordered):
        raise HoursOverlap
    if any(
        earlier.weekday == later.weekday and later.starts_minute < earlier.ends_minute
        for earlier, later in pairwise(ordered)
    ):
        raise HoursOverlap
