"""The calls to Stripe about subscriptions; each answers with the whole subscription."""

from __future__ import annotations

from typing import Any, cast

import stripe

from services.payments.domain.subscription_calls import (
    CancelSubscription,
    InvoiceSeen,
    LookAtSubscription,
    NameCharge,
    OpenSubscription,
    SubscribedSeen,
    SubscriptionRequest,
    SubscriptionSeen,
    UpdateSubscription,
)
from services.payments.gateway.shapes import Json, carries, read_payment
from shared.clock import from_epoch_seconds, to_epoch_seconds

EXPAND_SUBSCRIPTION = ["subscription"]
EXPAND_PAYMENTS = ["data.payments"]
EXPAND_CHARGE = ["latest_charge.balance_transaction"]
INVOICES_AT_MOST = 100
"""More than eight years of months; only those that may have changed are asked for."""
PAGES_FOUND_AT_MOST = 100
YES = "yes"


class SubscriptionCalls:
    """Makes the calls over Stripe's client; errors go to whoever called."""

    def __init__(self, v1: Any) -> None:
        """Speak over Stripe's client."""
        self._v1 = v1

    async def perform(self, request: SubscriptionRequest, key: str) -> SubscriptionSeen:
        """Make a call."""
        options = {"idempotency_key": key}
        if isinstance(request, OpenSubscription):
            sessions = self._v1.checkout.sessions
            return _page(_plain(await sessions.create_async(page_params(request), options)))
        assert isinstance(request, LookAtSubscription)  # noqa: S101  All others read as well.
        if isinstance(request, UpdateSubscription):
            params = update_params(request)
            subscription = request.stripe_subscription_id
            await self._v1.subscriptions.update_async(subscription, params, options)
        elif isinstance(request, CancelSubscription):
            await self._cancel(request, options)
        elif isinstance(request, NameCharge):
            order_id = str(request.order_id)
            named = {"metadata": {"order_id": order_id}, "transfer_group": order_id}
            await self._v1.charges.update_async(request.charge_id, named, options)
        return await self._look(request)

    async def find(self, request: OpenSubscription, created: Json) -> SubscriptionSeen | None:
        """Look for the page that a call may have made."""
        params = {"created": created, "limit": PAGES_FOUND_AT_MOST}
        listed = _plain(await self._v1.checkout.sessions.list_async(params))
        for session in listed["data"]:
            if carries(session, "subscription_id", request.subscription_id):
                return _page(session)
        return None

    async def _cancel(self, request: CancelSubscription, options: Json) -> None:
        try:
            await self._v1.subscriptions.cancel_async(request.stripe_subscription_id, None, options)
        except stripe.InvalidRequestError as error:
            if error.code != "resource_missing":  # What has ended already cannot be ended.
                raise

    async def _look(self, request: LookAtSubscription) -> SubscriptionSeen:
        sessions = self._v1.checkout.sessions
        expand = {"expand": EXPAND_SUBSCRIPTION}
        page = _plain(await sessions.retrieve_async(request.checkout_id, expand))
        if not page.get("subscription"):
            return _page(page)
        invoices = await self._invoices(page["subscription"]["id"], request)
        subscribed = read_subscribed(page["subscription"], invoices)
        return _page(page).model_copy(update={"subscribed": subscribed})

    async def _invoices(
        self, subscription: str, request: LookAtSubscription
    ) -> tuple[InvoiceSeen, ...]:
        params: Json = {
            "subscription": subscription,
            "limit": INVOICES_AT_MOST,
            "expand": EXPAND_PAYMENTS,
        }
        if request.since is not None:
            params["created"] = {"gte": to_epoch_seconds(request.since)}
        listed = _plain(await self._v1.invoices.list_async(params))
        return tuple([await self._invoice(each) for each in listed["data"]])

    async def _invoice(self, invoice: Json) -> InvoiceSeen:
        seen = read_invoice(invoice)
        payments: list[Json] = _part(invoice, "payments").get("data", [])
        if seen.status != "paid" or not payments:
            return seen
        intent: str = payments[0]["payment"]["payment_intent"]
        expand = {"expand": EXPAND_CHARGE}
        found = _plain(await self._v1.payment_intents.retrieve_async(intent, expand))
        return seen.model_copy(update={"payment": read_payment(found)})


def page_params(request: OpenSubscription) -> Json:
    """Return the parameters of the page on which somebody subscribes."""
    named = {"subscription_id": str(request.subscription_id)}
    price = {
        "currency": request.currency.lower(),
        "unit_amount": request.amount_minor,
        "product_data": {"name": request.title},
        "recurring": {"interval": "month"},
    }
    return {
        "mode": "subscription",
        "line_items": [{"price_data": price, "quantity": 1}],
        "client_reference_id": str(request.subscription_id),
        "metadata": {**named, "person_id": str(request.mentee_id)},
        "subscription_data": {"metadata": {**named, "plan_id": str(request.plan_id)}},
        "payment_method_types": ["card"],
        "expires_at": to_epoch_seconds(request.expires_at),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
    }


def update_params(request: UpdateSubscription) -> Json:
    """Return the parameters that put a subscription into a state.

    Stripe knows one pause; whose it is stands beside it. Nothing is prorated by Stripe: another
    plan holds from the next month on. A card that pays an invoice on its page is kept for the next.
    """
    params: Json = {
        "cancel_at_period_end": request.ending,
        "pause_collection": {"behavior": "void"} if request.paused or request.resting else "",
        "metadata": {
            "plan_id": str(request.plan_id),
            "resting": _yes(request.resting),
            "paused": _yes(request.paused),
        },
        "payment_settings": {"save_default_payment_method": "on_subscription"},
    }
    if request.price is not None:
        price = {
            "currency": request.price.currency.lower(),
            "product": request.price.product_id,
            "unit_amount": request.price.amount_minor,
            "recurring": {"interval": "month"},
        }
        params["items"] = [{"id": request.price.item_id, "price_data": price}]
        params["proration_behavior"] = "none"
    return params


def read_subscribed(subscription: Json, invoices: tuple[InvoiceSeen, ...]) -> SubscribedSeen:
    """Return what we keep of a subscription."""
    item, said = subscription["items"]["data"][0], subscription["metadata"]
    stands = subscription.get("pause_collection") is not None
    resting = stands and said.get("resting") == YES
    ended_at = subscription.get("ended_at")
    return SubscribedSeen(
        stripe_subscription_id=subscription["id"],
        item_id=item["id"],
        product_id=item["price"]["product"],
        status=subscription["status"],
        plan_id=said["plan_id"],
        period_start=from_epoch_seconds(item["current_period_start"]),
        period_end=from_epoch_seconds(item["current_period_end"]),
        paused=stands and (not resting or said.get("paused") == YES),
        resting=resting,
        ending=subscription["cancel_at_period_end"],
        ended_at=from_epoch_seconds(ended_at) if ended_at else None,
        ended_because=_part(subscription, "cancellation_details").get("reason"),
        invoices=invoices,
    )


def read_invoice(invoice: Json) -> InvoiceSeen:
    """Return what we keep of an invoice, without its payment."""
    next_attempt = invoice.get("next_payment_attempt")
    return InvoiceSeen(
        invoice_id=invoice["id"],
        plan_id=invoice["parent"]["subscription_details"]["metadata"]["plan_id"],
        status=invoice["status"],
        attempts=invoice["attempt_count"],
        next_attempt_at=from_epoch_seconds(next_attempt) if next_attempt else None,
        url=invoice.get("hosted_invoice_url"),
        created_at=from_epoch_seconds(invoice["created"]),
    )


def _yes(said: bool) -> str:
    return YES if said else "no"


def _page(session: Json) -> SubscriptionSeen:
    return SubscriptionSeen(
        checkout_id=session["id"], page=session["status"], url=session.get("url")
    )


def _part(found: Json, name: str) -> Json:
    return cast("Json", found.get(name) or {})


def _plain(found: Any) -> Json:
    return cast("Json", found.to_dict())
