"""Plans as mentors offer them, and subscriptions as either side and operators see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.api.cursors import one_uuid
from services.payments.api.terms import terms_of
from services.payments.commands import subscriptions as commands
from services.payments.domain import credits as credit_rules
from services.payments.domain import subscriptions as rules
from services.payments.domain.credits import Offered
from services.payments.domain.subscriptions import MentoringPlan, Side, Subscription
from services.payments.domain.worth import DearerThanAlone, is_dearer
from services.payments.store import credits as credits_store
from services.payments.store import subscriptions as store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.errors import NotFound
from shared.money import MAX_MINOR_OF_ALL
from shared.web import ANYONE, Api, Body, Call, Page, PageQuery, Query, View, WholeNumber

ACCEPTED = 202
MONTHS_SHOWN = 24


class PlanBody(Body):
    """What a mentor offers every month: so many sessions, and what one of them costs."""

    offering_id: UUID
    sessions: Annotated[WholeNumber, Field(ge=1, le=rules.SESSIONS_MOST)]
    unit_price_minor: Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)]


class PlanView(View):
    """A plan; `price_minor` is what a month costs, `saved_minor` what that saves.

    While it is `dearer_than_alone` it is not for sale, and goes on for who has it.
    """

    plan_id: UUID
    offering_id: UUID
    mentor_id: UUID
    title: str
    minutes: int
    dearer_than_alone: bool
    sessions: int
    unit_price_minor: Minor
    price_minor: Minor
    saved_minor: Minor
    currency: CurrencyCode
    offered: bool


class PlansView(View):
    """All plans of a mentor."""

    items: list[PlanView]


class SubscriptionView(View):
    """A subscription as it stands and will be: with wishes that Stripe has not confirmed yet.

    `url` is where to pay while it is open, `invoice_url` where a month can be paid whose payment
    failed; the mentor sees neither. `next_payment_at` is none when no further month is paid.
    """

    subscription_id: UUID
    state: rules.State
    plan: PlanView
    next_plan: PlanView
    mentor_id: UUID
    mentee_id: UUID
    url: str | None
    period_end: datetime | None
    next_payment_at: datetime | None
    pausing: bool
    ending: bool
    confirmed: bool
    invoice_url: str | None
    next_attempt_at: datetime | None
    ended_at: datetime | None
    ended_because: rules.Because | None


class MonthView(View):
    """A month that was paid, and how many of its sessions are left."""

    order_id: UUID
    paid_at: datetime
    price_minor: Minor
    currency: CurrencyCode
    sessions: int
    remaining: int
    good_until: datetime


class MonthsView(View):
    """The months of a subscription, the last one first."""

    items: list[MonthView]


class EndPreview(View):
    """What becomes of a plan that ends: with its month, or at once."""

    period_end: datetime | None
    unused: int
    back_minor: Minor
    currency: CurrencyCode


class ChangeQuery(Query):
    """Which plan it would be from the next month on."""

    plan_id: UUID


class ChangePreview(View):
    """What another plan would come to: nothing now, all of it from the next month on."""

    plan: PlanView
    charged_now_minor: Minor
    from_at: datetime | None


def add_routes(api: Api) -> None:
    """Declare the routes of plans and subscriptions."""
    mentor = Role.MENTOR
    price = (rules.PlanPriceOutside, credit_rules.PackageTooDear, credit_rules.NotForSale, NotFound)
    api.get("/v1/mentors/{mentor_id}/plans", may=ANYONE)(list_plans)
    api.get("/v1/plans/{plan_id}", may=ANYONE)(show_plan)
    api.get("/v1/me/plans", may=mentor)(list_own_plans)
    api.post("/v1/me/plans", may=mentor, idempotent=True, refusals=price)(offer)
    end = "/v1/me/plans/{plan_id}/withdraw"
    api.post(end, may=mentor, idempotent=True, status=204)(withdraw)
    sale = (credit_rules.NotForSale, credit_rules.OwnSessions, rules.AlreadySubscribed)
    dear = (DearerThanAlone,)
    path = "/v1/plans/{plan_id}/subscriptions"
    api.post(path, idempotent=True, status=ACCEPTED, refusals=(*sale, *dear))(subscribe)
    _add_routes_of_one(api)


def _add_routes_of_one(api: Api) -> None:
    one = "/v1/subscriptions/{subscription_id}"
    elsewhere = (rules.PlanElsewhere, DearerThanAlone)
    api.get("/v1/me/subscriptions")(list_subscriptions)
    api.get(one)(show_subscription)
    api.get(f"{one}/months")(list_months)
    api.get(f"{one}/end-preview")(preview_end)
    api.get(f"{one}/change-preview", refusals=elsewhere)(preview_change)
    api.post(f"{one}/look-up", idempotent=True, status=ACCEPTED)(look_at_plan)


async def list_plans(call: Call, mentor_id: UUID, conn: Connection) -> PlansView:
    """List the plans a mentor offers of what is for sale."""
    del call
    offered = await credits_store.offered_by(conn, mentor_id)
    found = [
        _plan(each, offered[each.offering_id])
        for each in await store.plans_of(conn, mentor_id)
        if offered[each.offering_id].published
    ]
    return PlansView(items=[each for each in found if not each.dearer_than_alone])


async def show_plan(call: Call, plan_id: UUID, conn: Connection) -> PlanView:
    """Show a plan, also one that is offered no more: somebody may have it."""
    del call
    return await _plan_view(conn, plan_id)


async def list_own_plans(call: Call, conn: Connection) -> PlansView:
    """List the plans one offers."""
    offered = await credits_store.offered_by(conn, call.person_id)
    found = await store.plans_of(conn, call.person_id)
    return PlansView(items=[_plan(each, offered[each.offering_id]) for each in found])


async def offer(call: Call, body: PlanBody, conn: Connection) -> PlanView:
    """Offer a plan for one of one's offerings."""
    made = await commands.offer_plan(
        conn,
        call.person_id,
        body.offering_id,
        sessions=body.sessions,
        unit_minor=body.unit_price_minor,
    )
    return await _plan_view(conn, made.plan_id)


async def withdraw(call: Call, plan_id: UUID, conn: Connection) -> None:
    """Offer a plan no more; who has it keeps it."""
    await commands.withdraw_plan(conn, call.person_id, plan_id)


async def subscribe(call: Call, plan_id: UUID, conn: Connection) -> SubscriptionView:
    """Begin to subscribe; the page to pay on appears at the subscription a moment later."""
    begun = await commands.subscribe(conn, plan_id, call.person_id, terms_of(call), call.now)
    return await view_of(conn, begun, "mentee")


async def list_subscriptions(
    call: Call, query: PageQuery, conn: Connection
) -> Page[SubscriptionView]:
    """List one's subscriptions, as mentee and as mentor, newest first."""
    found = await store.subscriptions_of(conn, call.person_id, one_uuid(query), query.limit + 1)
    items = [
        await view_of(conn, each, rules.side_of(each, call.person_id))
        for each in found[: query.limit]
    ]
    more = len(found) > query.limit
    cursor = Page.cursor(items[-1].subscription_id) if more else None
    return Page(items=items, next_cursor=cursor)


async def show_subscription(
    call: Call, subscription_id: UUID, conn: Connection
) -> SubscriptionView:
    """Show where a subscription stands."""
    return await view_of(conn, *await seen_by(call, conn, subscription_id))


async def list_months(call: Call, subscription_id: UUID, conn: Connection) -> MonthsView:
    """List the months that were paid, with what is left of each."""
    await seen_by(call, conn, subscription_id)
    found = await store.paid_months(conn, subscription_id, MONTHS_SHOWN)
    return MonthsView(
        items=[
            MonthView(
                order_id=each.order_id,
                paid_at=each.paid_at,
                price_minor=each.price.minor,
                currency=each.price.currency,
                sessions=each.sessions,
                remaining=each.remaining,
                good_until=each.good_until,
            )
            for each in found
        ]
    )


async def preview_end(call: Call, subscription_id: UUID, conn: Connection) -> EndPreview:
    """Show what goes back if the plan ended at once: what the unbooked sessions had cost."""
    subscription, _ = await seen_by(call, conn, subscription_id)
    plan = await commands.need_plan(conn, subscription.plan_id)
    unused = await store.unused_of(conn, subscription_id, call.now)
    return EndPreview(
        period_end=subscription.period_end,
        unused=sum(each.sessions for each in unused),
        back_minor=sum(each.worth.minor for each in unused),
        currency=plan.unit.currency,
    )


async def preview_change(
    call: Call, subscription_id: UUID, query: ChangeQuery, conn: Connection
) -> ChangePreview:
    """Show what another plan would come to, and from when on."""
    subscription, _ = await seen_by(call, conn, subscription_id)
    await commands.check_change(conn, subscription, query.plan_id)
    view = await _plan_view(conn, query.plan_id)
    return ChangePreview(plan=view, charged_now_minor=0, from_at=subscription.period_end)


async def look_at_plan(call: Call, subscription_id: UUID, conn: Connection) -> SubscriptionView:
    """Have the subscription looked up at Stripe now; ask for it again a moment later."""
    _, side = await seen_by(call, conn, subscription_id)
    return await view_of(conn, await commands.look_now(conn, subscription_id, call.now), side)


async def seen_by(call: Call, conn: Connection, subscription_id: UUID) -> tuple[Subscription, Side]:
    """Return what one may see and from which side, operators too; raises `NotFound`."""
    subscription = await store.load_subscription(conn, subscription_id)
    side = rules.side_of(subscription, call.person_id) if subscription else None
    if side is None and call.who.is_a(Role.OPERATOR):
        side = "operator"
    if subscription is None or side is None:
        raise NotFound
    return subscription, side


async def view_of(
    conn: Connection, subscription: Subscription, side: Side | None
) -> SubscriptionView:
    """Return a subscription as a side sees it."""
    live = subscription.state in rules.LIVE
    ends = subscription.will_end or subscription.wish.end_now
    paid_on = live and not ends and not subscription.will_pause
    pays = side in ("mentee", "operator")  # Stripe's pages show a name, an address and a card.
    return SubscriptionView(
        subscription_id=subscription.subscription_id,
        state=subscription.state,
        plan=await _plan_view(conn, subscription.plan_id),
        next_plan=await _plan_view(conn, subscription.next_plan_id),
        mentor_id=subscription.mentor_id,
        mentee_id=subscription.mentee_id,
        url=subscription.checkout_url if pays else None,
        period_end=subscription.period_end,
        next_payment_at=subscription.period_end if paid_on else None,
        pausing=subscription.will_pause,
        ending=ends,
        confirmed=not subscription.wish.is_open or subscription.wish.by is None,
        invoice_url=subscription.invoice_url if pays else None,
        next_attempt_at=subscription.next_attempt_at,
        ended_at=subscription.ended_at,
        ended_because=subscription.ended_because,
    )


async def _plan_view(conn: Connection, plan_id: UUID) -> PlanView:
    plan = await commands.need_plan(conn, plan_id)
    offered = await credits_store.load_offered(conn, plan.offering_id)
    assert offered is not None  # noqa: S101  A plan is of an offering.
    return _plan(plan, offered)


def _plan(plan: MentoringPlan, offered: Offered) -> PlanView:
    saved = (offered.price.minor - plan.unit.minor) * plan.sessions
    return PlanView(
        plan_id=plan.plan_id,
        offering_id=plan.offering_id,
        mentor_id=plan.mentor_id,
        title=offered.title,
        minutes=offered.minutes,
        dearer_than_alone=is_dearer(plan.unit, offered.price),
        sessions=plan.sessions,
        unit_price_minor=plan.unit.minor,
        price_minor=plan.price.minor,
        saved_minor=max(0, saved),
        currency=plan.unit.currency,
        offered=plan.offered,
    )
