"""What booking decides about sessions, and what becomes of their parts of the money."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands import lots, promotions
from services.payments.commands.charges import charge_of
from services.payments.commands.orders import need_paid_order
from services.payments.commands.plans import plan
from services.payments.commands.recovery import need_earnings, take
from services.payments.domain import orders as rules
from services.payments.domain import outcomes
from services.payments.domain.orders import ENDED, Decision, Order, Session
from services.payments.domain.outcomes import Refund, RefundReason
from services.payments.domain.requests import CreateRefund
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
from shared.ids import new_id
from shared.money import WHOLE_BASIS_POINTS, Money


async def confirm_order(conn: Connection, order_id: UUID) -> None:
    """Note that booking confirmed the purchase."""
    await _decide(conn, order_id, "confirmed")


async def refund_lost(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Give everything back: nothing of it can take place."""
    order = await _decide(conn, order_id, "lost")
    await lots.lock_before_return(conn, order, now)
    for session in order.sessions:
        order = await give_back(conn, order, session, WHOLE_BASIS_POINTS, "booking_lost", now)
    await promotions.give_back(conn, order, now)


async def refund_cancelled(
    conn: Connection, cancelled: BookingCancelled, ended_at: datetime, now: datetime
) -> None:
    """Give a fraction back, and amends if it was not the mentee; the rest is released later."""
    reason: RefundReason = "operator" if cancelled.by == "operator" else "cancelled"
    order = await _decide(conn, cancelled.order_id, "cancelled", cancelled.session_id)
    session = order.session(cancelled.session_id)
    back = cancelled.refund_basis_points
    order = await give_back(conn, order, session, back, reason, now)
    if cancelled.by != "mentee":
        credit = cancelled.credit_basis_points
        await promotions.grant_amends(conn, order, session, credit, back, now)
    await _release_from(conn, session, ended_at + order.release_delay)


async def refund_missed(conn: Connection, missed: SessionMissed, now: datetime) -> None:
    """Give a fraction back, and amends if the mentor missed it; the rest is released later."""
    order = await _decide(conn, missed.order_id, "no_show", missed.session_id)
    session = order.session(missed.session_id)
    back = missed.refund_basis_points
    order = await give_back(conn, order, session, back, "cancelled", now)
    if missed.missed_by == "mentor":
        credit = missed.credit_basis_points
        await promotions.grant_amends(conn, order, session, credit, back, now)
    await _release_from(conn, session, missed.missed_at + order.release_delay)


async def complete_session(conn: Connection, completed: SessionCompleted, now: datetime) -> None:
    """Begin the release delay: the session took place."""
    order = await _decide(conn, completed.order_id, "completed", completed.session_id)
    session = order.session(completed.session_id)
    await lots.thank_sponsor(conn, order, session, now)
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
    await give_back(conn, order, session, settled.refund_basis_points, "operator", now)
    if session.decision in ENDED:
        await _release_from(conn, session, settled.settled_at)


async def plan_refund(
    conn: Connection,
    order: Order,
    session: Session,
    amount: Money,
    reason: RefundReason,
    now: datetime,
) -> Order:
    """Plan to give an amount of a session's part back; the order is locked.

    Where a credit paid all of it, and all of it goes back, the credit does. Of what a promotion
    code took off the same fraction goes back to the platform.
    """
    if session.lot_id is not None and amount == session.price:
        return await return_credit(conn, order, session, reason, now)
    by_card = outcomes.by_card_of(session, await need_earnings(conn, session), amount)
    refund = Refund(
        new_id(),
        order.order_id,
        session.session_id,
        by_card,
        reason,
        "planned" if by_card.minor else "settled",
        None,
        now,
        discount_minor=(amount - by_card).minor,
    )
    await store.add_refund(conn, refund)
    cause = f"refund_planned:{refund.refund_id}"
    part = order.part(session.session_id)
    back = (
        ledger.refunds.on_its_way(part, by_card),
        ledger.refunds.undiscounted(part, amount - by_card),
    )
    order = await take(conn, order, session, amount, cause, *back, because="refund", now=now)
    if by_card.minor:
        await plan_call_for(conn, order, refund, now)
    return order


async def plan_call_for(conn: Connection, order: Order, refund: Refund, now: datetime) -> None:
    """Plan the call that asks Stripe for this attempt at a refund."""
    session = order.named(refund.session_id)
    charge = await charge_of(conn, order, session)
    request = CreateRefund(
        refund_id=refund.refund_id,
        order_id=order.order_id,
        payment_intent_id=charge.payment_intent_id,
        amount_minor=refund.amount.minor,
        attempt=refund.attempt,
    )
    await plan(conn, request, now)


async def return_credit(
    conn: Connection, order: Order, session: Session, reason: RefundReason, now: datetime
) -> Order:
    """Give the whole credit back that paid for a session; the order is locked."""
    lot = await lots.lot_of(conn, session)
    cause = f"credit_returned:{session.session_id}"
    back = ledger.prepaid.unused(lot.purchase_id, lot.account, session.price)
    amount = session.price
    order = await take(conn, order, session, amount, cause, back, because="refund", now=now)
    # Now that the debt is locked the lot may be, which a row that names it shares in locking.
    order = await lots.return_credit(conn, order, session, now)
    refund = Refund(
        new_id(), order.order_id, session.session_id, amount, reason, "settled", None, now,
        lot_id=lot.lot_id,
    )  # fmt: skip
    await store.add_refund(conn, refund)
    return order


async def _decide(
    conn: Connection, order_id: UUID, decision: Decision, session_id: UUID | None = None
) -> Order:
    order = await need_paid_order(conn, order_id)
    decided = rules.decide(order, decision, session_id)
    await order_store.save_sessions(conn, decided)
    return decided


async def give_back(
    conn: Connection,
    order: Order,
    session: Session,
    basis_points: int,
    reason: RefundReason,
    now: datetime,
) -> Order:
    """Give so much back of a session's part in all; what has gone before counts.

    The order is locked.
    """
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is None:  # Of what cost nothing.
        return order
    more = outcomes.gone_after(session, basis_points, earnings.gone) - earnings.gone
    if not more.minor:
        return order
    return await plan_refund(conn, order, session, more, reason, now)


async def _release_from(conn: Connection, session: Session, due_at: datetime) -> None:
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is not None:
        planned = outcomes.release_from(earnings, due_at)
        await store.save_earnings(conn, planned)
