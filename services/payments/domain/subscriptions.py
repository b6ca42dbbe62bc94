"""Plans, and the subscriptions to them: a monthly mentorship with sessions included.

being_prepared → open → closed, or → active ⇄ past_due → ended. Stripe renews, takes the payments
and tries again; every paid invoice is a purchase of credits. What people wish for is kept beside
what Stripe shows until the two agree, so that a lost answer or a late one loses no wish.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.payments.domain.credits import Lot, check_total
from services.payments.domain.credits import PackagePriceOutside as PlanPriceOutside
from services.payments.domain.offered import Offered
from services.payments.domain.orders import Terms
from services.payments.domain.subscription_calls import (
    OpenSubscription,
)
from shared.errors import Kind as RefusalKind
from shared.errors import Refusal
from shared.money import Money, charge_step

SESSIONS_MOST = 20
GOOD_FOR_MONTHS = 2
"""Sessions of a month can be booked with until a month after it: life is not regular."""
PAGE_OPEN_FOR = timedelta(hours=1)
PAGE_LIVES_AT_LEAST = timedelta(minutes=30)
"""Stripe's, from when it makes the page."""
LOOK_EVERY = timedelta(minutes=10)
"""How often an open page is looked at by itself, should every notice be lost."""
QUIET_BEFORE = timedelta(minutes=30)
"""Before a renewal its plan is not changed any more: a call may take a while."""
RENEWED_AFTER = timedelta(hours=2)
"""After the end of a period; Stripe leaves a renewal as a draft for about an hour."""
SETTLE_EVERY = timedelta(hours=6)
"""How often it is looked at while an invoice is open, or Stripe's fee is not known."""
RETURN_PATH = "{web}/subscriptions/{subscription_id}/return"
BACK_PATH = "{web}/subscriptions/{subscription_id}"

State = Literal["being_prepared", "open", "closed", "active", "past_due", "ended"]
Side = Literal["mentee", "mentor", "operator"]
Because = Literal["wished", "payment_failed"]
LIVE = frozenset({"active", "past_due"})
OVER = frozenset({"closed", "ended"})


class AlreadySubscribed(Refusal):
    """Somebody has a plan with this mentor; the facts name it."""

    code = "already_subscribed"
    detail = "You have a plan with this mentor already: change that one, or end it first."


class SubscriptionNotLive(Refusal):
    """The subscription has not begun, or has ended."""

    code = "subscription_not_live"
    detail = "This plan has not begun or has ended; nothing of it can be changed."


class OnlyThePayer(Refusal):
    """Somebody else than the mentee wants it to cost again, or otherwise."""

    code = "only_the_payer"
    kind = RefusalKind.FORBIDDEN
    detail = "Only the mentee, who pays, can change the plan or take it up again."


class RenewalUnderWay(Refusal):
    """A payment is being taken at this moment; which plan it is for must not change meanwhile."""

    code = "renewal_under_way"
    detail = "A payment of this plan is being taken; try again once it is settled."


class PlanElsewhere(Refusal):
    """The other plan is another mentor's, in another currency, or not offered."""

    code = "plan_elsewhere"
    detail = "Choose another plan that this mentor offers in the same currency."


class UnusedChanged(Refusal):
    """Sessions were booked or came back since the amount was shown; the facts carry it."""

    code = "unused_changed"
    kind = RefusalKind.OUTDATED
    detail = "Look at what goes back as it is now and confirm it."


@dataclass(frozen=True)
class MentoringPlan:
    """So many sessions of an offering every month; it is never changed, only withdrawn."""

    plan_id: UUID
    mentor_id: UUID
    offering_id: UUID
    sessions: int
    unit: Money
    offered: bool = True

    @property
    def price(self) -> Money:
        """Return what a month costs."""
        return Money(self.unit.minor * self.sessions, self.unit.currency)


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be otherwise; none of it where Stripe shows it so already.

    That a plan rests is nobody's wish: its sessions cannot be booked, or can again.
    """

    paused: bool | None = None
    ending: bool | None = None
    resting: bool | None = None
    plan_id: UUID | None = None
    end_now: bool = False
    by: Side | None = None

    @property
    def is_open(self) -> bool:
        """Return whether something is not as wished."""
        changes = (self.paused, self.ending, self.resting, self.plan_id)
        return self.end_now or any(change is not None for change in changes)

    @property
    def is_the_payers(self) -> bool:
        """Return whether it can make a month cost something, or otherwise: the mentee's to say."""
        return self.plan_id is not None or self.paused is False or self.ending is False


@dataclass(frozen=True)
class Subscription:
    """Somebody's subscription as Stripe showed it last, and what is wished of it."""

    subscription_id: UUID
    plan_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    platform_share_basis_points: int
    release_delay: timedelta
    begun_at: datetime
    state: State = "being_prepared"
    checkout_id: str | None = None
    checkout_url: str | None = None
    stripe_subscription_id: str | None = None
    item_id: str | None = None
    product_id: str | None = None
    period_end: datetime | None = None
    paused: bool = False
    ending: bool = False
    wish: Wish = Wish()
    invoice_url: str | None = None
    next_attempt_at: datetime | None = None
    ended_at: datetime | None = None
    ended_because: Because | None = None
    look_at: datetime | None = None
    version: int = 0
    shown_at: datetime | None = None
    """When an answer changed it last."""
    resting: bool = False
    """Whether nothing is paid because nobody can book its sessions, besides what people paused."""

    @property
    def will_pause(self) -> bool:
        """Return whether the next period is not paid, as far as is known and wished."""
        return self.paused if self.wish.paused is None else self.wish.paused

    @property
    def will_rest(self) -> bool:
        """Return whether the next period is not paid because its sessions cannot be booked."""
        return self.resting if self.wish.resting is None else self.wish.resting

    @property
    def will_end(self) -> bool:
        """Return whether it ends with its period, as far as is known and wished."""
        return self.ending if self.wish.ending is None else self.wish.ending

    @property
    def next_plan_id(self) -> UUID:
        """Return the plan of the next period."""
        return self.wish.plan_id or self.plan_id

    @property
    def only_plan_waits(self) -> bool:
        """Return whether another plan is all that is not as wished."""
        other = self.next_plan_id != self.plan_id
        return other and not replace(self.wish, plan_id=None).is_open

    @property
    def purchase_terms(self) -> Terms:
        """Return the terms that were frozen when it began."""
        return Terms("", self.platform_share_basis_points, self.release_delay)


def offer(plan_id: UUID, offered: Offered, sessions: int, unit_minor: int) -> MentoringPlan:
    """Return a plan for an offering; raises `NotForSale` or a refusal of its price."""
    offered.check_for_sale()
    unit = Money(unit_minor, offered.price.currency)
    step = charge_step(unit.currency)
    if not 0 < unit.minor <= offered.price.minor or unit.minor % step:
        raise PlanPriceOutside(most_minor=offered.price.minor, step_minor=step)
    plan = MentoringPlan(plan_id, offered.mentor_id, offered.offering_id, sessions, unit)
    check_total(plan.price)
    return plan


def begin(
    subscription_id: UUID, plan: MentoringPlan, mentee_id: UUID, terms: Terms, now: datetime
) -> Subscription:
    """Begin to subscribe; the page is looked at until it is paid or closed."""
    return Subscription(
        subscription_id,
        plan.plan_id,
        plan.mentor_id,
        mentee_id,
        terms.platform_share_basis_points,
        terms.release_delay,
        now,
    )


def page_for(
    subscription: Subscription, plan: MentoringPlan, title: str, terms: Terms
) -> OpenSubscription:
    """Return the call that opens the page on which somebody subscribes."""
    places = {
        "web": terms.web_url.rstrip("/"),
        "subscription_id": subscription.subscription_id,
    }
    expires_at = subscription.begun_at + PAGE_OPEN_FOR
    return OpenSubscription(
        subscription_id=subscription.subscription_id,
        plan_id=plan.plan_id,
        mentee_id=subscription.mentee_id,
        title=f"{plan.sessions} × {title}",
        amount_minor=plan.price.minor,
        currency=plan.price.currency,
        expires_at=expires_at,
        send_before=expires_at - PAGE_LIVES_AT_LEAST,
        success_url=RETURN_PATH.format(**places),
        cancel_url=BACK_PATH.format(**places),
    )


def wish(subscription: Subscription, wanted: Wish, now: datetime) -> Subscription:
    """Note a wish beside those that are open; raises `OnlyThePayer` or `SubscriptionNotLive`."""
    if wanted.is_the_payers and wanted.by != "mentee":
        raise OnlyThePayer
    if subscription.state not in LIVE:
        raise SubscriptionNotLive
    old = subscription.wish
    both = Wish(
        old.paused if wanted.paused is None else wanted.paused,
        old.ending if wanted.ending is None else wanted.ending,
        old.resting,
        wanted.plan_id or old.plan_id,
        wanted.end_now or old.end_now,
        wanted.by,
    )
    return replace(subscription, wish=both, look_at=now)


def rest(subscription: Subscription, *, bookable: bool) -> Subscription:
    """Have a plan rest whose sessions nobody can book, and go on as people left it otherwise."""
    if subscription.state in OVER or subscription.will_rest != bookable:
        return subscription
    return replace(subscription, wish=replace(subscription.wish, resting=not bookable))


def check_change(old: MentoringPlan, new: MentoringPlan | None) -> MentoringPlan:
    """Return the other plan, which can follow on this one; raises `PlanElsewhere`."""
    alike = new is not None and (new.mentor_id, new.unit.currency) == (
        old.mentor_id,
        old.unit.currency,
    )
    if new is None or not alike or not new.offered:
        raise PlanElsewhere
    return new


def is_quiet(subscription: Subscription, now: datetime, *, drafted: bool) -> bool:
    """Return whether a renewal is near: until a look shows that its invoice is final.

    Stripe writes the price on an invoice when it drafts it, and the plan when that is final.
    """
    return drafted or now >= (subscription.period_end or now) - QUIET_BEFORE


def check_quiet(subscription: Subscription, now: datetime, *, drafted: bool) -> None:
    """Raise `RenewalUnderWay` near a renewal: its invoice is written before it is paid."""
    if is_quiet(subscription, now, drafted=drafted) or subscription.invoice_url is not None:
        raise RenewalUnderWay


def lot_of(
    subscription: Subscription, plan: MentoringPlan, offered: Offered, ids: tuple[UUID, UUID]
) -> Lot:
    """Return the credits of a month that was paid."""
    order_id, lot_id = ids
    return Lot(
        lot_id,
        order_id,
        "plan",
        subscription.mentee_id,
        subscription.mentee_id,
        plan.mentor_id,
        plan.offering_id,
        offered.title,
        offered.minutes,
        offered.price,
        plan.unit,
        plan.sessions,
        GOOD_FOR_MONTHS,
    )


def side_of(subscription: Subscription, person_id: UUID) -> Side | None:
    """Return which side of a subscription somebody is, if either."""
    if person_id == subscription.mentee_id:
        return "mentee"
    return "mentor" if person_id == subscription.mentor_id else None
