"""Checkout Sessions: opening, reading and closing them (https://docs.stripe.com/api/checkout/sessions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from simulators.stripe import money
from simulators.stripe.act import Act
from simulators.stripe.billing_prices import PriceData, new_price, recurring_price
from simulators.stripe.billing_subscriptions import SubscriptionData
from simulators.stripe.checkout_flow import expire, unknown_payer
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

EXPIRES_MIN_SECONDS = 30 * 60
EXPIRES_MAX_SECONDS = 24 * 60 * 60
LINE_ITEMS_MAX = 100
TOO_LITTLE = "The Checkout Session's total amount due must add up to at least"

Url = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=5000)]


class LineItem(Shape):
    """One line of the bill, at a price made for this session alone."""

    price_data: PriceData
    quantity: Annotated[int, Field(ge=1, le=999_999)] = 1


class IntentData(Shape):
    """What the payment intent of the session will carry."""

    metadata: Metadata = NO_METADATA
    transfer_group: Text | None = None
    description: Text | None = None
    receipt_email: str | None = None
    capture_method: Literal["automatic", "automatic_async", "manual"] = "automatic_async"
    statement_descriptor_suffix: Annotated[str, Field(max_length=22)] | None = None


class CreateSession(Params):
    """The parameters of a new session that takes one payment, or begins a subscription."""

    mode: Literal["payment", "subscription"]
    line_items: Annotated[list[LineItem], Field(min_length=1, max_length=LINE_ITEMS_MAX)]
    success_url: Url
    cancel_url: Url | None = None
    metadata: Metadata = NO_METADATA
    payment_intent_data: IntentData | None = None
    subscription_data: SubscriptionData | None = None
    expires_at: int | None = None
    customer: str | None = None
    customer_email: Annotated[str, Field(pattern=r"^\S+@\S+\.\S+$", max_length=800)] | None = None
    customer_creation: Literal["always", "if_required"] | None = None
    client_reference_id: Annotated[str, Field(max_length=200)] | None = None
    locale: str | None = None
    payment_method_types: tuple[Literal["card"], ...] = ("card",)
    submit_type: Literal["auto", "book", "donate", "pay"] | None = None
    billing_address_collection: Literal["auto", "required"] | None = None
    ui_mode: Literal["hosted", "hosted_page"] = "hosted_page"


class UpdateSession(Params):
    """What may still be changed on a session."""

    metadata: Metadata | None = None


class ListSessions(ListParams):
    """Filters of the list of sessions."""

    customer: str | None = None
    payment_intent: str | None = None
    status: Literal["open", "complete", "expired"] | None = None


def create_session(act: Act, params: CreateSession, _ids: Mapping[str, str]) -> Json:
    """Open a session; its page is at `url` until it is paid or expires."""
    _check_payer(act, params)
    subscribes = params.mode == "subscription"
    items = [_item(act, item, subscribes=subscribes) for item in params.line_items]
    currency = items[0]["currency"]
    total = sum(item["amount_total"] for item in items)
    money.check_charge(total, currency, TOO_LITTLE, "line_items")
    hidden = {"line_items": items, **_to_come(params, items[0])}
    session = act.add("checkout.session", _session(act, params, total, currency), hidden)
    act.schedule(session["expires_at"], "expire_session", session["id"])
    return session


def _to_come(params: CreateSession, item: Json) -> Json:
    """Return what the payment, and the subscription if one begins, will carry."""
    if params.mode == "payment":
        intent = params.payment_intent_data or IntentData()
        return {"intent": intent.model_dump(exclude_none=True)}
    begun = params.subscription_data or SubscriptionData()
    priced = {"price": item["price"], "quantity": item["quantity"]}
    return {
        "intent": {"description": "Subscription creation"},
        "subscription": {**begun.model_dump(), **priced},
    }


def _check_mode(params: CreateSession) -> None:
    subscribes = params.mode == "subscription"
    other = "payment_intent_data" if subscribes else "subscription_data"
    if getattr(params, other) is not None:
        message = f"You can not pass `{other}` in `{params.mode}` mode."
        raise InvalidParameters(message, param=other)
    if subscribes and params.customer_creation:
        message = "`customer_creation` can only be used in `payment` mode."
        raise InvalidParameters(message, param="customer_creation")
    if subscribes and len(params.line_items) > 1:
        raise InvalidParameters("This simulator knows subscriptions to one price.")


def _check_payer(act: Act, params: CreateSession) -> None:
    _check_mode(params)
    if params.customer and params.customer_email:
        message = "You may only specify one of these parameters: customer, customer_email."
        raise InvalidParameters(message)
    if params.customer:
        act.find("customer", params.customer, param="customer")
    if len({item.price_data.currency for item in params.line_items}) > 1:
        raise InvalidParameters("All line items must have the same currency.", param="line_items")
    for place, item in enumerate(params.line_items):
        param = f"line_items[{place}][price_data][unit_amount]"
        money.check_fraction(item.price_data.unit_amount, item.price_data.currency, param)


def _expiry(act: Act, params: CreateSession) -> int:
    expires_at = params.expires_at or act.moment + EXPIRES_MAX_SECONDS
    ahead = expires_at - act.moment
    if ahead < EXPIRES_MIN_SECONDS:
        bound = "at least 30 minutes"
    elif ahead > EXPIRES_MAX_SECONDS:
        bound = "less than 24 hours"
    else:
        return expires_at
    message = f"The `expires_at` timestamp must be {bound} from Checkout Session creation."
    raise InvalidParameters(message, param="expires_at")


def _item(act: Act, item: LineItem, *, subscribes: bool) -> Json:
    price = item.price_data
    made = (
        recurring_price(act, price)
        if subscribes
        else new_price(act, price, new_id("prod"), active=False)
    )
    total = price.unit_amount * item.quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price.currency,
        "description": price.product_data.name if price.product_data else None,
        "discounts": [],
        "metadata": {},
        "price": made,
        "quantity": item.quantity,
        "taxes": [],
    }


def _session(act: Act, params: CreateSession, total: int, currency: str) -> Json:
    identifier = new_id("cs_test")
    copied = ("cancel_url", "client_reference_id", "customer", "customer_email", "locale",
              "metadata", "mode", "payment_method_types", "submit_type", "success_url",
              "billing_address_collection")  # fmt: skip
    subscribes = params.mode == "subscription"
    creation = "always" if subscribes else params.customer_creation or "if_required"
    return {
        **_unused(),
        "id": identifier,
        "object": "checkout.session",
        **{name: getattr(params, name) for name in copied},
        "amount_subtotal": total,
        "amount_total": total,
        "created": act.moment,
        "currency": currency,
        "customer_creation": None if params.customer else creation,
        "customer_details": _expected_customer(act, params),
        "expires_at": _expiry(act, params),
        "livemode": False,
        "payment_intent": None,
        "payment_method_collection": "always" if subscribes else "if_required",
        "payment_status": "unpaid",
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{act.base_url}/c/pay/{identifier}",
    }


def _expected_customer(act: Act, params: CreateSession) -> Json | None:
    customer = act.find("customer", params.customer) if params.customer else {}
    email = params.customer_email or customer.get("email")
    known = {"email": email, "name": customer.get("name"), "address": None}
    return {**unknown_payer(), **known} if email else None


def _unused() -> Json:
    """Return the fields of features this platform does not use, as Stripe shows them then."""
    texts = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    empty = (
        "after_expiration allow_promotion_codes client_secret consent consent_collection "
        "currency_conversion customer_account integration_identifier invoice origin_context "
        "payment_link payment_method_configuration_details permissions recovered_from "
        "saved_payment_method_options setup_intent shipping_address_collection shipping_cost "
        "subscription wallet_options collected_information"
    )
    return {
        **dict.fromkeys(empty.split()),
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": dict.fromkeys(texts),
        "discounts": [],
        "invoice_creation": {"enabled": False, "invoice_data": _unused_invoice()},
        "name_collection": {},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
    }


def _unused_invoice() -> Json:
    names = "account_tax_ids custom_fields description footer issuer rendering_options"
    return {**dict.fromkeys(names.split()), "metadata": {}}


def retrieve_session(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a session."""
    return act.find("checkout.session", ids["id"])


def update_session(act: Act, params: UpdateSession, ids: Mapping[str, str]) -> Json:
    """Change the metadata of a session."""
    session = act.find("checkout.session", ids["id"])
    return act.save(session, metadata=merged_metadata(session["metadata"], params.metadata))


def list_sessions(act: Act, params: ListSessions, _ids: Mapping[str, str]) -> Json:
    """Return a page of sessions."""
    names = ("customer", "payment_intent", "status")
    filters = {name: getattr(params, name) for name in names}
    return page(act, "checkout.session", params, "/v1/checkout/sessions", filters)


def expire_session(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Close an open session; one that is complete or expired refuses."""
    session = act.find("checkout.session", ids["id"])
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    return expire(act, session)


def line_items(act: Act, session: Json) -> Json:
    """Return the bill of a session as a list."""
    filed = act.store.find(session["id"])
    items: list[Json] = filed.hidden["line_items"] if filed else []
    return listing(items, f"/v1/checkout/sessions/{session['id']}/line_items")


def list_line_items(act: Act, _params: Page, ids: Mapping[str, str]) -> Json:
    """Return the bill of a session."""
    return line_items(act, act.find("checkout.session", ids["id"]))


ROUTES = (
    Route("POST", "/v1/checkout/sessions", CreateSession, create_session),
    Route("GET", "/v1/checkout/sessions", ListSessions, list_sessions),
    Route("GET", "/v1/checkout/sessions/{id}", Params, retrieve_session),
    Route("POST", "/v1/checkout/sessions/{id}", UpdateSession, update_session),
    Route("POST", "/v1/checkout/sessions/{id}/expire", Params, expire_session),
    Route("GET", "/v1/checkout/sessions/{id}/line_items", Page, list_line_items),
)
