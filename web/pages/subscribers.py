"""The operators' console, plans: who subscribed to what, what Stripe has of it, and stopping it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from shared.money import MAX_MINOR_OF_ALL
from web.client import Service
from web.pages.mending import reason_of
from web.pages.people import names_of
from web.plan_shapes import AtStripe, EndPreview, Months, Subscription
from web.routes import ID, Row, do, see
from web.shapes import Page
from web.visit import Visit

ROWS_SHOWN = 50
STOPPED = {
    "pause": "The plan pauses with its month; the mentee can take it up again.",
    "end": "The plan ends with its month.",
    "end-now": "The plan ends. What was not booked is paid back.",
}
"""What an operator may do about a plan, and what to say after it."""


async def subscriptions(visit: Visit) -> web.Response:
    """List subscriptions: all, those of a person, or the one that a purchase is a month of."""
    named = {name: visit.query(name) for name in ("person", "order") if visit.query(name)}
    found = await visit.read(
        Service.PAYMENTS,
        "/v1/operator/subscriptions",
        Page[Subscription],
        limit=ROWS_SHOWN,
        cursor=visit.query("cursor"),
        **named,
    )
    people = {who for each in found.items for who in (each.mentee_id, each.mentor_id)}
    names = await names_of(visit, people)
    return visit.page("operator_subscriptions.html", found=found, names=names, named=named)


async def subscription(visit: Visit) -> web.Response:
    """Show a subscription with both sides, its months, Stripe's side, and how to stop it."""
    its_id = visit.part("subscription_id")
    path = f"/v1/subscriptions/{its_id}"
    at_stripe, months, preview = await asyncio.gather(
        visit.read(Service.PAYMENTS, f"/v1/operator/subscriptions/{its_id}", AtStripe),
        visit.read(Service.PAYMENTS, f"{path}/months", Months),
        visit.read(Service.PAYMENTS, f"{path}/end-preview", EndPreview),
    )
    found = at_stripe.subscription
    return visit.page(
        "operator_subscription.html",
        subscription=found,
        at_stripe=at_stripe,
        months=months.items,
        preview=preview,
        names=await names_of(visit, (found.mentee_id, found.mentor_id)),
    )


async def stop(visit: Visit) -> web.Response:
    """Pause or end somebody's plan, saying why."""
    verb, its_id = visit.part("verb"), visit.part("subscription_id")
    body: dict[str, object] = {"reason": reason_of(visit, verb)}
    if verb == "end-now":
        shown = visit.form.whole("shown_minor", least=0, most=MAX_MINOR_OF_ALL)
        body |= {"at": "now", "shown_minor": shown}
    elif verb == "end":
        body |= {"at": "period_end"}
    deed = "pause" if verb == "pause" else "end"
    path = f"/v1/operator/subscriptions/{its_id}/{deed}"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go(f"/operator/subscriptions/{its_id}", STOPPED[verb])


_ONE = f"/operator/subscriptions/{{subscription_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/operator/subscriptions", subscriptions),
    see(_ONE, subscription),
    do(f"{_ONE}/{{verb:{'|'.join(STOPPED)}}}", stop, subscription),
)
