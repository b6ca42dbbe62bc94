"""Selling time: one person's minute once. The database decides; here is how it is asked.

The order of locks is the same for everybody: the mentee's turn, the turn for the mentor's time if
more than one stretch of it changes hands, the mentee's own holds in the order of ids, the offering
if it has caps, the seats in the order of person ids, lapsed holds in the way in the order of ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.booking.commands.saving import announce, save_order
from services.booking.commands.slots import busy_elsewhere, respect_caps
from services.booking.domain.holds import (
    SlotTaken,
    Wish,
    check_lapses,
    check_open_holds,
    end_hold,
    expire,
    place_order,
    release_hold,
)
from services.booking.domain.offerings import Offering
from services.booking.domain.orders import Change, NotYourPart, Order, OrderState, Seat
from services.booking.domain.settlement import confirm
from services.booking.domain.terms import Terms
from services.booking.store import availability, offerings, orders, people, seats, waitlist
from services.booking.store.openings import mark_openings, next_best
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OfferingId, OrderId, PersonId


class _SeatMissing(Exception):
    """One of the two people is not free, so that neither seat may stay."""


async def hold_slot(
    conn: Connection, offering_id: OfferingId, wish: Wish, *, terms: Terms, now: datetime
) -> Order:
    """Hold or request a mentor's time for a mentee, in place of a hold with the same mentor.

    What costs nothing is confirmed at once. Raises `NotFound`, `SlotTaken`, `TooManyHolds`,
    `TooManyLapses`, and what `place_order` raises.
    """
    offering = await offerings.read_offering(conn, offering_id)
    if offering is None:
        raise NotFound
    rules = (await availability.read_availability(conn, offering.mentor_id)).rules
    bookable = await people.is_approved(conn, offering.mentor_id)
    policy, starts = offering.slot_policy(terms), [start.starts_at for start in wish.starts]
    busy = await busy_elsewhere(conn, offering.mentor_id, policy, starts)
    placed = place_order(offering, wish, rules, busy, bookable=bookable, now=now, terms=terms)
    await let_others_go_first(conn, offering, wish)
    return await take_order(conn, placed, terms=terms, now=now)


async def let_others_go_first(conn: Connection, offering: Offering, wish: Wish) -> None:
    """Raise `SlotTaken` for time that was freed while others wait, until they were asked.

    That is a moment: a worker looks at once, and offers it or finds that nobody can take it.
    """
    if await waitlist.others_come_first(
        conn,
        offering.mentor_id,
        offering.offering_id,
        wish.mentee_id,
        [start.starts_at for start in wish.starts],
    ):
        raise SlotTaken(whose="mentor")


async def take_order(conn: Connection, placed: Change, *, terms: Terms, now: datetime) -> Order:
    """Keep a new purchase if the time of all its sessions is free, and tell it.

    Raises `SlotTaken`, `TooManyHolds`, `TooManyLapses`, or `SlotNotOffered` for lack of room under
    the caps of the offering.
    """
    order, fact = placed
    await people.take_turn(conn, order.mentee_id)
    await _give_up_other_holds(conn, order, now)
    free = order.price_minor == 0
    unpaid, lapsed = await orders.count_unpaid(conn, order.mentee_id, now, free=free)
    check_open_holds(unpaid, terms)
    check_lapses(lapsed, terms)
    await respect_caps(conn, order, [each.starts_at for each in order.sessions], now=now)
    await orders.insert_order(conn, order)
    if not await take_time(conn, order, now):
        raise await why_taken(conn, order, order.seats())
    await announce(conn, fact, at=now)
    return await confirm_free(conn, order, now)


async def confirm_free(conn: Connection, order: Order, now: datetime) -> Order:
    """Confirm a held purchase that costs nothing: there is no payment to wait for."""
    if order.price_minor or order.state is not OrderState.HELD:
        return order
    return await save_order(conn, confirm(order, now=now), now=now)


async def take_time(conn: Connection, order: Order, now: datetime) -> bool:
    """Sell the time of both people to all sessions of an order; return whether it was free."""
    return await take_seats(conn, order.seats(), now)


async def take_seats(conn: Connection, wanted: Sequence[Seat], now: datetime) -> bool:
    """Sell seats, in the order of person ids, all or none; return whether their time was free.

    Lapsed holds in the way are expired first: nobody has to wait for a worker. While we wait for
    the lock of one, somebody else may expire it; then nothing is in the way any more.
    """
    if await _seat_all(conn, wanted):
        return True
    lapsed = await seats.lock_lapsed_overlaps(conn, wanted, now)
    for other in await orders.read_orders(conn, lapsed):
        await _expire(conn, other, now)
    vanished = bool(lapsed) or not await seats.taken_people(conn, wanted)
    return vanished and await _seat_all(conn, wanted)


async def give_up_hold(
    conn: Connection, order_id: OrderId, mentee_id: PersonId, *, now: datetime
) -> Order:
    """End a hold because its mentee says so; raises `NotFound`, `NotYourPart` or `NotHeld`."""
    order = await orders.lock_order(conn, order_id)
    if order is None or order.party(mentee_id) is None:
        raise NotFound
    if order.mentee_id != mentee_id:
        raise NotYourPart
    return await save_order(conn, release_hold(order), now=now)


async def close_hold(conn: Connection, order_id: OrderId, *, now: datetime) -> Order | None:
    """Expire a hold at once because no payment can come any more; nothing for an unknown order."""
    order = await orders.lock_order(conn, order_id)
    ended = end_hold(order) if order else None
    return await save_order(conn, ended, now=now) if ended else order


async def expire_next_hold(conn: Connection, *, now: datetime) -> bool:
    """End the hold, request or offered slot whose time ran out first; return whether one did."""
    order = await orders.lock_next_to_expire(conn, now)
    if order is None:
        return False
    await _expire(conn, order, now)
    return True


async def _expire(conn: Connection, order: Order, now: datetime) -> None:
    asked = order.state is OrderState.REQUESTED
    changed = expire(order, await next_best(conn, order, now) if asked else None)
    if changed:
        await save_order(conn, changed, now=now)


async def _give_up_other_holds(conn: Connection, order: Order, now: datetime) -> None:
    replaces = await orders.may_hold(conn, order.mentee_id, order.mentor_id)
    if replaces or order.is_series:
        # Two who give back and take the same two times the other way round would deadlock.
        await people.take_turn_for_time(conn, order.mentor_id)
    if not replaces:
        return
    for other in await orders.lock_open_holds(conn, order.mentee_id, order.mentor_id):
        await save_order(conn, release_hold(other), now=now)


async def _seat_all(conn: Connection, wanted: Sequence[Seat]) -> bool:
    try:
        # A savepoint: a seat that is half a sale is gone before anybody waits for it.
        async with conn.transaction():
            if await seats.insert_seats(conn, wanted) < len(wanted):
                raise _SeatMissing
            await mark_openings(conn, *{seat.person_id for seat in wanted})
    except _SeatMissing:
        return False
    return True


async def why_taken(conn: Connection, order: Order, wanted: Sequence[Seat]) -> SlotTaken:
    """Return the refusal that says whose time the wanted seats of an order could not have."""
    taken = await seats.taken_people(conn, wanted)
    return SlotTaken(whose="mentor" if order.mentor_id in taken or not taken else "mentee")
