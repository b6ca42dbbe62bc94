"""Earnings: released after the delay, transferred when the mentor's account can receive."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.payments import ledger
from services.payments.commands.charges import charge_of
from services.payments.commands.orders import need_order
from services.payments.commands.plans import TRANSFERS_BELL, announcer, plan
from services.payments.domain import outcomes
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Earnings
from services.payments.domain.requests import CreateTransfer, LookAtAccount
from services.payments.domain.seen import TransferSeen
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as store
from shared.db import Connection, ring


async def release_next_earnings(conn: Connection, now: datetime) -> bool:
    """Split what is due first between mentor and platform; return whether something was due."""
    found = await store.next_to_release(conn, now)
    if found is None:
        return False
    order_id, session_id = found
    order = await need_order(conn, order_id)
    earnings = await store.load_earnings(conn, session_id)
    if earnings is None or not outcomes.is_due(order.session(session_id), earnings, now):
        return True  # Somebody else released or put it off between our look and our lock.
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


async def send_next_transfer(conn: Connection, now: datetime) -> bool:
    """Plan the transfer of a released share to an account that can receive; return whether one."""
    found = await store.next_to_transfer(conn)
    if found is None:
        return False
    order_id, session_id, account_id = found
    order = await need_order(conn, order_id)
    earnings = await store.load_earnings(conn, session_id)
    if earnings is None or earnings.transfer_state != "waiting":
        return True
    charge = await charge_of(conn, order, order.session(session_id))
    await store.save_earnings(conn, replace(earnings, transfer_state="planned"))
    request = CreateTransfer(
        order_id=order_id,
        session_id=session_id if len(order.sessions) > 1 else None,
        mentor_id=earnings.mentor_id,
        account_id=account_id,
        charge_id=charge.charge_id,
        amount_minor=earnings.mentor.minor,
        currency=earnings.mentor.currency,
    )
    await plan(conn, request, now)
    return True


async def record_transfer(
    conn: Connection, request: CreateTransfer, seen: TransferSeen, now: datetime
) -> None:
    """Post a transfer and announce it, once."""
    order = await need_order(conn, request.order_id)
    part = order.part(order.session(request.session_id).session_id)
    earnings = await store.load_earnings(conn, part.session_id)
    if earnings is None or earnings.transfer_state == "sent":
        return
    order, moved, fact = outcomes.sent(order, earnings, seen.stripe_transfer_id, now)
    await order_store.save_order(conn, order)
    await store.save_earnings(conn, moved)
    entry = ledger.earnings.transfer(part, order.mentor_id, moved.mentor, now)
    await books.post(conn, entry.shown_by(seen.stripe_transfer_id))
    await announcer.announce(conn, fact, at=now)


async def refuse_transfer(
    conn: Connection, request: CreateTransfer, code: str, now: datetime
) -> None:
    """Keep a refused share as payable until the account changes, and look at the account."""
    order = await need_order(conn, request.order_id)
    session = order.session(request.session_id)
    await store.note_transfer_refusal(conn, session.session_id, code)
    look = LookAtAccount(mentor_id=request.mentor_id, account_id=request.account_id)
    await plan(conn, look, now)
