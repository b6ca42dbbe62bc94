"""What booking decides about sessions, and what becomes of their parts of the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands.charges import charge_of
from services.payments.commands.orders import need_order
from services.payments.commands.plans import plan
from services.payments.domain import orders as rules
from services.payments.domain import outcomes
from services.payments.domain.orders import ENDED, Decision, Order, Session
from services.payments.domain.outcomes import Earnings, Refund, RefundReason
from services.payments.domain.requests import CreateRefund
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as store
from shared.contracts.booking import (
    BookingCancelled,
    ObjectionRaised,
    ObjectionSettled,
    SessionCompleted,
    SessionMissed,
)
from shared.db import Connection
from shared.errors import Missing
from shared.ids import new_id
from shared.log import logger
from shared.money import WHOLE_BASIS_POINTS, Money

_log = logger("decisions")


async def need_paid_order(conn: Connection, order_id: UUID) -> Order:
    """Return a paid order, locked; raises `Missing` when the payment is not recorded yet.

    What booking decides about money follows from a payment we told; should it overtake our record
    of the payment all the same, it waits for that: no decision may meet an order without money.
    """
    order = await need_order(conn, order_id)
    if order.state != "paid":
        raise Missing(f"payment:{order_id}")
    return order


async def confirm_order(conn: Connection, order_id: UUID) -> None:
    """Note that booking confirmed the purchase."""
    await _decide(conn, order_id, "confirmed")


async def refund_lost(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Give everything back: nothing of it can take place."""
    order = await _decide(conn, order_id, "lost")
    for session in order.sessions:
        await _give_back(conn, order, session, WHOLE_BASIS_POINTS, "booking_lost", now)


async def refund_cancelled(
    conn: Connection, cancelled: BookingCancelled, ended_at: datetime, now: datetime
) -> None:
    """Give a fraction back; what is retained is released after the delay."""
    reason: RefundReason = "operator" if cancelled.by == "operator" else "cancelled"
    order = await _decide(conn, cancelled.order_id, "cancelled", cancelled.session_id)
    session = order.session(cancelled.session_id)
    await _give_back(conn, order, session, cancelled.refund_basis_points, reason, now)
    await _release_from(conn, session, ended_at + order.release_delay)


async def refund_missed(conn: Connection, missed: SessionMissed, now: datetime) -> None:
    """Give a fraction back of what one side missed; the rest is released after the delay."""
    order = await _decide(conn, missed.order_id, "no_show", missed.session_id)
    session = order.session(missed.session_id)
    await _give_back(conn, order, session, missed.refund_basis_points, "cancelled", now)
    await _release_from(conn, session, missed.missed_at + order.release_delay)


async def complete_session(conn: Connection, completed: SessionCompleted) -> None:
    """Begin the release delay: the session took place."""
    order = await _decide(conn, completed.order_id, "completed", completed.session_id)
    session = order.session(completed.session_id)
    await _release_from(conn, session, completed.completed_at + order.release_delay)


async def hold_back(conn: Connection, raised: ObjectionRaised, at: datetime) -> None:
    """Stop the release of what is objected to, unless it is released already."""
    order = await need_paid_order(conn, raised.order_id)
    session = order.session(raised.session_id)
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is None:
        return
    session = outcomes.hold_back(session, earnings, at)
    await order_store.save_sessions(conn, rules.change(order, session))


async def settle_objection(conn: Connection, settled: ObjectionSettled, now: datetime) -> None:
    """Give back what an operator decided; the rest is released once the delay is over as well."""
    order = await need_paid_order(conn, settled.order_id)
    session = replace(order.session(settled.session_id), objected_at=None)
    await order_store.save_sessions(conn, rules.change(order, session))
    await _give_back(conn, order, session, settled.refund_basis_points, "operator", now)
    if session.decision in ENDED:
        await _release_from(conn, session, settled.settled_at)


async def plan_refund(
    conn: Connection,
    order: Order,
    session: Session,
    amount: Money,
    reason: RefundReason,
    now: datetime,
) -> None:
    """Plan to give an amount of a session's part back; the order is locked."""
    refund = Refund(
        new_id(), order.order_id, session.session_id, amount, reason, "planned", None, now
    )
    await store.add_refund(conn, refund)
    part = order.part(session.session_id)
    await books.post(conn, ledger.refunds.refund_planned(part, refund.refund_id, amount, now))
    await plan_call_for(conn, order, refund, now)


async def plan_call_for(conn: Connection, order: Order, refund: Refund, now: datetime) -> None:
    """Plan the call that asks Stripe for this attempt at a refund."""
    charge = await charge_of(conn, order, order.session(refund.session_id))
    request = CreateRefund(
        refund_id=refund.refund_id,
        order_id=order.order_id,
        payment_intent_id=charge.payment_intent_id,
        amount_minor=refund.amount.minor,
        attempt=refund.attempt,
    )
    await plan(conn, request, now)


async def _decide(
    conn: Connection, order_id: UUID, decision: Decision, session_id: UUID | None = None
) -> Order:
    order = await need_paid_order(conn, order_id)
    decided = rules.decide(order, decision, session_id)
    await order_store.save_sessions(conn, decided)
    return decided


async def _give_back(
    conn: Connection,
    order: Order,
    session: Session,
    basis_points: int,
    reason: RefundReason,
    now: datetime,
) -> None:
    """Give so much back of a session's part in all; what went back before counts.

    What was released before we heard of it is an operator's to settle, and stops nothing else.
    """
    earnings = await store.load_earnings(conn, session.session_id)
    refunded = outcomes.refunded_of(session, await store.refunds_of(conn, session.session_id))
    gone = outcomes.gone_after(session, basis_points, refunded)
    split = outcomes.divided(order, session, gone)
    more = split.mentee - refunded
    # Of what cost nothing there are no earnings.
    if earnings is None or not more.minor:
        return
    try:
        kept = outcomes.keep_part(earnings, split)
    except outcomes.AlreadyReleased:
        _log_too_late(earnings, more, reason)
        return
    await store.save_earnings(conn, kept)
    await plan_refund(conn, order, session, more, reason, now)


def _log_too_late(earnings: Earnings, more: Money, reason: RefundReason) -> None:
    """Name what has to reach the mentee in another way; `ops verify` names it as well."""
    _log.error(
        "refund_after_release",
        order_id=str(earnings.order_id),
        session_id=str(earnings.session_id),
        amount_minor=more.minor,
        currency=more.currency,
        reason=reason,
    )


async def _release_from(conn: Connection, session: Session, due_at: datetime) -> None:
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is not None:
        planned = outcomes.release_from(earnings, due_at)
        await store.save_earnings(conn, planned)
