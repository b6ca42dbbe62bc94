"""The life of a purchase: its page is opened, closed or paid, and booking decides what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands.plans import announcer, plan
from services.payments.domain import orders as rules
from services.payments.domain import outcomes
from services.payments.domain.orders import Decision, Order, Terms
from services.payments.domain.outcomes import Refund, RefundReason
from services.payments.domain.requests import CreateRefund, ExpireCheckout, LookAtCheckout
from services.payments.domain.seen import CheckoutSeen, PaymentSeen
from services.payments.store import ledger as books
from services.payments.store import orders as store
from services.payments.store import outcomes as outcome_store
from shared.contracts.booking import BookingCancelled, BookingHeld
from shared.db import Connection
from shared.errors import Missing, NotFound
from shared.ids import new_id
from shared.inbox import arrived
from shared.money import WHOLE_BASIS_POINTS, Money


async def open_order(conn: Connection, held: BookingHeld, terms: Terms, now: datetime) -> None:
    """Begin a purchase; its page is prepared unless the hold is over or nothing is to be paid."""
    order = rules.begin(held, terms, now)
    await store.add_order(conn, order)
    await arrived(conn, f"order:{order.order_id}")
    if now >= order.hold_until:
        await close_order(conn, order, "hold_over", now)
    elif order.price.minor == 0:
        await _settle_free(conn, order, now)
    else:
        await plan(conn, rules.checkout_for(order, terms), now)


async def need_order(conn: Connection, order_id: UUID) -> Order:
    """Return an order, locked; raises `Missing` when booking's first fact has not arrived."""
    order = await store.lock_order(conn, order_id)
    if order is None:
        raise Missing(f"order:{order_id}")
    return order


async def need_paid_order(conn: Connection, order_id: UUID) -> Order:
    """Return a paid order, locked; raises `Missing` when the payment is not recorded yet.

    What booking decides about money follows from a payment we told; should it overtake our record
    of the payment all the same, it waits for that: no decision may meet an order without money.
    """
    order = await need_order(conn, order_id)
    if order.state != "paid":
        raise Missing(f"payment:{order_id}")
    return order


async def close_order(conn: Connection, order: Order, because: str, now: datetime) -> None:
    """Note that no payment can come through the page; a paid or closed order stays as it is."""
    if order.state in ("paid", "closed"):
        return
    closed, fact = rules.page_closed(order, because)
    await store.save_order(conn, closed)
    await announcer.announce(conn, fact, at=now)


async def follow_checkout(
    conn: Connection, order_id: UUID, seen: CheckoutSeen, now: datetime
) -> None:
    """Take over what Stripe shows of a page: open, closed, or complete with its payment."""
    order = await need_order(conn, order_id)
    if order.state == "being_prepared":
        order, fact = rules.page_opened(order, seen.checkout_id, seen.url, now)
        await store.save_order(conn, order)
        await announcer.announce(conn, fact, at=now)
    if seen.payment is not None:
        await record_payment(conn, order, seen.payment, now)
    elif seen.status == "expired":
        await close_order(conn, order, "expired", now)


async def record_payment(
    conn: Connection, order: Order, payment: PaymentSeen, now: datetime
) -> None:
    """Post a payment and announce it, once, whoever brings the news; its fee when it is known.

    The order is locked. Raises `PaymentMismatch`.
    """
    if order.state != "paid":
        order, fact = rules.pay(order, payment, now)
        await store.save_order(conn, order)
        await books.post(conn, ledger.payment(order.order_id, order.price, payment.paid_at))
        await outcome_store.add_earnings(conn, outcomes.expect(order))
        await announcer.announce(conn, fact, at=now)
        await arrived(conn, f"payment:{order.order_id}")
    if order.stripe_fee_minor is None and payment.fee_minor is not None:
        fee = Money(payment.fee_minor, payment.fee_currency or order.price.currency)
        await store.save_order(conn, replace(order, stripe_fee_minor=fee.minor, look_at=None))
        await books.post(conn, ledger.stripe_fee(order.order_id, fee, now))


async def end_hold(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Close the page of a hold that booking ended; paid money waits for booking's next word."""
    order = await need_order(conn, order_id)
    await store.save_order(conn, replace(order, decision="expired", close_at=now))


async def confirm_order(conn: Connection, order_id: UUID) -> None:
    """Note that booking confirmed the session."""
    await _decide(conn, await need_paid_order(conn, order_id), "confirmed")


async def refund_lost(conn: Connection, order_id: UUID, ended_at: datetime, now: datetime) -> None:
    """Give everything back: the session cannot take place."""
    order = await need_paid_order(conn, order_id)
    lost = replace(order, decision="lost")
    await _take_back(conn, lost, WHOLE_BASIS_POINTS, "booking_lost", ended_at, now)


async def refund_cancelled(
    conn: Connection, cancelled: BookingCancelled, ended_at: datetime, now: datetime
) -> None:
    """Give a fraction back; what is retained is released after the delay."""
    order = await need_paid_order(conn, cancelled.order_id)
    reason: RefundReason = "operator" if cancelled.by == "operator" else "cancelled"
    decided = replace(order, decision="cancelled")
    await _take_back(conn, decided, cancelled.refund_basis_points, reason, ended_at, now)


async def complete_order(conn: Connection, order_id: UUID, completed_at: datetime) -> None:
    """Begin the release delay: the session took place."""
    order = await _decide(conn, await need_paid_order(conn, order_id), "completed")
    earnings = await outcome_store.load_earnings(conn, order_id)
    if earnings is not None and earnings.due_at is None:
        due = completed_at + order.release_delay
        await outcome_store.save_earnings(conn, replace(earnings, due_at=due))


async def close_next_checkout(conn: Connection, now: datetime) -> bool:
    """Plan to close the page whose hold ended first; return whether there was one."""
    order_id = await store.next_to_close(conn, now)
    order = await store.lock_order(conn, order_id) if order_id else None
    if order is None or order.checkout_id is None:
        return False
    await store.save_order(conn, replace(order, state="closing"))
    closing = ExpireCheckout(order_id=order.order_id, checkout_id=order.checkout_id)
    await plan(conn, closing, now)
    return True


async def look_at_next_checkout(conn: Connection, now: datetime) -> bool:
    """Plan to look at the page that was not heard of for longest; return whether there was one."""
    order_id = await store.next_to_look_at(conn, now)
    order = await store.lock_order(conn, order_id) if order_id else None
    if order is None or order.checkout_id is None:
        return False
    pause = rules.FEE_LOOK_EVERY if order.state == "paid" else rules.LOOK_EVERY
    await store.save_order(conn, replace(order, look_at=now + pause))
    await plan(conn, LookAtCheckout(order_id=order.order_id, checkout_id=order.checkout_id), now)
    return True


async def look_now(conn: Connection, order_id: UUID, now: datetime) -> Order:
    """Plan to look at a page at once, as the return page asks; raises `NotFound`."""
    order = await store.lock_order(conn, order_id)
    if order is None:
        raise NotFound
    if order.checkout_id is not None and order.state in ("open", "closing"):
        await plan(conn, LookAtCheckout(order_id=order_id, checkout_id=order.checkout_id), now)
    return order


async def _settle_free(conn: Connection, order: Order, now: datetime) -> None:
    paid, fact = rules.settle_price(order, now)
    await store.save_order(conn, paid)
    await announcer.announce(conn, fact, at=now)


async def _decide(conn: Connection, order: Order, decision: Decision) -> Order:
    decided = replace(order, decision=decision)
    await store.save_order(conn, decided)
    return decided


async def _take_back(
    conn: Connection,
    order: Order,
    basis_points: int,
    reason: RefundReason,
    ended_at: datetime,
    now: datetime,
) -> None:
    await store.save_order(conn, order)
    earnings = await outcome_store.load_earnings(conn, order.order_id)
    if earnings is None:
        return
    kept = outcomes.keep_part(order, earnings, basis_points, ended_at)
    await outcome_store.save_earnings(conn, kept)
    await plan_refund(conn, order, basis_points, reason, now)


async def plan_refund(
    conn: Connection, order: Order, basis_points: int, reason: RefundReason, now: datetime
) -> None:
    """Plan to give a fraction of the price back, unless that comes to nothing; it is locked."""
    refund = outcomes.give_back(order, new_id(), basis_points, reason, now)
    if refund is None or order.payment_intent_id is None:
        return
    await outcome_store.add_refund(conn, refund)
    entry = ledger.refund_planned(order.order_id, refund.refund_id, refund.amount, now)
    await books.post(conn, entry)
    await plan_call_for(conn, order, refund, now)


async def plan_call_for(conn: Connection, order: Order, refund: Refund, now: datetime) -> None:
    """Plan the call that asks Stripe for this attempt at a refund."""
    assert order.payment_intent_id is not None  # noqa: S101  There is something to give back.
    request = CreateRefund(
        refund_id=refund.refund_id,
        order_id=order.order_id,
        payment_intent_id=order.payment_intent_id,
        amount_minor=refund.amount.minor,
        attempt=refund.attempt,
    )
    await plan(conn, request, now)
