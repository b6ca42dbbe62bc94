"""A session that one of the two did not come to, and the record that shows it."""

from __future__ import annotations

from datetime import datetime

from services.booking.commands.orders import side_of
from services.booking.commands.saving import save_order
from services.booking.domain.absence import Visit, report_absence
from services.booking.domain.orders import Order, Session
from services.booking.domain.terms import Terms
from services.booking.store import attendance, orders
from shared.auth import Principal
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OrderId, PersonId, SessionId


async def report(
    conn: Connection,
    order_id: OrderId,
    session_id: SessionId | None,
    person_id: PersonId,
    *,
    terms: Terms,
    now: datetime,
) -> Order:
    """Take one side's word, and the record's, that the other side did not come.

    Raises `NotFound`, `SessionUnnamed` and what `report_absence` raises.
    """
    order = await orders.lock_order(conn, order_id)
    by = order.party(person_id) if order else None
    if order is None or by is None:
        raise NotFound
    session = order.session(session_id)
    visits = await attendance.read_visits(conn, order, session.session_id)
    changed = report_absence(order, session, by, visits, now=now, terms=terms)
    return await save_order(conn, changed, now=now)


async def read_record(
    conn: Connection, session_id: SessionId, who: Principal
) -> tuple[Session, list[Visit]]:
    """Return a session with who was in its room; raises `NotFound` for those it is not about."""
    order = await orders.order_of_session(conn, session_id)
    if order is None:
        raise NotFound
    side_of(order, who)
    return order.session(session_id), await attendance.read_visits(conn, order, session_id)
