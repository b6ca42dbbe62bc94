"""The sessions of an offering that may be booked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from services.booking.slots.caps import Tally
from services.booking.slots.hours import Opening, openings
from services.booking.slots.interval import Interval, merged
from services.booking.slots.rules import Rules, SlotPolicy

_INSTANT = timedelta(microseconds=1)


def free_slots(
    rules: Rules,
    busy: Iterable[Interval],
    policy: SlotPolicy,
    now: datetime,
    window: Interval,
    *,
    sold: Iterable[datetime] = (),
) -> list[Interval]:
    """Return every session that may start within `window`, in order.

    A session lies wholly inside the hours, starts no sooner than the minimum notice and before the
    horizon, and with its buffers touches nothing in `busy` (whose buffers are included already).
    `sold` are the starts of the offering's sessions, which its caps count: those of every week
    that the window touches.
    """
    starts = _bookable(policy, now, window)
    if starts.starts_at >= starts.ends_at:
        return []
    tally, length = Tally(rules, policy.caps, sold), timedelta(minutes=policy.minutes)
    within_hours = _within_hours(openings(rules, starts), length, starts)
    return [
        Interval(start, start + length)
        for start in _beside(busy, within_hours, policy)
        if tally.has_room(start)
    ]


def is_offered(
    rules: Rules,
    policy: SlotPolicy,
    now: datetime,
    starts_at: datetime,
    busy: Iterable[Interval] = (),
) -> bool:
    """Return whether the rules offer this start beside `busy`, whatever the caps say."""
    window = Interval(starts_at, starts_at + _INSTANT)
    return any(slot.starts_at == starts_at for slot in free_slots(rules, busy, policy, now, window))


def _bookable(policy: SlotPolicy, now: datetime, window: Interval) -> Interval:
    soonest = now + timedelta(minutes=policy.minimum_notice_minutes)
    horizon = now + timedelta(days=policy.horizon_days)
    return Interval(max(window.starts_at, soonest), min(window.ends_at, horizon))


def _within_hours(
    opened: Iterable[Opening], length: timedelta, starts: Interval
) -> Iterator[datetime]:
    """Return each start of a session that ends before the hours do, in order and once."""
    hours = list(opened)
    # Hours that touch are one: a session may run on over midnight or a change of the clocks.
    whole = merged(opening.during for opening in hours)
    begins, latest = [each.starts_at for each in whole], [each.ends_at - length for each in whole]
    last = None
    for start in sorted(start for opening in hours for start in opening.starts(starts)):
        if start != last and start <= latest[bisect_right(begins, start) - 1]:
            yield start
        last = start


def _beside(
    busy: Iterable[Interval], starts: Iterable[datetime], policy: SlotPolicy
) -> Iterator[datetime]:
    """Return the starts of sessions that with their buffers touch nothing that is busy."""
    before = timedelta(minutes=policy.buffer_before_minutes)
    after = timedelta(minutes=policy.minutes + policy.buffer_after_minutes)
    # Seen from its start, a session touches a busy time if it begins between these two instants.
    blocked = [(each.starts_at - after, each.ends_at + before) for each in merged(busy)]
    ends = [until for _, until in blocked]
    for start in starts:
        nearest = bisect_right(ends, start)
        if nearest == len(blocked) or start <= blocked[nearest][0]:
            yield start
