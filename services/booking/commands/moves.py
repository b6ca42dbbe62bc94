"""Moving sessions: the old time is given back and the new one sold in one transaction.

The order of locks continues that of `commands.holds`: the purchase, the turns of both people in
the order of ids, the turn for the mentor's time, the offering if it has caps, the seats, lapsed
holds in the way. With all turns taken, moves and holds that replace another wait for one another
where they want each other's time, instead of deadlocking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from services.booking.commands.holds import take_seats, why_taken
from services.booking.commands.saving import save_order
from services.booking.commands.slots import busy_elsewhere, respect_caps, slots_of
from services.booking.domain import moves
from services.booking.domain.holds import SlotNotOffered, SlotTaken
from services.booking.domain.moves import Meaning, MoveWish
from services.booking.domain.orders import Order, Session
from services.booking.domain.terms import Terms
from services.booking.slots import Interval, is_offered
from services.booking.store import attendance, availability, offerings, orders, people, seats
from services.booking.store import moves as store
from shared.contracts.common import Party
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OrderId, PersonId, SessionId


@dataclass(frozen=True)
class Mover:
    """Which session somebody moves, and who."""

    order_id: OrderId
    session_id: SessionId | None
    person_id: PersonId


@dataclass(frozen=True)
class Preview:
    """What a move would mean for whoever asks, and how many they have left before it."""

    by: Party
    meaning: Meaning
    moves_left: int


async def preview_move(
    conn: Connection, mover: Mover, starts_at: datetime, *, terms: Terms, now: datetime
) -> Preview:
    """Return what moving a session would mean; nothing changes.

    Raises what `move_session` raises but `PreviewOutdated`.
    """
    order, session, by = _of(mover, await orders.read_order(conn, mover.order_id))
    meaning = moves.check_move(order, session, by, starts_at, now=now, terms=terms)
    await _check_offered(conn, order, session, starts_at, terms, now)
    await _check_free(conn, order, session, starts_at, now)
    return Preview(by, meaning, moves.moves_left(session, by, terms))


async def find_times(
    conn: Connection, mover: Mover, window: Interval, *, terms: Terms, now: datetime
) -> list[Interval]:
    """Return when the mentor has time for a session that is moved, as it was sold.

    Raises `NotFound` or `SessionUnnamed`.
    """
    order, session, _ = _of(mover, await orders.read_order(conn, mover.order_id))
    offering = await offerings.read_offering(conn, order.offering_id)
    if offering is None:
        raise NotFound
    policy = moves.frozen_policy(order, session, offering, terms)
    found = await slots_of(conn, offering, policy, window, now=now, moved=session.session_id)
    return [each for each in found if each.starts_at != session.starts_at]


async def move_session(
    conn: Connection, mover: Mover, wish: MoveWish, *, terms: Terms, now: datetime
) -> Order:
    """Move a session, or propose that to the other side.

    Raises `NotFound`, `SessionUnnamed`, `SlotTaken`, `SlotNotOffered` and what `moves.move` raises.
    """
    order, session, by = _of(mover, await orders.lock_order(conn, mover.order_id))
    changed = moves.move(order, session, by, wish, now=now, terms=terms)
    await _take_turns(conn, order)
    await _check_offered(conn, order, session, wish.starts_at, terms, now)
    if wish.shown.immediate:
        await _take_new_time(conn, changed[0], session.session_id, now)
    else:
        await _check_free(conn, order, session, wish.starts_at, now)
    return await save_order(conn, changed, now=now)


async def accept_move(conn: Connection, mover: Mover, *, now: datetime) -> Order:
    """Agree to a proposed move: the session takes place then.

    Raises `NotFound`, `SessionUnnamed`, `SlotNotOffered`, `SlotTaken`, `NoProposal` or
    `NotYourPart`.
    """
    order, session, by = _of(mover, await orders.lock_order(conn, mover.order_id))
    changed = moves.accept_move(order, session, by, now=now)
    await _take_turns(conn, order)
    session_id = session.session_id
    # Other sessions may have been sold since it was proposed.
    starts_at = changed[0].session(session_id).starts_at
    await respect_caps(conn, order, [starts_at], now=now, moved=session_id)
    await _take_new_time(conn, changed[0], session_id, now)
    return await save_order(conn, changed, now=now)


async def decline_move(conn: Connection, mover: Mover, *, now: datetime) -> Order:
    """Say no to a proposed move, or withdraw it.

    Raises `NotFound`, `SessionUnnamed` or `NoProposal`.
    """
    order, session, by = _of(mover, await orders.lock_order(conn, mover.order_id))
    return await save_order(conn, moves.decline_move(order, session, by), now=now)


async def lapse_next_move(conn: Connection, *, now: datetime) -> bool:
    """End the proposal that nobody answered in time first; return whether there was one."""
    found = await store.next_to_lapse(conn, now)
    if found is None:
        return False
    order_id, session_id = found
    order = await orders.lock_order(conn, order_id)
    # Somebody may have answered between our look and our lock.
    changed = moves.lapse_move(order, order.session(session_id), now=now) if order else None
    if changed:
        await save_order(conn, changed, now=now)
    return True


def _of(mover: Mover, order: Order | None) -> tuple[Order, Session, Party]:
    by = order.party(mover.person_id) if order else None
    if order is None or by is None:
        raise NotFound
    return order, order.session(mover.session_id), by


async def _take_turns(conn: Connection, order: Order) -> None:
    for person_id in sorted((order.mentor_id, order.mentee_id)):
        await people.take_turn(conn, person_id)
    await people.take_turn_for_time(conn, order.mentor_id)


async def _check_offered(
    conn: Connection,
    order: Order,
    session: Session,
    starts_at: datetime,
    terms: Terms,
    now: datetime,
) -> None:
    offering = await offerings.read_offering(conn, order.offering_id)
    if offering is None:
        raise NotFound
    rules = (await availability.read_availability(conn, order.mentor_id)).rules
    policy = moves.frozen_policy(order, session, offering, terms)
    busy = await busy_elsewhere(conn, order.mentor_id, policy, [starts_at])
    if not is_offered(rules, policy, now, starts_at, busy):
        raise SlotNotOffered
    await respect_caps(conn, order, [starts_at], now=now, moved=session.session_id)


async def _check_free(
    conn: Connection, order: Order, session: Session, starts_at: datetime, now: datetime
) -> None:
    """Raise `SlotTaken` when somebody's time is sold; what is proposed keeps no time free."""
    ends_at = session.ends_at + (starts_at - session.starts_at)
    for seat in order.seats_of(replace(session, starts_at=starts_at, ends_at=ends_at)):
        sold = await seats.sold(conn, seat.person_id, seat.during, now)
        if any(each.session_id != session.session_id for each in sold):
            raise SlotTaken(whose=order.party(seat.person_id))


async def _take_new_time(
    conn: Connection, moved: Order, session_id: SessionId, now: datetime
) -> None:
    await seats.free_seats(conn, [session_id])
    wanted = moved.seats_of(moved.session(session_id))
    if not await take_seats(conn, wanted, now):
        raise await why_taken(conn, moved, wanted)
    # Who looked into the room before is not in the one of the new time.
    await attendance.end_visits(conn, session_id, now)
