"""Earnings: released after the delay, and then waiting for their transfer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.payments import ledger
from services.payments.commands.orders import need_order
from services.payments.commands.plans import TRANSFERS_BELL, announcer
from services.payments.domain import outcomes
from services.payments.domain.orders import FEE_LOOK_EVERY, Order
from services.payments.domain.outcomes import Earnings
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as store
from shared.db import Connection, ring


async def release_next_earnings(conn: Connection, now: datetime) -> bool:
    """Split what is due first between mentor and platform; return whether something was due.

    Where the mentor bears Stripe's fee, that has to be known first.
    """
    found = await store.next_to_release(conn, now)
    if found is None:
        return False
    order_id, session_id = found
    order = await need_order(conn, order_id)
    earnings = await store.load_earnings(conn, session_id)
    if earnings is None or not outcomes.is_due(order.session(session_id), earnings, now):
        return True  # Somebody else released or put it off between our look and our lock.
    if order.awaits_fee:
        later = replace(earnings, due_at=now + FEE_LOOK_EVERY)
        await store.save_earnings(conn, later)
        return True
    await release_earnings(conn, order, earnings, now)
    return True


async def release_earnings(
    conn: Connection, order: Order, earnings: Earnings, now: datetime
) -> None:
    """Split what a session earned between mentor and platform; the order is locked."""
    order, released, fact = outcomes.release(order, earnings, now)
    await order_store.save_order(conn, order)
    await store.save_earnings(conn, released)
    part = order.part(earnings.session_id)
    entry = ledger.earnings.release(part, order.mentor_id, released.mentor, released.platform, now)
    await books.post(conn, entry)
    await announcer.announce(conn, fact, at=now)
    await ring(conn, TRANSFERS_BELL)
