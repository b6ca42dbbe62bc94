"""Subscriptions to plans, as either side and operators see them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.api.cursors import one_uuid
from services.payments.api.plans import PlanView, plan_view
from services.payments.api.terms import terms_of
from services.payments.commands import subscriptions as commands
from services.payments.domain import subscriptions as rules
from services.payments.domain.credits import OwnSessions
from services.payments.domain.offered import CurrencyNotSettled, NotForSale
from services.payments.domain.subscriptions import Side, Subscription
from services.payments.domain.worth import DearerThanAlone
from services.payments.store import subscriptions as store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.errors import NotFound
from shared.web import Api, Call, Page, PageQuery, Query, View

ACCEPTED = 202
MONTHS_SHOWN = 24


class SubscriptionView(View):
    """A subscription as it stands and will be: with wishes that Stripe has not confirmed yet.

    `url` is where to pay while it is open, `invoice_url` where a month can be paid whose payment
    failed; the mentor sees neither. `next_payment_at` is none when no further month is paid, also
    when the plan is `resting`: its sessions cannot be booked, and it goes on once they can be.
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
    resting: bool
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
    """Declare the routes of subscriptions."""
    sale = (NotForSale, CurrencyNotSettled, DearerThanAlone, OwnSessions, rules.AlreadySubscribed)
    path = "/v1/plans/{plan_id}/subscriptions"
    api.post(path, idempotent=True, status=ACCEPTED, refusals=sale)(subscribe)
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
    view = await plan_view(conn, query.plan_id)
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
    paid_on = live and not (ends or subscription.will_pause or subscription.will_rest)
    pays = side in ("mentee", "operator")  # Stripe's pages show a name, an address and a card.
    return SubscriptionView(
        subscription_id=subscription.subscription_id,
        state=subscription.state,
        plan=await plan_view(conn, subscription.plan_id),
        next_plan=await plan_view(conn, subscription.next_plan_id),
        mentor_id=subscription.mentor_id,
        mentee_id=subscription.mentee_id,
        url=subscription.checkout_url if pays else None,
        period_end=subscription.period_end,
        next_payment_at=subscription.period_end if paid_on else None,
        pausing=subscription.will_pause,
        resting=live and subscription.will_rest,
        ending=ends,
        confirmed=not subscription.wish.is_open or subscription.wish.by is None,
        invoice_url=subscription.invoice_url if pays else None,
        next_attempt_at=subscription.next_attempt_at,
        ended_at=subscription.ended_at,
        ended_because=subscription.ended_because,
    )
