"""Subscriptions: begun on a payment page, renewed every month, paused, changed and ended.

https://docs.stripe.com/billing/subscriptions/overview. They begin with Checkout alone; what failed
too often ends them (https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from simulators.stripe import billing_invoices as invoices
from simulators.stripe.act import Act
from simulators.stripe.billing_invoices import Bill
from simulators.stripe.billing_prices import PriceData, recurring_price
from simulators.stripe.billing_shapes import months_after, new_subscription
from simulators.stripe.cards import CardEntry
from simulators.stripe.errors import InvalidParameters, Json, invalid
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import (
    NO_METADATA,
    ListParams,
    Metadata,
    Page,
    Params,
    Shape,
    Text,
    merged_metadata,
)
from simulators.stripe.routes import Route

RENEW_RANK = 2
"""Attempts that are due at the end of a period come before the next period begins."""


class SubscriptionData(Shape):
    """What the subscription of a payment page will carry."""

    metadata: Metadata = NO_METADATA
    description: Text | None = None


class Pause(Shape):
    """What becomes of invoices while collection is paused; the marketplace voids them."""

    behavior: Literal["void"]


class PaymentSettings(Shape):
    """Whether a card that pays an invoice is kept for the next one."""

    save_default_payment_method: Literal["off", "on_subscription"]


class Item(Shape):
    """The one item of a subscription, at another price."""

    id: str
    price_data: PriceData


class UpdateSubscription(Params):
    """What can be changed; nothing is ever prorated by time here."""

    metadata: Metadata | None = None
    cancel_at_period_end: bool | None = None
    pause_collection: Annotated[
        Pause | Literal["none"] | None, BeforeValidator(lambda given: given or "none")
    ] = None
    items: Annotated[list[Item], Field(min_length=1, max_length=1)] | None = None
    proration_behavior: Literal["none"] | None = None
    billing_cycle_anchor: Literal["now", "unchanged"] = "unchanged"
    payment_settings: PaymentSettings | None = None


class ListSubscriptions(ListParams):
    """Filters of the list of subscriptions."""

    customer: str | None = None
    status: str | None = None


def begin(act: Act, session: Json, given: Json, intent: Json, entry: CardEntry) -> tuple[str, str]:
    """Begin the subscription of a payment page that was paid; returns it and its first invoice."""
    customer = act.find("customer", session["customer"])
    subscription = new_subscription(act, customer, given)
    act.add("subscription", subscription, {"entry": asdict(entry), "periods": 1})
    act.announce("customer.subscription.created", subscription)
    invoice = invoices.draft(act, Bill(subscription, "subscription_create", act.moment))
    invoice = invoices.paid(act, invoices.finalize(act, invoice, intent))
    subscription = act.save(subscription, latest_invoice=invoice["id"])
    act.schedule(_item(subscription)["current_period_end"], "renew_subscription",
                 subscription["id"], rank=RENEW_RANK)  # fmt: skip
    return subscription["id"], invoice["id"]


def renew(act: Act, identifier: str) -> None:
    """Begin the next period of a subscription whose period is over, or end it."""
    subscription = act.find("subscription", identifier)
    if subscription["status"] == "canceled":
        return
    if subscription["cancel_at_period_end"]:
        _end(act, subscription, "cancellation_requested")
        return
    renewed = _next_period(act, subscription, restart=False)
    since = _item(subscription)["current_period_start"]
    invoice = invoices.draft(act, Bill(renewed, "subscription_cycle", since))
    renewed = act.save(renewed, latest_invoice=invoice["id"])
    act.changed("customer.subscription.updated", subscription, renewed)
    if renewed["pause_collection"]:
        invoices.void(act, invoice)
    else:
        due = act.moment + invoices.DRAFT_SECONDS
        act.schedule(due, "finalize_invoice", invoice["id"])


def finalize_when_due(act: Act, identifier: str) -> None:
    """Make a renewal final and take its payment."""
    invoice = act.find("invoice", identifier)
    if invoice["status"] == "draft":
        _collect(act, invoices.finalize(act, invoice))


def retry_when_due(act: Act, identifier: str) -> None:
    """Try again to take the payment of an invoice."""
    invoice = act.find("invoice", identifier)
    if invoice["status"] == "open":
        _collect(act, invoice)


def replace_card(act: Act, identifier: str, entry: CardEntry) -> Json:
    """Keep another card for the renewals, as the customer does in Stripe's portal."""
    subscription = act.find("subscription", identifier)
    _keep_card(act, subscription, entry)
    return subscription


def pay_with(act: Act, invoice: Json, entry: CardEntry) -> Json:
    """Pay an open invoice on its page; the card is kept if the subscription says so."""
    if invoice["status"] != "open":
        raise invalid(f"This invoice is {invoice['status']} and cannot be paid.")
    invoice = _collect(act, invoice, entry)
    subscription = _subscription_of(act, invoice)
    keeps = subscription["payment_settings"]["save_default_payment_method"] == "on_subscription"
    if invoice["status"] == "paid" and keeps:
        _keep_card(act, subscription, entry)
    return invoice


def _collect(act: Act, invoice: Json, entry: CardEntry | None = None) -> Json:
    """Take the payment of an invoice; the subscription follows what comes of it."""
    subscription = _subscription_of(act, invoice)
    if entry is None:
        entry = CardEntry(**_hidden(act, subscription)["entry"])
    invoice = invoices.charge(act, invoice, entry)
    if invoice["status"] == "paid":
        _follow(act, subscription, "active")
    elif invoice["next_payment_attempt"]:
        _follow(act, subscription, "past_due")
    else:
        _end(act, subscription, "payment_failed")
    return invoice


def _follow(act: Act, subscription: Json, status: str) -> None:
    if subscription["status"] in (status, "canceled"):
        return
    changed = act.save(subscription, status=status)
    act.changed("customer.subscription.updated", subscription, changed)


def _end(act: Act, subscription: Json, reason: str) -> Json:
    ended = act.save(
        subscription,
        status="canceled",
        canceled_at=subscription["canceled_at"] or act.moment,
        ended_at=act.moment,
        cancellation_details={**subscription["cancellation_details"], "reason": reason},
    )
    act.store.unschedule("renew_subscription", subscription["id"])
    for action in ("finalize_invoice", "retry_invoice"):
        act.store.unschedule(action, subscription["latest_invoice"])
    act.announce("customer.subscription.deleted", ended)
    return ended


def _subscription_of(act: Act, invoice: Json) -> Json:
    return act.find("subscription", invoice["parent"]["subscription_details"]["subscription"])


def _keep_card(act: Act, subscription: Json, entry: CardEntry) -> None:
    hidden = _hidden(act, subscription)
    act.store.hide(subscription["id"], {**hidden, "entry": asdict(entry)})
    changed = act.save(subscription, default_payment_method=new_id("pm"))
    act.changed("customer.subscription.updated", subscription, changed)


def _next_period(act: Act, subscription: Json, *, restart: bool) -> Json:
    """Return the subscription in its next period, counted from the anchor, or from now on."""
    hidden = _hidden(act, subscription)
    anchor = act.moment if restart else subscription["billing_cycle_anchor"]
    periods = 1 if restart else hidden["periods"] + 1
    act.store.hide(subscription["id"], {**hidden, "periods": periods})
    start = act.moment if restart else _end_of(subscription)
    months = _item(subscription)["price"]["recurring"]["interval_count"]
    end = months_after(anchor, periods * months)
    act.store.unschedule("renew_subscription", subscription["id"])
    act.schedule(end, "renew_subscription", subscription["id"], rank=RENEW_RANK)
    item = {**_item(subscription), "current_period_start": start, "current_period_end": end}
    return act.save(
        subscription,
        billing_cycle_anchor=anchor,
        items=listing([item], subscription["items"]["url"]),
    )


def _hidden(act: Act, subscription: Json) -> Json:
    filed = act.filed("subscription", subscription["id"])
    return filed.hidden if filed else {}


def _item(subscription: Json) -> Json:
    item: Json = subscription["items"]["data"][0]
    return item


def _end_of(subscription: Json) -> int:
    return int(_item(subscription)["current_period_end"])


def retrieve_subscription(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a subscription."""
    return act.find("subscription", ids["id"])


def list_subscriptions(act: Act, params: ListSubscriptions, _ids: Mapping[str, str]) -> Json:
    """Return a page of subscriptions."""
    filters = {"customer": params.customer, "status": params.status}
    return page(act, "subscription", params, "/v1/subscriptions", filters)


def update_subscription(act: Act, params: UpdateSubscription, ids: Mapping[str, str]) -> Json:
    """Pause or resume, let it end with its period or go on, or put it at another price."""
    old = act.find("subscription", ids["id"])
    if old["status"] == "canceled":
        raise invalid(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    new = act.save(old, **_changes(act, old, params))
    if params.billing_cycle_anchor == "now":
        new = _restart(act, new)
    act.changed("customer.subscription.updated", old, new)
    return new


def _changes(act: Act, old: Json, params: UpdateSubscription) -> Json:
    changes: Json = {"metadata": merged_metadata(old["metadata"], params.metadata)}
    if params.cancel_at_period_end is not None:
        ends = params.cancel_at_period_end
        reason = "cancellation_requested" if ends else None
        changes |= {
            "cancel_at_period_end": ends,
            "cancel_at": _end_of(old) if ends else None,
            "canceled_at": act.moment if ends else None,
            "cancellation_details": {**old["cancellation_details"], "reason": reason},
        }
    if params.pause_collection is not None:
        paused = params.pause_collection
        changes["pause_collection"] = (
            {"behavior": paused.behavior, "resumes_at": None} if isinstance(paused, Pause) else None
        )
    if params.payment_settings is not None:
        settings = params.payment_settings.model_dump()
        changes["payment_settings"] = {**old["payment_settings"], **settings}
    if params.items:
        changes["items"] = _at_another_price(act, old, params.items[0])
    return changes


def _at_another_price(act: Act, subscription: Json, wanted: Item) -> Json:
    item = _item(subscription)
    if wanted.id != item["id"]:
        raise InvalidParameters(f"No such subscription item: '{wanted.id}'", param="items[0][id]")
    changed = {**item, "price": recurring_price(act, wanted.price_data)}
    return listing([changed], subscription["items"]["url"])


def _restart(act: Act, subscription: Json) -> Json:
    """Begin a new period now, and take its payment at once."""
    restarted = _next_period(act, subscription, restart=True)
    invoice = invoices.draft(act, Bill(restarted, "subscription_update", act.moment))
    act.save(restarted, latest_invoice=invoice["id"])
    _collect(act, invoices.finalize(act, invoice))
    return act.find("subscription", subscription["id"])


def cancel_subscription(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """End a subscription at once; nothing is billed or given back then, nor tried again."""
    subscription = act.find("subscription", ids["id"])
    if subscription["status"] == "canceled":
        raise invalid(f"No such subscription: '{subscription['id']}'", code="resource_missing")
    return _end(act, subscription, "cancellation_requested")


def pay_invoice(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Take the payment of an open invoice now, with the card that is kept."""
    invoice = act.find("invoice", ids["id"])
    if invoice["status"] != "open":
        raise invalid(f"This invoice is {invoice['status']} and cannot be paid.")
    return _collect(act, invoice)


ROUTES = (
    Route("GET", "/v1/subscriptions", ListSubscriptions, list_subscriptions),
    Route("GET", "/v1/subscriptions/{id}", Params, retrieve_subscription),
    Route("POST", "/v1/subscriptions/{id}", UpdateSubscription, update_subscription),
    Route("DELETE", "/v1/subscriptions/{id}", Params, cancel_subscription),
    Route("GET", "/v1/invoices", invoices.ListInvoices, invoices.list_invoices),
    Route("GET", "/v1/invoices/{id}", Params, invoices.retrieve_invoice),
    Route("GET", "/v1/invoices/{id}/lines", Page, invoices.list_lines),
    Route("POST", "/v1/invoices/{id}/pay", Params, pay_invoice),
)
