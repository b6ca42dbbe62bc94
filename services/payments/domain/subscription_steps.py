"""What to ask of Stripe about a subscription, and what follows from what it shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.payments.domain.operations import TOO_LATE
from services.payments.domain.subscription_calls import (
    CancelSubscription,
    InvoiceSeen,
    LookAtSubscription,
    NameCharge,
    PlanPrice,
    SubscribedSeen,
    SubscriptionRequest,
    SubscriptionSeen,
    UpdateSubscription,
)
from services.payments.domain.subscriptions import (
    LIVE,
    LOOK_EVERY,
    QUIET_BEFORE,
    RENEWED_AFTER,
    SETTLE_EVERY,
    Because,
    MentoringPlan,
    State,
    Subscription,
    Wish,
    is_quiet,
)
from shared.contracts.payments import (
    PlanContinued,
    PlanEnded,
    PlanEndScheduled,
    PlanFact,
    PlanPaused,
    PlanRested,
    PlanResumed,
    PlanStarted,
)


def look(subscription: Subscription, since: datetime | None) -> LookAtSubscription | None:
    """Return the call that reads a subscription; none before it has a page."""
    if subscription.checkout_id is None:
        return None
    return LookAtSubscription(
        subscription_id=subscription.subscription_id,
        checkout_id=subscription.checkout_id,
        stripe_subscription_id=subscription.stripe_subscription_id,
        since=since,
    )


def name_charge(
    subscription: Subscription, seen: SubscriptionSeen, invoice: InvoiceSeen, order_id: UUID
) -> NameCharge:
    """Return the call that writes a purchase on the charge of the invoice that paid it."""
    assert invoice.payment is not None  # noqa: S101  It was paid.
    assert seen.subscribed is not None  # noqa: S101  An invoice is a subscription's.
    return NameCharge(
        subscription_id=subscription.subscription_id,
        checkout_id=seen.checkout_id,
        stripe_subscription_id=seen.subscribed.stripe_subscription_id,
        since=invoice.created_at,
        order_id=order_id,
        charge_id=invoice.payment.charge_id,
    )


def next_call(
    subscription: Subscription, since: datetime | None, next_plan: MentoringPlan, *, quiet: bool
) -> LookAtSubscription | None:
    """Return what to ask of Stripe now: a look, or that it be as wished; none without a page.

    While a renewal is near another plan waits; all other wishes do not.
    """
    read = look(subscription, since)
    if read is None or subscription.state not in LIVE or not subscription.wish.is_open:
        return read
    if subscription.wish.end_now:
        return CancelSubscription(**read.model_dump())
    if quiet and subscription.only_plan_waits:
        return read
    price = None if quiet else _price(subscription, next_plan)
    ends = subscription.period_end
    return UpdateSubscription(
        **read.model_dump(),
        paused=subscription.will_pause,
        ending=subscription.will_end,
        resting=subscription.will_rest,
        plan_id=subscription.plan_id if quiet else next_plan.plan_id,
        price=price,
        send_before=ends - QUIET_BEFORE if price and ends else None,
    )


def look_again_at(request: LookAtSubscription | None, now: datetime) -> datetime | None:
    """Return when to look again if the call that was just planned brings nothing new."""
    if isinstance(request, UpdateSubscription | CancelSubscription):
        return None  # Its answer, or its refusal, says when.
    return now + LOOK_EVERY


def _price(subscription: Subscription, plan: MentoringPlan) -> PlanPrice | None:
    if plan.plan_id == subscription.plan_id or not subscription.item_id:
        return None
    return PlanPrice(
        item_id=subscription.item_id,
        product_id=subscription.product_id or "",
        amount_minor=plan.price.minor,
        currency=plan.price.currency,
    )


def is_outdated(subscription: Subscription, sent_at: datetime) -> bool:
    """Return whether a call may have read what another answer changed before this one came."""
    return subscription.shown_at is not None and sent_at < subscription.shown_at


def follow(
    subscription: Subscription, request: SubscriptionRequest, seen: SubscriptionSeen, now: datetime
) -> tuple[Subscription, list[PlanFact]]:
    """Take over what Stripe shows, and say what of it is new.

    A wish is fulfilled when Stripe answered the call that carries it, and not when it looks so:
    an older call may be on its way.
    """
    if seen.subscribed is None:
        over = subscription.state not in ("being_prepared", "open")
        return subscription if over else _follow_page(subscription, seen, now), []
    if subscription.state == "ended":
        return subscription, []  # Nothing that ended goes on: an older look says otherwise.
    new = _taken_over(subscription, seen, seen.subscribed)
    left = _left(request, subscription)
    if subscription.stripe_subscription_id is None:
        # The first call has Stripe keep the card that pays an invoice.
        left = Wish(ending=False, resting=subscription.wish.resting)
    elif new.state == "ended":
        left = Wish()
    new = replace(new, wish=left)
    new = replace(new, look_at=_look_at(new, seen.subscribed.invoices, now))
    facts = _told(subscription, new, seen.subscribed)
    changed = replace(new, look_at=subscription.look_at) != subscription
    shown_at = now if changed else subscription.shown_at
    new = replace(new, version=subscription.version + len(facts), shown_at=shown_at)
    return new, facts


def _carries(request: SubscriptionRequest, subscription: Subscription) -> bool:
    if not isinstance(request, UpdateSubscription) or subscription.wish.end_now:
        return False
    said = (request.paused, request.ending, request.resting)
    wished = (subscription.will_pause, subscription.will_end, subscription.will_rest)
    return said == wished


def _left(request: SubscriptionRequest, subscription: Subscription) -> Wish:
    """Return what is wished beyond what a call carries: another plan may wait for a renewal."""
    wish = subscription.wish
    if not isinstance(request, UpdateSubscription) or not _carries(request, subscription):
        return wish
    if request.plan_id == subscription.next_plan_id:
        return Wish()
    return Wish(plan_id=wish.plan_id, by=wish.by)


def refuse_wish(
    subscription: Subscription, request: SubscriptionRequest, code: str, now: datetime
) -> Subscription:
    """Forget a wish that Stripe refused for good, and look why; a refused look changes nothing.

    What came too late was not refused by Stripe: it waits for the renewal.
    """
    if not isinstance(request, UpdateSubscription | CancelSubscription):
        return subscription
    if code == TOO_LATE:
        return replace(subscription, look_at=now)
    left = Wish() if isinstance(request, CancelSubscription) else _left(request, subscription)
    # That a plan rests is asked for again by the look, as long as it is so: not at once for ever.
    rests = subscription.will_rest != subscription.resting
    return replace(subscription, wish=left, look_at=now + LOOK_EVERY if rests else now)


def refuse_page(subscription: Subscription) -> Subscription:
    """Note that Stripe makes no page: nobody can subscribe there."""
    return replace(subscription, state="closed", look_at=None)


def _follow_page(subscription: Subscription, seen: SubscriptionSeen, now: datetime) -> Subscription:
    closed = seen.page == "expired"
    return replace(
        subscription,
        state="closed" if closed else "open",
        checkout_id=seen.checkout_id,
        checkout_url=None if closed else seen.url,
        look_at=None if closed else now + LOOK_EVERY,
    )


def _taken_over(
    subscription: Subscription, page: SubscriptionSeen, seen: SubscribedSeen
) -> Subscription:
    state = _state(seen)
    unpaid = next((each for each in seen.invoices if is_unpaid(each)), None)
    return replace(
        subscription,
        state=state,
        plan_id=seen.plan_id,
        checkout_id=page.checkout_id,
        checkout_url=None,
        stripe_subscription_id=seen.stripe_subscription_id,
        item_id=seen.item_id,
        product_id=seen.product_id,
        period_end=seen.period_end,
        paused=seen.paused,
        ending=seen.ending,
        resting=seen.resting,
        invoice_url=unpaid.url if unpaid and state != "ended" else None,
        next_attempt_at=unpaid.next_attempt_at if unpaid else None,
        ended_at=seen.ended_at,
        ended_because=_because(seen) if state == "ended" else None,
    )


def _look_at(
    subscription: Subscription, invoices: Sequence[InvoiceSeen], now: datetime
) -> datetime | None:
    """Return when to look by itself: soon as long as an invoice is not settled."""
    if subscription.state == "ended":
        return None
    drafted = any(each.status == "draft" for each in invoices)
    waits = subscription.only_plan_waits and is_quiet(subscription, now, drafted=drafted)
    if subscription.wish.is_open and not waits:
        return now
    if drafted:
        return now + RENEWED_AFTER
    if any(_is_unsettled(each) for each in invoices):
        return now + SETTLE_EVERY
    return max((subscription.period_end or now) + RENEWED_AFTER, now + LOOK_EVERY)


def _is_unsettled(invoice: InvoiceSeen) -> bool:
    fee_waits = invoice.payment is not None and invoice.payment.fee_minor is None
    return invoice.status == "open" or fee_waits


def _state(seen: SubscribedSeen) -> State:
    if seen.status in ("canceled", "incomplete_expired"):
        return "ended"
    return "active" if seen.status in ("active", "trialing") else "past_due"


def _because(seen: SubscribedSeen) -> Because:
    return "payment_failed" if seen.ended_because == "payment_failed" else "wished"


def is_unpaid(invoice: InvoiceSeen) -> bool:
    """Return whether a payment was tried and failed."""
    return invoice.status == "open" and invoice.attempts > 0


def _told(old: Subscription, new: Subscription, seen: SubscribedSeen) -> list[PlanFact]:
    """Return what happened between two looks, in an order that makes sense."""
    by = old.wish.by or "operator"
    until = seen.period_end
    facts: list[PlanFact] = []

    def about() -> dict[str, Any]:
        return about_of(new, old.version + len(facts) + 1)

    if old.stripe_subscription_id is None:
        facts.append(PlanStarted(**about(), period_end=until))
    if new.paused != old.paused and not new.resting:
        kind = PlanPaused if new.paused else PlanResumed
        facts.append(kind(**about(), by=by, period_end=until))
    if new.resting and not old.resting:
        facts.append(PlanRested(**about(), period_end=until))
    elif old.resting and not new.resting:
        paid = None if new.paused or new.ending else until
        facts.append(PlanContinued(**about(), next_payment_at=paid))
    if new.state == "ended" and old.state != "ended":
        facts.append(PlanEnded(**about(), because=new.ended_because or "wished"))
    elif new.ending != old.ending:
        facts.append(PlanEndScheduled(**about(), by=by, ends_at=until if new.ending else None))
    return facts


def about_of(subscription: Subscription, version: int) -> dict[str, Any]:
    """Return what every fact about a subscription says."""
    return {
        "subscription_id": subscription.subscription_id,
        "mentor_id": subscription.mentor_id,
        "mentee_id": subscription.mentee_id,
        "plan_id": subscription.plan_id,
        "version": version,
    }
