"""Payment intents by API: made, confirmed, captured in full or in part, canceled.

https://docs.stripe.com/api/payment_intents. Money that is only held
(https://docs.stripe.com/payments/place-a-hold-on-a-payment-method) is captured within seven days or
released. Cards are named by Stripe's test payment methods
(https://docs.stripe.com/testing?testing-method=payment-methods).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from simulators.stripe import money, payments
from simulators.stripe.act import Act
from simulators.stripe.cards import CardEntry
from simulators.stripe.errors import Json, StripeError, invalid, missing
from simulators.stripe.lists import page
from simulators.stripe.params import (
    NO_METADATA,
    Amount,
    Currency,
    ListParams,
    Metadata,
    Params,
    Text,
    merged_metadata,
)
from simulators.stripe.routes import Route

CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation",
              "requires_action", "processing")  # fmt: skip
CARD_OF_METHOD = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_bypassPending": "4000000000000077",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_createDisputeProductNotReceived": "4000000000002685",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_authenticationRequired": "4000002760003184",
}
"""Stripe's test payment methods by the card they stand for."""
TOO_LITTLE = "Amount must be at least"
CancellationReason = Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"]


class ListIntents(ListParams):
    """Filters of the list of payment intents."""

    customer: str | None = None


class CreateIntent(Params):
    """What is to be paid, and whether it is only held at first."""

    amount: Amount
    currency: Currency
    capture_method: Literal["automatic", "automatic_async", "manual"] = "automatic_async"
    confirm: bool = False
    customer: str | None = None
    description: Text | None = None
    metadata: Metadata = NO_METADATA
    payment_method: str | None = None
    payment_method_types: tuple[Literal["card"], ...] = ("card",)
    receipt_email: str | None = None
    transfer_group: Text | None = None


class UpdateIntent(Params):
    """What may still be changed on a payment intent."""

    metadata: Metadata | None = None
    description: Text | None = None
    transfer_group: Text | None = None


class ConfirmIntent(Params):
    """With which card to try."""

    payment_method: str | None = None


class CaptureIntent(Params):
    """How much of what is held is taken; all of it when no amount is named."""

    amount_to_capture: Amount | None = None
    metadata: Metadata | None = None


class CancelIntent(Params):
    """Why a payment intent is canceled."""

    cancellation_reason: CancellationReason | None = None


def create_intent(act: Act, params: CreateIntent, _ids: Mapping[str, str]) -> Json | StripeError:
    """Make a payment intent, and confirm it if that is asked for."""
    money.check_charge(params.amount, params.currency, TOO_LITTLE, "amount")
    names = {"amount", "currency", "confirm", "expand", "payment_method"}
    details: Json = params.model_dump(exclude=names, exclude_none=True)
    details["payment_method_types"] = list(params.payment_method_types)
    intent = payments.create_intent(act, params.amount, params.currency, details)
    if params.payment_method:
        _card(params.payment_method)
        changes = {"status": "requires_confirmation", "payment_method": params.payment_method}
        intent = act.save(intent, **changes)
    return _tried(act, intent) if params.confirm else intent


def confirm_intent(act: Act, params: ConfirmIntent, ids: Mapping[str, str]) -> Json | StripeError:
    """Try the card that is named, or the one that was named before."""
    intent = act.find("payment_intent", ids["id"])
    if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
        raise _unexpected(intent, "confirm")
    method = params.payment_method or intent["payment_method"]
    return _tried(act, act.save(intent, payment_method=method))


def _tried(act: Act, intent: Json) -> Json | StripeError:
    if intent["payment_method"] is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(message, code="payment_intent_unexpected_state", payment_intent=intent)
    entry = CardEntry(_card(intent["payment_method"]))
    act.store.hide(intent["id"], {"entry": asdict(entry)})
    url = f"{act.base_url}/c/authenticate/{intent['id']}"
    tried = payments.confirm(act, intent, entry, authenticated=False, page=url)
    error = tried["last_payment_error"]
    return _declined(tried) if error else tried


def _declined(intent: Json) -> StripeError:
    """Return the refusal of a card; the charge that failed stays."""
    said = {key: text for key, text in intent["last_payment_error"].items() if key != "doc_url"}
    return StripeError(402, said.pop("type"), said.pop("message"), payment_intent=intent, **said)


def _card(method: str) -> str:
    if method not in CARD_OF_METHOD:
        raise missing("PaymentMethod", method, param="payment_method")
    return CARD_OF_METHOD[method]


def authenticate_intent(act: Act, intent: Json, *, passed: bool) -> Json:
    """Answer the 3-D Secure challenge of an intent that was confirmed by API."""
    if intent["status"] != "requires_action":
        raise invalid("This payment does not wait for authentication.")
    if not passed:
        return payments.fail_authentication(act, intent)
    filed = act.filed("payment_intent", intent["id"])
    entry = CardEntry(**filed.hidden["entry"]) if filed else CardEntry("")
    return payments.confirm(act, intent, entry, authenticated=True, page="")


def capture_intent(act: Act, params: CaptureIntent, ids: Mapping[str, str]) -> Json:
    """Take what is held, or a part of it."""
    intent = act.find("payment_intent", ids["id"])
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "capture")
    amount = params.amount_to_capture or intent["amount_capturable"]
    if amount > intent["amount_capturable"]:
        message = "The amount to capture exceeds what can be captured of this PaymentIntent."
        raise invalid(message, code="amount_too_large", param="amount_to_capture")
    money.check_fraction(amount, intent["currency"], "amount_to_capture")
    metadata = merged_metadata(intent["metadata"], params.metadata)
    captured = payments.capture(act, act.save(intent, metadata=metadata), amount)
    if session := _session_of(act, captured):
        act.save(session, payment_status="paid")
    return captured


def cancel_intent(act: Act, params: CancelIntent, ids: Mapping[str, str]) -> Json:
    """Cancel a payment intent; one that belongs to an open session is canceled by expiring it."""
    intent = act.find("payment_intent", ids["id"])
    if intent["status"] not in CANCELABLE:
        raise _unexpected(intent, "cancel")
    session = _session_of(act, intent)
    if session and session["status"] == "open":
        raise invalid(
            "You cannot cancel a PaymentIntent that was created by a Checkout Session. Expire the "
            "Checkout Session instead.",
            code="payment_intent_unexpected_state",
        )
    return payments.cancel(act, intent, params.cancellation_reason)


def _session_of(act: Act, intent: Json) -> Json | None:
    found = act.store.page("checkout.session", act.owner, {"payment_intent": intent["id"]}, 1)
    return found[0].body if found else None


def _unexpected(intent: Json, verb: str) -> StripeError:
    wanted = {"capture": ("requires_capture",), "cancel": CANCELABLE}
    only = ", ".join(wanted.get(verb, ("requires_payment_method", "requires_confirmation")))
    return invalid(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. "
        f"Only a PaymentIntent with one of the following statuses may be so treated: {only}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def list_intents(act: Act, params: ListIntents, _ids: Mapping[str, str]) -> Json:
    """Return a page of payment intents."""
    filters = {"customer": params.customer}
    return page(act, "payment_intent", params, "/v1/payment_intents", filters)


def retrieve_intent(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a payment intent."""
    return act.find("payment_intent", ids["id"])


def update_intent(act: Act, params: UpdateIntent, ids: Mapping[str, str]) -> Json:
    """Change what describes a payment intent."""
    intent = act.find("payment_intent", ids["id"])
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    return act.save(intent, **given, metadata=merged_metadata(intent["metadata"], params.metadata))


ROUTES = (
    Route("POST", "/v1/payment_intents", CreateIntent, create_intent),
    Route("GET", "/v1/payment_intents", ListIntents, list_intents),
    Route("GET", "/v1/payment_intents/{id}", Params, retrieve_intent),
    Route("POST", "/v1/payment_intents/{id}", UpdateIntent, update_intent),
    Route("POST", "/v1/payment_intents/{id}/confirm", ConfirmIntent, confirm_intent),
    Route("POST", "/v1/payment_intents/{id}/capture", CaptureIntent, capture_intent),
    Route("POST", "/v1/payment_intents/{id}/cancel", CancelIntent, cancel_intent),
)
