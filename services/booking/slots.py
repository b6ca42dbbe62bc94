"""Which starts a mentor offers: a pure function of weekly hours, busy times, policy and now.

Weekly hours are wall-clock times in the mentor's zone. Between two changes of that zone the offset
is constant, so each such stretch turns hours into instants by plain subtraction: an hour that a
change skips lies in no stretch and is never offered, an hour that comes twice lies in two and is
offered once per instant. All intervals are half-open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from whenever import Instant

SLOT_STEP = timedelta(minutes=30)
"""Starts lie on this grid, counted in wall-clock time from the beginning of the hours."""
MINUTES_PER_DAY = 24 * 60
_ZONE_REACH = timedelta(days=2)
"""No zone is further from UTC than 14 hours, so hours reach a window from at most this far."""


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


@dataclass(frozen=True)
class WeeklyHours:
    """Hours of one weekday (Monday is 0) in minutes after midnight; 1440 is the day's end."""

    weekday: int
    starts_minute: int
    ends_minute: int


@dataclass(frozen=True)
class Rules:
    """When a mentor works: hours of the week on the clocks of an IANA zone."""

    zone: str
    weekly: tuple[WeeklyHours, ...]


@dataclass(frozen=True)
class SlotPolicy:
    """What an offering asks of a start; `horizon_days` are days of 24 hours."""

    minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    horizon_days: int


@dataclass(frozen=True)
class _Stretch:
    """A time during which the zone's offset from UTC does not change."""

    during: Interval
    offset: timedelta


@dataclass(frozen=True)
class _Opening:
    """Hours as instants; grid points are counted from `origin`, the first on the wall clock."""

    during: Interval
    origin: datetime


def free_slots(
    rules: Rules, busy: Iterable[Interval], policy: SlotPolicy, now: datetime, window: Interval
) -> list[Interval]:
    """Return every session that may start within `window`, in order.

    A session lies wholly inside the hours, starts no sooner than the minimum notice and before the
    horizon, and with its buffers touches nothing in `busy` (whose buffers are included already).
    """
    starts = _bookable(policy, now, window)
    if starts.starts_at >= starts.ends_at:
        return []
    blocked = _merged(busy)
    return [
        slot
        for slot in _within_hours(rules, timedelta(minutes=policy.minutes), starts)
        if not _collides(
            slot.widened(policy.buffer_before_minutes, policy.buffer_after_minutes), blocked
        )
    ]


def is_offered(rules: Rules, policy: SlotPolicy, now: datetime, starts_at: datetime) -> bool:
    """Return whether the rules offer this start, whatever is sold already."""
    instant = Interval(starts_at, starts_at + timedelta(microseconds=1))
    return any(slot.starts_at == starts_at for slot in free_slots(rules, (), policy, now, instant))


def _bookable(policy: SlotPolicy, now: datetime, window: Interval) -> Interval:
    soonest = now + timedelta(minutes=policy.minimum_notice_minutes)
    horizon = now + timedelta(days=policy.horizon_days)
    return Interval(max(window.starts_at, soonest), min(window.ends_at, horizon))


def _within_hours(rules: Rules, length: timedelta, starts: Interval) -> list[Interval]:
    openings = list(_openings(rules, starts))
    whole = _merged(opening.during for opening in openings)
    begins = [interval.starts_at for interval in whole]
    found = {
        start
        for opening in openings
        for start in _grid(opening, starts)
        # Hours that touch are one: a session may run on over midnight or a change of the clocks.
        if start + length <= whole[bisect_right(begins, start) - 1].ends_at
    }
    return [Interval(start, start + length) for start in sorted(found)]


def _openings(rules: Rules, starts: Interval) -> Iterator[_Opening]:
    reach = Interval(starts.starts_at - _ZONE_REACH, starts.ends_at + _ZONE_REACH)
    for stretch in _stretches(rules.zone, reach):
        for day in _days(stretch):
            for hours in rules.weekly:
                if hours.weekday == day.weekday() and (opening := _opening(hours, day, stretch)):
                    yield opening


def _stretches(zone: str, reach: Interval) -> Iterator[_Stretch]:
    begins = reach.starts_at
    at = Instant(begins).to_tz(zone)
    while begins < reach.ends_at:
        change = at.next_transition()
        ends = change.to_instant().to_stdlib() if change else reach.ends_at
        yield _Stretch(Interval(begins, min(ends, reach.ends_at)), at.offset.to_stdlib())
        if change is None:
            return
        begins, at = ends, change


def _days(stretch: _Stretch) -> Iterator[date]:
    day = (stretch.during.starts_at + stretch.offset).date()
    last = (stretch.during.ends_at + stretch.offset).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _opening(hours: WeeklyHours, day: date, stretch: _Stretch) -> _Opening | None:
    midnight = datetime.combine(day, time(), UTC) - stretch.offset
    origin = midnight + timedelta(minutes=hours.starts_minute)
    starts_at = max(origin, stretch.during.starts_at)
    ends_at = min(midnight + timedelta(minutes=hours.ends_minute), stretch.during.ends_at)
    return _Opening(Interval(starts_at, ends_at), origin) if starts_at < ends_at else None


def _grid(opening: _Opening, within: Interval) -> Iterator[datetime]:
    behind = max(opening.during.starts_at, within.starts_at) - opening.origin
    start = opening.origin + -(-behind // SLOT_STEP) * SLOT_STEP
    end = min(opening.during.ends_at, within.ends_at)
    while start < end:
        yield start
        start += SLOT_STEP


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same times as disjoint intervals in order; ones that touch become one."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.starts_at <= merged[-1].ends_at:
            last = merged[-1]
            merged[-1] = Interval(last.starts_at, max(last.ends_at, interval.ends_at))
        else:
            merged.append(interval)
    return merged


def _collides(span: Interval, blocked: Sequence[Interval]) -> bool:
    after = bisect_right(blocked, span.starts_at, key=lambda interval: interval.ends_at)
    return after < len(blocked) and blocked[after].overlaps(span)
