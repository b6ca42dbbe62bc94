"""Subscriptions as operators find them: of a person, of a purchase, and what Stripe says of one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.api.cursors import one_uuid
from services.payments.api.documents import note_look
from services.payments.api.subscriptions import SubscriptionView, view_of
from services.payments.domain.subscriptions import Subscription
from services.payments.store import subscriptions as store
from shared.auth import Role
from shared.db import Connection
from shared.errors import NotFound
from shared.web import Api, Call, Page, PageQuery, View

INVOICES_SHOWN = 24


class FindQuery(PageQuery):
    """Whose subscriptions, as mentee or as mentor, or the one that a purchase is a month of."""

    person: UUID | None = None
    order: UUID | None = None


class InvoiceView(View):
    """A month at Stripe; the purchase is there once it is paid."""

    stripe_invoice_id: str
    state: str
    attempts: int
    created_at: datetime
    order_id: UUID | None


class AtStripeView(View):
    """A subscription with what Stripe has of it, and when it told so.

    `shown_at` is when an answer of Stripe changed it last, `look_at` when it is asked for next.
    """

    subscription: SubscriptionView
    begun_at: datetime
    stripe_subscription_id: str | None
    checkout_id: str | None
    shown_at: datetime | None
    look_at: datetime | None
    invoices: list[InvoiceView]


def add_routes(api: Api) -> None:
    """Declare the routes for operators who look for a subscription."""
    path = "/v1/operator/subscriptions"
    api.get(path, may=Role.OPERATOR)(find_subscriptions)
    api.get(f"{path}/{{subscription_id}}", may=Role.OPERATOR)(show_at_stripe)


async def find_subscriptions(
    call: Call, query: FindQuery, conn: Connection
) -> Page[SubscriptionView]:
    """List subscriptions, of everybody or as it is asked, newest first."""
    if query.person:
        note_look(call, "subscriptions", query.person)
    found = await _found(conn, query)
    items = [await view_of(conn, each, "operator") for each in found[: query.limit]]
    more = len(found) > query.limit
    cursor = Page.cursor(items[-1].subscription_id) if more else None
    return Page(items=items, next_cursor=cursor)


async def show_at_stripe(call: Call, subscription_id: UUID, conn: Connection) -> AtStripeView:
    """Show a subscription with what Stripe has of it."""
    found = await store.load_subscription(conn, subscription_id)
    if found is None:
        raise NotFound
    note_look(call, "subscription", subscription_id)
    invoices = await store.invoices_of(conn, subscription_id, INVOICES_SHOWN)
    return AtStripeView(
        subscription=await view_of(conn, found, "operator"),
        begun_at=found.begun_at,
        stripe_subscription_id=found.stripe_subscription_id,
        checkout_id=found.checkout_id,
        shown_at=found.shown_at,
        look_at=found.look_at,
        invoices=[
            InvoiceView(
                stripe_invoice_id=each.stripe_invoice_id,
                state=each.state,
                attempts=each.attempts,
                created_at=each.created_at,
                order_id=each.order_id,
            )
            for each in invoices
        ],
    )


async def _found(conn: Connection, query: FindQuery) -> list[Subscription]:
    if query.order is None:
        return await store.find_subscriptions(conn, query.person, one_uuid(query), query.limit + 1)
    its_id = await store.subscription_of_order(conn, query.order)
    only = await store.load_subscription(conn, its_id) if its_id else None
    return [only] if only else []
