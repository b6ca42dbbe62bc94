"""How an order or an offering and the fact about it are kept together."""

from __future__ import annotations

from datetime import datetime

from services.booking.domain import offerings, orders
from services.booking.store import offerings as offering_store
from services.booking.store import orders as order_store
from services.booking.store import seats
from services.booking.store.openings import mark_openings
from shared.db import Connection
from shared.outbox import Announcer

announce = Announcer("booking").announce


async def save_order(conn: Connection, changed: orders.Change, *, now: datetime) -> orders.Order:
    """Keep a changed order whose row is locked, give back its time if it needs none, tell it."""
    order, fact = changed
    await order_store.update_order(conn, order)
    over = [session.session_id for session in order.sessions if not session.blocks_time]
    if over:
        await seats.free_seats(conn, over)
        await mark_openings(conn, order.mentor_id, order.mentee_id)
    await announce(conn, fact, at=now)
    return order


async def save_offering(
    conn: Connection, changed: offerings.Change, *, now: datetime
) -> offerings.Offering:
    """Keep a changed offering whose row is locked, and tell it when there is something to tell."""
    offering, fact = changed
    await offering_store.update_offering(conn, offering)
    await mark_openings(conn, offering.mentor_id)
    if fact:
        await announce(conn, fact, at=now)
    return offering
