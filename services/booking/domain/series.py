"""A series: one session a week at one wall-clock time of the mentor, held and paid as one.

The mentor's clocks decide: after they change, the sessions begin at another instant and show the
same time there. A date whose time the clocks skip is no date, and is never moved silently.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from services.booking.domain.holds import SlotTaken
from services.booking.domain.offerings import Offering
from services.booking.slots import Interval, Rules, WallClock, instants_at, wall_clock, zone_on
from services.booking.slots.clock import stretches
from shared.errors import Kind, Refusal
from shared.ids import PersonId
from shared.money import largest_charge

WEEKS_AT_LEAST = 2
WEEKS_AT_MOST = 26
ALTERNATIVES = 3
WEEK = timedelta(weeks=1)
APART = timedelta(days=3)
"""Sessions of a series begin at least this far apart: a day sooner or later leaves more than that.
Otherwise one hold could empty a mentor's week."""
NEIGHBOUR = timedelta(days=1)
"""An alternative lies on the day of its date or on one next to it."""
_REACH = timedelta(days=2)
"""No start of a neighbouring day is further away."""


class SeriesTaken(SlotTaken):
    """Some of the dates are sold; `taken` names their starts, with blanks between them."""

    code = "series_taken"
    detail = "Some of these dates are taken: leave them out or choose other times for them."


class SeriesNotForFree(Refusal):
    """What costs nothing is no series."""

    code = "series_not_for_free"
    detail = "What costs nothing is booked one session at a time."


class SeriesTooLong(Refusal):
    """The series reaches beyond the days that can be booked; `weeks_at_most` do not."""

    code = "series_too_long"
    detail = "This cannot be booked so far ahead: choose fewer weeks."


class SeriesTooDear(Refusal):
    """The whole price is more than one payment may be."""

    code = "series_too_dear"
    detail = "The whole series costs more than one payment may be: choose fewer weeks."


class SeriesNotWeekly(Refusal):
    """Two of the starts are too close for one session a week."""

    code = "series_not_weekly"
    kind = Kind.SHAPE
    detail = f"Choose one start a week: any two lie at least {APART.days} days apart."


@dataclass(frozen=True)
class Outline:
    """The series somebody thinks of: from when, how many weeks, and whose clocks they live by."""

    starts_at: datetime
    weeks: int
    viewer_id: PersonId | None
    viewer_zone: str | None


@dataclass(frozen=True)
class Week:
    """One date of the mentor's calendar, and when their clocks show the time wanted.

    That is never where the clocks skip it, and twice where they are put back over it. `near` is
    about when it would have been.
    """

    on: date
    instants: tuple[datetime, ...]
    near: datetime


@dataclass(frozen=True)
class SeriesDate:
    """What becomes of one week: its start if there is one, whether it is free, and what else is."""

    on: date
    starts_at: datetime | None
    is_free: bool
    alternatives: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class ClockChange:
    """The clocks of a zone are put forward (or back, below zero) on a day."""

    on: date
    zone: str
    shift_minutes: int


@dataclass(frozen=True)
class Plan:
    """A series before it is bought; the price is that of all its weeks."""

    dates: tuple[SeriesDate, ...]
    price_minor: int
    minutes: int
    currency: str
    clock_changes: tuple[ClockChange, ...]


def series_dates(rules: Rules, starts_at: datetime, weeks: int) -> tuple[Week, ...]:
    """Return the weeks of a series that shows the mentor the time of `starts_at` every week."""
    first = wall_clock(rules, starts_at)
    return tuple(_week(rules, first, starts_at, n) for n in range(weeks))


def reach_of(weeks: Sequence[Week]) -> Interval:
    """Return the time in which the starts of a series and their alternatives lie."""
    return Interval(weeks[0].near - _REACH, weeks[-1].near + _REACH)


def check_series(offering: Offering, weeks: int) -> None:
    """Raise `SeriesNotForFree` or `SeriesTooDear` when an offering is not sold so many times."""
    if not offering.content.price_minor:
        raise SeriesNotForFree
    if offering.content.price_minor * weeks > largest_charge(offering.content.currency):
        raise SeriesTooDear


def check_weekly(starts: Iterable[datetime]) -> None:
    """Raise `SeriesNotWeekly` unless the starts are in order and far enough apart."""
    if any(later - earlier < APART for earlier, later in pairwise(starts)):
        raise SeriesNotWeekly


def check_horizon(offering: Offering, weeks: Sequence[Week], now: datetime) -> None:
    """Raise `SeriesTooLong` when the last of the weeks can only be booked later."""
    horizon = now + timedelta(days=offering.content.horizon_days)
    within = sum(week.near < horizon for week in weeks)
    if within < len(weeks):
        raise SeriesTooLong(weeks_at_most=within)


def plan(
    offering: Offering,
    rules: Rules,
    weeks: Sequence[Week],
    free: Sequence[datetime],
    viewer_zone: str | None,
) -> Plan:
    """Return for each week whether its start is among the `free` ones, which are in order."""
    content = offering.content
    return Plan(
        dates=tuple(_choice(rules, week, free) for week in weeks),
        price_minor=content.price_minor * len(weeks),
        minutes=content.minutes,
        currency=content.currency,
        clock_changes=tuple(
            clock_changes(rules, Interval(weeks[0].near, weeks[-1].near), viewer_zone)
        ),
    )


def clock_changes(rules: Rules, during: Interval, viewer_zone: str | None) -> list[ClockChange]:
    """Return when the clocks of the mentor change, wherever they are then, and the viewer's."""
    zones = {rules.zone, *(travel.zone for travel in rules.travels)}
    if viewer_zone:
        zones.add(viewer_zone)
    found = [
        change
        for zone in zones
        for change in _changes_of(zone, during)
        if zone == viewer_zone or zone_on(rules, change.on) == zone
    ]
    return sorted(found, key=lambda change: (change.on, change.zone))


def _week(rules: Rules, first: WallClock, starts_at: datetime, n: int) -> Week:
    on = first.day + n * WEEK
    instants = tuple(instants_at(rules, WallClock(on, first.minute)))
    return Week(on, instants, instants[0] if instants else starts_at + n * WEEK)


def _choice(rules: Rules, week: Week, free: Sequence[datetime]) -> SeriesDate:
    around = free[bisect_left(free, week.near - _REACH) : bisect_right(free, week.near + _REACH)]
    kept = next((instant for instant in week.instants if instant in around), None)
    if kept:
        return SeriesDate(week.on, kept, is_free=True)
    found = sorted((_distance(rules, week, start), start) for start in around)
    nearest = [start for (days, _), start in found if days <= NEIGHBOUR][:ALTERNATIVES]
    starts_at = week.instants[0] if week.instants else None
    return SeriesDate(week.on, starts_at, is_free=False, alternatives=tuple(sorted(nearest)))


def _distance(rules: Rules, week: Week, start: datetime) -> tuple[timedelta, timedelta]:
    return abs(wall_clock(rules, start).day - week.on), abs(start - week.near)


def _changes_of(zone: str, during: Interval) -> Iterator[ClockChange]:
    for before, after in pairwise(stretches(zone, during)):
        shift = after.offset - before.offset
        if shift:
            on = (after.during.starts_at + after.offset).date()
            yield ClockChange(on, zone, shift // timedelta(minutes=1))
