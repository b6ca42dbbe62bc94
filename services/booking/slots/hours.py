"""The hours of a mentor's rules as instants, at home and away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.booking.slots.clock import Stretch, stretches
from services.booking.slots.interval import Interval
from services.booking.slots.rules import Hours, Rules, zone_on

SLOT_STEP = timedelta(minutes=30)
"""Starts lie on this grid, counted in wall-clock time from the beginning of the hours."""
_ZONE_REACH = timedelta(days=2)
"""No zone is further from UTC than 14 hours, so hours reach a window from at most this far."""


@dataclass(frozen=True)
class Opening:
    """Hours as instants; grid points are counted from `origin`, the first on the wall clock."""

    during: Interval
    origin: datetime

    def starts(self, within: Interval) -> Iterator[datetime]:
        """Return the grid points at which a session may begin, within the opening and `within`."""
        behind = max(self.during.starts_at, within.starts_at) - self.origin
        start = self.origin + -(-behind // SLOT_STEP) * SLOT_STEP
        end = min(self.during.ends_at, within.ends_at)
        while start < end:
            yield start
            start += SLOT_STEP


def openings(rules: Rules, starts: Interval) -> Iterator[Opening]:
    """Return the hours in which sessions may run that begin within `starts`."""
    reach = Interval(starts.starts_at - _ZONE_REACH, starts.ends_at + _ZONE_REACH)
    near = _near(rules, reach)
    of_day = _HoursOfDay(near)
    for zone in dict.fromkeys((near.zone, *(travel.zone for travel in near.travels))):
        for stretch in stretches(zone, reach):
            for day in stretch.days():
                if zone_on(near, day) == zone:
                    yield from _opened(stretch, day, of_day.on(day))


class _HoursOfDay:
    """The hours of every date: its override's, else its weekday's."""

    def __init__(self, rules: Rules) -> None:
        self._weekly = [
            tuple(weekly.hours for weekly in rules.weekly if weekly.weekday == weekday)
            for weekday in range(7)
        ]
        self._overrides = {override.on: override.hours for override in rules.overrides}

    def on(self, day: date) -> tuple[Hours, ...]:
        """Return the hours of a date."""
        return self._overrides.get(day, self._weekly[day.weekday()])


def _near(rules: Rules, reach: Interval) -> Rules:
    """Return the rules without the travels that end before the reach or begin after it."""
    first, last = (reach.starts_at - _ZONE_REACH).date(), (reach.ends_at + _ZONE_REACH).date()
    travels = (each for each in rules.travels if each.from_on <= last and first <= each.until_on)
    return replace(rules, travels=tuple(travels))


def _opened(stretch: Stretch, day: date, hours_of_day: tuple[Hours, ...]) -> Iterator[Opening]:
    midnight, during = stretch.midnight(day), stretch.during
    for hours in hours_of_day:
        origin = midnight + timedelta(minutes=hours.starts_minute)
        ends_at = min(midnight + timedelta(minutes=hours.ends_minute), during.ends_at)
        starts_at = max(origin, during.starts_at)
        if starts_at < ends_at:
            yield Opening(Interval(starts_at, ends_at), origin)
