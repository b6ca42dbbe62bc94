"""Answers to a request and to a slot from the waitlist, and changes of mind."""

from __future__ import annotations

from datetime import datetime

from services.booking.commands.holds import confirm_free
from services.booking.commands.saving import save_order
from services.booking.domain.holds import MentorUnavailable, check_open_holds
from services.booking.domain.orders import Change, Order, OrderState
from services.booking.domain.requests import accept, decline
from services.booking.domain.terms import Terms
from services.booking.domain.waitlist import accept_offer
from services.booking.store import offerings, orders, people
from shared.contracts.common import Party
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OrderId, PersonId


async def accept_request(
    conn: Connection, order_id: OrderId, person_id: PersonId, *, terms: Terms, now: datetime
) -> Order:
    """Say yes: as the mentor to a request, as the mentee to a slot from the waitlist.

    The mentee may pay now, or it is settled when it costs nothing. Raises `NotFound`,
    `NotYourPart`, `NotRequested`, `MentorUnavailable` or `TooManyHolds`.
    """
    seen = await orders.read_order(conn, order_id)
    if seen and seen.mentee_id == person_id:
        # Before the order, as whoever makes a hold does.
        await people.take_turn(conn, person_id)
    order, by = await _own(conn, order_id, person_id)
    offered = order.state is OrderState.OFFERED
    answer = _take_offer if offered else _grant
    changed = await answer(conn, order, by, terms, now)
    if not await people.is_approved(conn, order.mentor_id):
        raise MentorUnavailable
    return await confirm_free(conn, await save_order(conn, changed, now=now), now)


async def decline_request(
    conn: Connection, order_id: OrderId, person_id: PersonId, reason: str | None, *, now: datetime
) -> Order:
    """Say no, withdraw a request, or pass on a slot; raises `NotFound` or `NotRequested`."""
    order, by = await _own(conn, order_id, person_id)
    return await save_order(conn, decline(order, by, reason, now=now), now=now)


async def _grant(_conn: Connection, order: Order, by: Party, terms: Terms, now: datetime) -> Change:
    return accept(order, by, now=now, terms=terms)


async def _take_offer(
    conn: Connection, order: Order, by: Party, terms: Terms, now: datetime
) -> Change:
    offering = await offerings.read_offering(conn, order.offering_id)
    by_request = offering is not None and offering.content.by_request
    accepted = accept_offer(order, by, by_request=by_request, now=now, terms=terms)
    free = order.price_minor == 0
    unpaid, _ = await orders.count_unpaid(conn, order.mentee_id, now, free=free)
    check_open_holds(unpaid, terms)
    return accepted


async def _own(conn: Connection, order_id: OrderId, person_id: PersonId) -> tuple[Order, Party]:
    order = await orders.lock_order(conn, order_id)
    by = order.party(person_id) if order else None
    if order is None or by is None:
        raise NotFound
    return order, by
