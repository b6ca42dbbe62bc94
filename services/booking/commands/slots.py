"""A mentor's free time as it stands in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from services.booking.domain.availability import SoldTime
from services.booking.domain.holds import SlotNotOffered
from services.booking.domain.offerings import Offering
from services.booking.domain.orders import Order
from services.booking.domain.terms import Terms
from services.booking.slots import Interval, SlotPolicy, free_slots, leave_room
from services.booking.store import availability, offerings, people, seats
from services.booking.store.calendars import busy_times
from shared.db import Connection
from shared.ids import OfferingId, PersonId, SessionId

CAPS_REACH = timedelta(days=9)
"""From a start to both ends of its week on any clock."""


async def find_slots(
    conn: Connection, offering: Offering, window: Interval, *, terms: Terms, now: datetime
) -> list[Interval]:
    """Return the free slots of an offering, none while its mentor takes no new sessions."""
    if not await people.is_approved(conn, offering.mentor_id):
        return []
    return await slots_of(conn, offering, offering.slot_policy(terms), window, now=now)


async def slots_of(
    conn: Connection,
    offering: Offering,
    policy: SlotPolicy,
    window: Interval,
    *,
    now: datetime,
    moved: SessionId | None = None,
) -> list[Interval]:
    """Return when sessions may start by a policy, whoever may still sell them.

    The time of the session that is `moved` counts as free.
    """
    rules = (await availability.read_availability(conn, offering.mentor_id)).rules
    reach = _whole_weeks(window) if policy.caps else _with_buffers(policy, window)
    sold = await _sold(conn, offering.mentor_id, reach, now, moved)
    busy = [each.during for each in sold] + await busy_times(conn, offering.mentor_id, reach)
    starts = _starts(sold, offering.offering_id)
    return free_slots(rules, busy, policy, now, window, sold=starts)


async def busy_elsewhere(
    conn: Connection, mentor_id: PersonId, policy: SlotPolicy, starts: Sequence[datetime]
) -> list[Interval]:
    """Return when the mentor's own calendars say busy around sessions that start then."""
    during = _with_buffers(policy, Interval(min(starts), max(starts)))
    return await busy_times(conn, mentor_id, during)


async def respect_caps(
    conn: Connection,
    order: Order,
    starts: Sequence[datetime],
    *,
    now: datetime,
    moved: SessionId | None = None,
) -> None:
    """Raise `SlotNotOffered` unless the offering's caps let sessions of an order begin then.

    Whoever sells or moves a session of a capped offering waits here for the others who do, until
    the end of the transaction. The session that is `moved` does not count.
    """
    caps = await offerings.lock_caps(conn, order.offering_id)
    if caps is None:
        return
    rules = (await availability.read_availability(conn, order.mentor_id)).rules
    weeks = _whole_weeks(Interval(min(starts), max(starts)))
    sold = await _sold(conn, order.mentor_id, weeks, now, moved)
    if not leave_room(rules, caps, _starts(sold, order.offering_id), starts):
        raise SlotNotOffered


def _with_buffers(policy: SlotPolicy, starts: Interval) -> Interval:
    # A session that starts last may run on, with its buffer, beyond it.
    return starts.widened(
        policy.buffer_before_minutes, policy.minutes + policy.buffer_after_minutes
    )


def _whole_weeks(window: Interval) -> Interval:
    return Interval(window.starts_at - CAPS_REACH, window.ends_at + CAPS_REACH)


async def _sold(
    conn: Connection,
    mentor_id: PersonId,
    during: Interval,
    now: datetime,
    moved: SessionId | None,
) -> list[SoldTime]:
    sold = await seats.sold(conn, mentor_id, during, now)
    return [each for each in sold if each.session_id != moved]


def _starts(sold: Iterable[SoldTime], offering_id: OfferingId) -> list[datetime]:
    return [each.starts_at for each in sold if each.offering_id == offering_id]
