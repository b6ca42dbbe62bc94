"""Plans are offered and subscribed to; every month that is paid is a purchase of credits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments.commands import credits as prepaid
from services.payments.commands import fees
from services.payments.commands.offered import need_offered
from services.payments.commands.orders import need_order, record_payment
from services.payments.commands.plans import announcer, plan
from services.payments.domain import credits as credit_rules
from services.payments.domain import subscription_steps as steps
from services.payments.domain import subscriptions as rules
from services.payments.domain.credits import OwnSessions
from services.payments.domain.offered import NotForSale, check_settled
from services.payments.domain.orders import Terms
from services.payments.domain.seen import PaymentSeen
from services.payments.domain.subscription_calls import (
    InvoiceSeen,
    LookAtSubscription,
    OpenSubscription,
    SubscriptionRequest,
    SubscriptionSeen,
)
from services.payments.domain.subscriptions import MentoringPlan, Subscription, Wish
from services.payments.domain.worth import check_worth
from services.payments.store import credits as credits_store
from services.payments.store import orders as order_store
from services.payments.store import subscriptions as store
from services.payments.store.subscriptions import Invoice
from shared.contracts.payments import PlanPaymentFailed, PlanRenewed
from shared.db import Connection
from shared.errors import Missing, NotFound
from shared.ids import new_id

FINAL = frozenset({"void", "uncollectible"})


async def offer_plan(
    conn: Connection, mentor_id: UUID, offering_id: UUID, *, sessions: int, unit_minor: int
) -> MentoringPlan:
    """Offer a plan for one's own offering; raises what `offer` of the rules raises."""
    offered = await need_offered(conn, offering_id)
    if offered.mentor_id != mentor_id:
        raise NotFound
    made = rules.offer(new_id(), offered, sessions, unit_minor)
    await store.add_plan(conn, made)
    return made


async def withdraw_plan(conn: Connection, mentor_id: UUID, plan_id: UUID) -> None:
    """Offer a plan no more; subscriptions to it go on. Raises `NotFound`."""
    found = await need_plan(conn, plan_id)
    if found.mentor_id != mentor_id:
        raise NotFound
    await store.withdraw_plan(conn, plan_id)


async def need_plan(conn: Connection, plan_id: UUID) -> MentoringPlan:
    """Return a plan; raises `NotFound`."""
    found = await store.load_plan(conn, plan_id)
    if found is None:
        raise NotFound
    return found


async def subscribe(
    conn: Connection, plan_id: UUID, mentee_id: UUID, terms: Terms, now: datetime
) -> Subscription:
    """Begin to subscribe, or go on with the page that is open for the same plan.

    Raises `NotFound`, `NotForSale`, `CurrencyNotSettled`, `DearerThanAlone`, `OwnSessions` or
    `AlreadySubscribed`.
    """
    wanted = await need_plan(conn, plan_id)
    offered = await need_offered(conn, wanted.offering_id)
    if not wanted.offered:
        raise NotForSale
    check_settled(wanted.unit, terms.settlement_currencies)
    offered.check_for_sale()
    check_worth(wanted.unit, offered.price)
    if mentee_id == wanted.mentor_id:
        raise OwnSessions
    begun = rules.begin(new_id(), wanted, mentee_id, terms, now)
    if await store.add_subscription(conn, begun):
        await plan(conn, rules.page_for(begun, wanted, offered.title, terms), now)
        return begun
    known = await store.live_between(conn, mentee_id, wanted.mentor_id)
    if known is None or known.plan_id != plan_id or known.state in rules.LIVE:
        raise rules.AlreadySubscribed(subscription_id=str(known.subscription_id) if known else None)
    return known


async def wish(
    conn: Connection, subscription_id: UUID, wanted: Wish, now: datetime
) -> Subscription:
    """Note what one side wants; a worker asks Stripe for it. Raises what the rules raise."""
    subscription = rules.wish(await _need(conn, subscription_id), wanted, now)
    await store.save_subscription(conn, subscription)
    return subscription


async def change_plan(
    conn: Connection, subscription_id: UUID, plan_id: UUID, by: rules.Side, now: datetime
) -> Subscription:
    """Have another plan from the next month on.

    Raises what `check_change` raises, `RenewalUnderWay`, or what `wish` of the rules raises.
    """
    subscription = await _need(conn, subscription_id)
    await check_change(conn, subscription, plan_id)
    drafted = await store.has_draft(conn, subscription_id)
    rules.check_quiet(subscription, now, drafted=drafted)
    return await wish(conn, subscription_id, Wish(plan_id=plan_id, by=by), now)


async def check_change(conn: Connection, subscription: Subscription, plan_id: UUID) -> None:
    """Raise `PlanElsewhere` or `DearerThanAlone` unless another plan can follow."""
    old = await need_plan(conn, subscription.plan_id)
    new = rules.check_change(old, await store.load_plan(conn, plan_id))
    offered = await need_offered(conn, new.offering_id)
    if not offered.bookable:
        raise rules.PlanElsewhere
    check_worth(new.unit, offered.price)


async def end_now(
    conn: Connection, subscription_id: UUID, shown_minor: int, by: rules.Side, now: datetime
) -> Subscription:
    """End a plan at once, on the amount that was shown to go back; raises `UnusedChanged`."""
    await _need(conn, subscription_id)
    back = sum(each.worth.minor for each in await store.unused_of(conn, subscription_id, now))
    if back != shown_minor:
        raise rules.UnusedChanged(amount_minor=back)
    return await wish(conn, subscription_id, Wish(end_now=True, by=by), now)


async def ask_next(conn: Connection, now: datetime) -> bool:
    """Plan what is to be asked of Stripe about the subscription that is due; return whether one.

    While such a call is on its way nothing new is planned: its answer says what is left to do.
    """
    subscription_id = await store.next_to_look_at(conn, now)
    if subscription_id is None:
        return False
    subscription, quiet = await _rest(conn, await _need(conn, subscription_id), now)
    since = await store.read_from(conn, subscription_id)
    next_plan = await need_plan(conn, subscription.next_plan_id)
    request = steps.next_call(subscription, since, next_plan, quiet=quiet)
    if request is not None:
        await plan(conn, request, now)
    look_at = steps.look_again_at(request, now)
    await store.save_subscription(conn, replace(subscription, look_at=look_at))
    return True


async def look_for(conn: Connection, subscription_id: UUID) -> LookAtSubscription | None:
    """Return the look that a notice about a subscription makes necessary; none before its page.

    Raises `NotFound` when there is no such subscription.
    """
    subscription = await store.load_subscription(conn, subscription_id)
    if subscription is None:
        raise NotFound
    return steps.look(subscription, await store.read_from(conn, subscription_id))


async def look_now(conn: Connection, subscription_id: UUID, now: datetime) -> Subscription:
    """Plan to look at a subscription at once, as the return page asks."""
    subscription = await _need(conn, subscription_id)
    request = await look_for(conn, subscription_id)
    if request is not None:
        await plan(conn, request, now)
    return subscription


async def follow(
    conn: Connection,
    request: SubscriptionRequest,
    seen: SubscriptionSeen,
    now: datetime,
    *,
    sent_at: datetime,
) -> None:
    """Take over what Stripe shows of a subscription: its months first, then where it stands.

    Several calls answer side by side; one that may show something older is made anew.
    """
    subscription, _ = await _rest(conn, await _need(conn, request.subscription_id), now)
    if steps.is_outdated(subscription, sent_at):
        await store.save_subscription(conn, replace(subscription, look_at=now))
        return
    ends_now = subscription.wish.end_now
    if seen.subscribed is not None:
        for invoice in reversed(seen.subscribed.invoices):
            subscription = await _follow_invoice(conn, subscription, seen, invoice, now)
    subscription, facts = steps.follow(subscription, request, seen, now)
    await store.save_subscription(conn, subscription)
    await announcer.announce(conn, *facts, at=now)
    if ends_now and subscription.state == "ended":
        await _give_back(conn, subscription, now)


async def refuse(conn: Connection, request: SubscriptionRequest, code: str, now: datetime) -> None:
    """Note that Stripe said no: nobody can subscribe there, or a wish came too late."""
    subscription = await _need(conn, request.subscription_id)
    if isinstance(request, OpenSubscription):
        subscription = steps.refuse_page(subscription)
    else:
        subscription = steps.refuse_wish(subscription, request, code, now)
    await store.save_subscription(conn, subscription)


async def _follow_invoice(
    conn: Connection,
    subscription: Subscription,
    seen: SubscriptionSeen,
    invoice: InvoiceSeen,
    now: datetime,
) -> Subscription:
    """Take over an invoice: a paid one is bought once, a failed attempt is told once."""
    known = await store.load_invoice(conn, invoice.invoice_id)
    order_id = known.order_id if known else None
    told = subscription
    if invoice.status == "paid" and invoice.payment is not None:
        new = order_id is None
        order_id = order_id or await _buy(conn, subscription, seen, invoice, now)
        await _record(conn, order_id, invoice.payment, now)
        if new and subscription.stripe_subscription_id is not None:
            told = await _tell_renewed(conn, subscription, seen, invoice, order_id, now)
    elif steps.is_unpaid(invoice) and invoice.attempts > (known.attempts if known else 0):
        told = await _tell_failed(conn, subscription, invoice, now)
    paid = order_id is not None
    fee_known = invoice.payment is not None and invoice.payment.fee_minor is not None
    row = Invoice(
        invoice.invoice_id,
        subscription.subscription_id,
        order_id,
        "paid" if paid else _unpaid_state(invoice),
        invoice.attempts,
        fee_known if paid else invoice.status in FINAL,
        invoice.created_at,
    )
    await store.save_invoice(conn, row)
    return told


def _unpaid_state(invoice: InvoiceSeen) -> str:
    """Return the state of an invoice of which no payment is known yet."""
    return "open" if invoice.status == "paid" else invoice.status


async def _buy(
    conn: Connection,
    subscription: Subscription,
    seen: SubscriptionSeen,
    invoice: InvoiceSeen,
    now: datetime,
) -> UUID:
    """Begin the purchase of a month that was paid, and have its charge carry its name."""
    bought = await need_plan(conn, invoice.plan_id)
    offered = await need_offered(conn, bought.offering_id)
    lot = rules.lot_of(subscription, bought, offered, (new_id(), new_id()))
    order = credit_rules.purchase_of(lot, subscription.purchase_terms, now)
    order = await fees.freeze(conn, order)
    await order_store.add_order(conn, order)
    await credits_store.add_lot(conn, lot)
    await plan(conn, steps.name_charge(subscription, seen, invoice, order.order_id), now)
    return order.order_id


async def _record(conn: Connection, order_id: UUID, payment: PaymentSeen, now: datetime) -> None:
    """Post a month's payment; the subscription is looked at until the fee is known, not the order.

    Raises `PaymentMismatch`.
    """
    await record_payment(conn, await need_order(conn, order_id), payment, now)
    paid = await need_order(conn, order_id)
    await order_store.save_order(conn, replace(paid, look_at=None))


async def _tell_renewed(
    conn: Connection,
    subscription: Subscription,
    seen: SubscriptionSeen,
    invoice: InvoiceSeen,
    order_id: UUID,
    now: datetime,
) -> Subscription:
    bought = await need_plan(conn, invoice.plan_id)
    told = replace(subscription, version=subscription.version + 1)
    assert seen.subscribed is not None  # noqa: S101  An invoice is a subscription's.
    fact = PlanRenewed(
        **steps.about_of(told, told.version),
        order_id=order_id,
        sessions=bought.sessions,
        amount_minor=bought.price.minor,
        currency=bought.price.currency,
        period_end=seen.subscribed.period_end,
    )
    await announcer.announce(conn, fact, at=now)
    return told


async def _tell_failed(
    conn: Connection, subscription: Subscription, invoice: InvoiceSeen, now: datetime
) -> Subscription:
    told = replace(subscription, version=subscription.version + 1)
    fact = PlanPaymentFailed(
        **steps.about_of(told, told.version),
        attempt=invoice.attempts,
        next_attempt_at=invoice.next_attempt_at,
    )
    await announcer.announce(conn, fact, at=now)
    return told


async def _give_back(conn: Connection, subscription: Subscription, now: datetime) -> None:
    """Give back as money what is not booked of every month: a session is worth what it cost.

    A month that a bank disputes is the bank's to decide, also one that it took just now. What
    somebody is booking at this moment is booked: each month is locked before it is looked at.
    """
    months = [
        each.order_id for each in await store.unused_of(conn, subscription.subscription_id, now)
    ]
    for order_id in months:
        await need_order(conn, order_id)  # All purchases before the first lot.
    for order_id in months:
        with suppress(credit_rules.NothingUnused):
            await prepaid.refund_rest(conn, order_id, now)


async def _rest(
    conn: Connection, subscription: Subscription, now: datetime
) -> tuple[Subscription, bool]:
    """Have a plan rest if what it will bring cannot be booked, and go on if it can.

    Returns as well whether a renewal is near: it brings the plan that is, another one waits.
    """
    drafted = await store.has_draft(conn, subscription.subscription_id)
    quiet = rules.is_quiet(subscription, now, drafted=drafted)
    brings = await need_plan(conn, subscription.plan_id if quiet else subscription.next_plan_id)
    offered = await need_offered(conn, brings.offering_id)
    return rules.rest(subscription, bookable=offered.bookable), quiet


async def _need(conn: Connection, subscription_id: UUID) -> Subscription:
    subscription = await store.lock_subscription(conn, subscription_id)
    if subscription is None:
        raise Missing(f"subscription:{subscription_id}")
    return subscription
