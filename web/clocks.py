"""When the clocks of a zone change, so that nobody is surprised by it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
ONE_MINUTE = timedelta(minutes=1)
FARTHEST = timedelta(days=400)
"""Nothing is sold farther ahead."""
HOUR_MINUTES = 60


@dataclass(frozen=True)
class ClockChange:
    """On this day the clocks of a zone go forward by so many minutes, or back if it is negative."""

    on: date
    zone: str
    minutes: int

    @property
    def words(self) -> str:
        """Return which way they go, and how far."""
        hours, minutes = divmod(abs(self.minutes), HOUR_MINUTES)
        parts = [f"{n} {unit}{'s' if n != 1 else ''}"
                 for n, unit in ((hours, "hour"), (minutes, "minute")) if n]  # fmt: skip
        return f"{'forward' if self.minutes > 0 else 'back'} by {' and '.join(parts)}"


def clock_changes(zone: str, since: datetime, until: datetime) -> list[ClockChange]:
    """Return the changes between two instants, in order."""
    return list(_changes(ZoneInfo(zone), since, min(until, since + FARTHEST)))


def _changes(zone: ZoneInfo, since: datetime, until: datetime) -> Iterator[ClockChange]:
    while since < until:
        end = min(since + ONE_DAY, until)
        if shift := _offset(zone, end) - _offset(zone, since):
            day = _first_after(zone, since, end).astimezone(zone).date()
            yield ClockChange(day, zone.key, round(shift / ONE_MINUTE))
        since = end


def _first_after(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first minute of the new offset, of which `before` has the old one."""
    old = _offset(zone, before)
    while after - before > ONE_MINUTE:
        middle = before + (after - before) / 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()
