"""How many sessions of an offering may begin on one day and in one week of its mentor's calendar.

A week begins on Monday. What counts is when a session starts, on the mentor's clocks of that date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from services.booking.slots.clock import wall_clock
from services.booking.slots.rules import Caps, Rules


class Tally:
    """How many of an offering's sessions begin on each day and in each week."""

    def __init__(self, rules: Rules, caps: Caps, starts: Iterable[datetime]) -> None:
        self._rules, self._caps = rules, caps
        self._days, self._weeks = Counter[date](), Counter[date]()
        for start in starts:
            self.add(start)

    def add(self, start: datetime) -> None:
        """Count one more."""
        if self._caps:
            day = wall_clock(self._rules, start).day
            self._days[day] += 1
            self._weeks[_monday(day)] += 1

    def has_room(self, start: datetime) -> bool:
        """Return whether one more may begin then."""
        if not self._caps:
            return True
        day, caps = wall_clock(self._rules, start).day, self._caps
        return (caps.daily is None or self._days[day] < caps.daily) and (
            caps.weekly is None or self._weeks[_monday(day)] < caps.weekly
        )


def leave_room(
    rules: Rules, caps: Caps, sold: Iterable[datetime], starts: Iterable[datetime]
) -> bool:
    """Return whether an offering that has `sold` some may have sessions begin at all `starts`."""
    tally = Tally(rules, caps, sold)
    for start in starts:
        if not tally.has_room(start):
            return False
        tally.add(start)
    return True


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
