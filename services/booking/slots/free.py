"""The sessions of an offering that may be booked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from services.booking.slots.caps import Tally
from services.booking.slots.hours import openings
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
    blocked, tally = merged(busy), Tally(rules, policy.caps, sold)
    return [
        slot
        for slot in _within_hours(rules, timedelta(minutes=policy.minutes), starts)
        if not _collides(
            slot.widened(policy.buffer_before_minutes, policy.buffer_after_minutes), blocked
        )
        and tally.has_room(slot.starts_at)
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


def _within_hours(rules: Rules, length: timedelta, starts: Interval) -> list[Interval]:
    opened = list(openings(rules, starts))
    whole = merged(opening.during for opening in opened)
    begins = [interval.starts_at for interval in whole]
    found = {
        start
        for opening in opened
        for start in opening.starts(starts)
        # Hours that touch are one: a session may run on over midnight or a change of the clocks.
        if start + length <= whole[bisect_right(begins, start) - 1].ends_at
    }
    return [Interval(start, start + length) for start in sorted(found)]


def _collides(span: Interval, blocked: Sequence[Interval]) -> bool:
    after = bisect_right(blocked, span.starts_at, key=lambda interval: interval.ends_at)
    return after < len(blocked) and blocked[after].overlaps(span)
