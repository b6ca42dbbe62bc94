"""The mentor's answer to a request, and the mentee's change of mind."""

from __future__ import annotations

from datetime import datetime

from services.booking.commands.holds import confirm_free
from services.booking.commands.saving import save_order
from services.booking.domain.orders import Order
from services.booking.domain.requests import accept, decline
from services.booking.domain.terms import Terms
from services.booking.store import orders
from shared.contracts.common import Party
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OrderId, PersonId


async def accept_request(
    conn: Connection, order_id: OrderId, person_id: PersonId, *, terms: Terms, now: datetime
) -> Order:
    """Say yes as the mentor: the mentee may pay now, or it is settled when it costs nothing.

    Raises `NotFound`, `NotYourPart` or `NotRequested`.
    """
    order, by = await _own(conn, order_id, person_id)
    held = await save_order(conn, accept(order, by, now=now, terms=terms), now=now)
    return await confirm_free(conn, held, now)


async def decline_request(
    conn: Connection, order_id: OrderId, person_id: PersonId, reason: str | None, *, now: datetime
) -> Order:
    """Say no as the mentor, or withdraw as the mentee; raises `NotFound` or `NotRequested`."""
    order, by = await _own(conn, order_id, person_id)
    return await save_order(conn, decline(order, by, reason, now=now), now=now)


async def _own(conn: Connection, order_id: OrderId, person_id: PersonId) -> tuple[Order, Party]:
    order = await orders.lock_order(conn, order_id)
    by = order.party(person_id) if order else None
    if order is None or by is None:
        raise NotFound
    return order, by
