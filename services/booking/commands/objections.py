"""Objections: one side raises one, an operator decides, the release ends the time for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.booking.commands.saving import save_order
from services.booking.domain import objections
from services.booking.domain.orders import NotYourPart, Order, Session
from services.booking.domain.terms import Terms
from services.booking.store import objections as store
from services.booking.store import orders
from shared.clock import BusinessInstant
from shared.db import Connection
from shared.deeds import DONE, Deed, record
from shared.errors import NotFound
from shared.ids import OrderId, PersonId, SessionId


@dataclass(frozen=True)
class Decision:
    """What an operator decides about an objection, and why."""

    refund_basis_points: int
    reason: str


async def raise_objection(
    conn: Connection,
    order_id: OrderId,
    session_id: SessionId | None,
    person_id: PersonId,
    reason: str,
    *,
    terms: Terms,
    now: datetime,
) -> Order:
    """Object to a session of one's own.

    Raises `NotFound`, `SessionUnnamed` and what `objections.raise_objection` raises.
    """
    order = await orders.lock_order(conn, order_id)
    by = order.party(person_id) if order else None
    if order is None or by is None:
        raise NotFound
    session = order.session(session_id)
    changed = objections.raise_objection(order, session, by, reason, now=now, terms=terms)
    return await save_order(conn, changed, now=now)


async def settle_objection(
    conn: Connection,
    order_id: OrderId,
    session_id: SessionId | None,
    operator_id: PersonId,
    decision: Decision,
    *,
    now: BusinessInstant,
) -> Order:
    """Decide an objection as an operator who takes no part in the session; the deed is logged.

    Raises `NotFound`, `NotYourPart`, `SessionUnnamed`, `NoObjection`, `RefundTooSmall` or
    `AlreadyReleased`.
    """
    order = await orders.lock_order(conn, order_id)
    if order is None:
        raise NotFound
    if order.party(operator_id):
        raise NotYourPart
    session = order.session(session_id)
    share, reason = decision.refund_basis_points, decision.reason
    changed = objections.settle_objection(order, session, share, reason, now=now)
    deed = Deed(str(operator_id), "settle_objection", str(order_id), reason, order_id)
    details = {"session_id": str(session.session_id), "refund_basis_points": share}
    await record(conn, deed, DONE, details, now)
    return await save_order(conn, changed, now=now)


async def open_objections(
    conn: Connection, after: SessionId | None, limit: int
) -> list[tuple[Order, Session]]:
    """Return a page of the sessions that somebody objects to, with their purchases."""
    found = await store.list_open(conn, after, limit)
    read = await orders.read_orders(conn, {order_id for order_id, _ in found})
    known = {order.order_id: order for order in read}
    return [(known[order_id], known[order_id].session(each)) for order_id, each in found]


async def note_release(
    conn: Connection, order_id: OrderId, session_id: SessionId | None, *, now: datetime
) -> Order | None:
    """Note that earnings were released, after which nobody objects; nothing for an unknown order.

    It is news of payments and no step of ours: the version stays.
    """
    order = await orders.lock_order(conn, order_id)
    if order:
        await store.note_release(conn, order_id, session_id, now)
    return order
