"""The life of a purchase: its page is opened, closed or paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands import fees, lots, promotions
from services.payments.commands.plans import announcer, plan
from services.payments.commands.webhooks import wake_notices
from services.payments.domain import orders as rules
from services.payments.domain import outcomes
from services.payments.domain.freezing import bear_fee
from services.payments.domain.orders import Order, Terms
from services.payments.domain.recovery import after
from services.payments.domain.requests import ExpireCheckout, LookAtCheckout
from services.payments.domain.seen import CheckoutSeen, PaymentSeen
from services.payments.ledger.entries import Paid
from services.payments.store import ledger as books
from services.payments.store import orders as store
from services.payments.store import outcomes as outcome_store
from shared.contracts.booking import BookingHeld
from shared.contracts.payments import PaymentSucceeded
from shared.db import Connection
from shared.errors import Missing, NotFound
from shared.inbox import arrived
from shared.money import Money


async def open_order(conn: Connection, held: BookingHeld, terms: Terms, now: datetime) -> None:
    """Begin a purchase; its page is prepared unless the hold is over or nothing is to be paid."""
    order = await fees.freeze(conn, rules.begin(held, terms, now))
    if now < order.hold_until:
        order = await lots.use_credits(conn, order, held, now)
    code = held.promotion_code
    order, discount = await promotions.use(conn, order, code, held.offering_id, now)
    await store.add_order(conn, order)
    if discount:
        await promotions.reserve(conn, order, discount, now)
    await arrived(conn, f"order:{order.order_id}")
    if rules.is_free(order):
        await store.save_order(conn, rules.settle_price(order, now))
    elif now >= order.hold_until:
        await close_order(conn, order, "hold_over", now)
    elif not order.to_pay.minor:
        await settle_without_card(conn, order, now)
    elif order.price.currency not in terms.settlement_currencies:
        await close_order(conn, order, "currency_not_settled", now)
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
    order = await lots.free_credits(conn, order, now)
    closed, fact = rules.page_closed(order, because)
    await store.save_order(conn, closed)
    await promotions.give_back(conn, order, now)
    if order.sessions:  # Of credits that nobody paid booking knows nothing.
        await announcer.announce(conn, fact, at=now)


async def follow_checkout(
    conn: Connection, order_id: UUID, seen: CheckoutSeen, now: datetime
) -> None:
    """Take over what Stripe shows of a page: open, closed, or complete with its payment."""
    order = await need_order(conn, order_id)
    if order.state == "being_prepared":
        order, fact = rules.page_opened(order, seen.checkout_id, seen.url, now)
        await store.save_order(conn, order)
        if order.sessions:
            await announcer.announce(conn, fact, at=now)
        await wake_notices(conn, str(order.order_id))
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
        await _take_in(conn, order, fact, payment.charge_id, now)
        await wake_notices(conn, payment.payment_intent_id)
    if order.stripe_fee_minor is None and payment.fee_minor is not None:
        fee = Money(payment.fee_minor, payment.fee_currency or order.price.currency)
        waited = order.borne_fee_minor is None
        order = bear_fee(order, fee)
        await store.save_order(conn, order)
        entry = ledger.purchases.stripe_fee(order.order_id, fee, now)
        await books.post(conn, entry.shown_by(payment.charge_id))
        if waited:
            await _divide_anew(conn, order)


async def settle_without_card(conn: Connection, order: Order, now: datetime) -> None:
    """Take a purchase as paid of which nothing is left for a card to pay; the order is locked."""
    order, fact = rules.settle_without_card(order, now)
    await _take_in(conn, order, fact, None, now)


async def _take_in(
    conn: Connection, order: Order, fact: PaymentSucceeded, charge_id: str | None, now: datetime
) -> None:
    """Post a price that was paid, whoever gave what of it, and tell."""
    await store.save_order(conn, order)
    if not order.sessions:
        await lots.fill_lots(conn, order, fact.paid_at, now)
        return
    paid = {
        order.part(each.session_id): Paid(each.to_pay, each.discount) for each in order.sessions
    }
    if order.price.minor:
        entry = ledger.purchases.payment(paid, fact.paid_at)
        await books.post(conn, entry.shown_by(charge_id))
        for session in order.sessions:
            await outcome_store.add_earnings(conn, outcomes.expect(order, session))
    await promotions.redeem(conn, order, now)
    await announcer.announce(conn, fact, at=now)
    await arrived(conn, f"payment:{order.order_id}")


async def _divide_anew(conn: Connection, order: Order) -> None:
    """Divide what is not released yet once more, now that the mentor's part of the fee is known."""
    for session in order.sessions:
        earnings = await outcome_store.load_earnings(conn, session.session_id)
        if earnings is not None and earnings.released_at is None:
            split = after(order, session, earnings.gone)
            state = "waiting" if split.mentor.minor else "nothing"
            anew = replace(
                earnings, mentor=split.mentor, platform=split.platform, transfer_state=state
            )
            await outcome_store.save_earnings(conn, anew)


async def end_hold(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Close the page of a hold that booking ended; paid money waits for booking's next word."""
    order = rules.decide(await need_order(conn, order_id), "expired")
    await store.save_sessions(conn, order)
    await store.save_order(conn, replace(order, close_at=now))


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
    pause = rules.FEE_LOOK_EVERY if order.state == "paid" else rules.look_again_after(order)
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
