"""Stretches of time between two instants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter


@dataclass(frozen=True, order=True)
class Interval:
    """From `starts_at` up to and without `ends_at`; aware UTC instants."""

    starts_at: datetime
    ends_at: datetime

    def overlaps(self, other: Interval) -> bool:
        """Return whether both have an instant in common."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def widened(self, before_minutes: int, after_minutes: int) -> Interval:
        """Return the interval with minutes added on both sides."""
        return Interval(
            self.starts_at - timedelta(minutes=before_minutes),
            self.ends_at + timedelta(minutes=after_minutes),
        )


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same times as disjoint intervals in order; ones that touch become one."""
    found: list[Interval] = []
    for interval in sorted(intervals, key=attrgetter("starts_at")):
        if found and interval.starts_at <= found[-1].ends_at:
            last = found[-1]
            found[-1] = Interval(last.starts_at, max(last.ends_at, interval.ends_at))
        else:
            found.append(interval)
    return found
