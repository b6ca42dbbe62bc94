"""Payment intents and charges: what happens to a card between "pay" and the balance.

https://docs.stripe.com/payments/paymentintents/lifecycle, https://docs.stripe.com/api/charges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulators.stripe import books, money
from simulators.stripe.act import Act
from simulators.stripe.cards import (
    CardBehaviour,
    CardEntry,
    behaviour_of,
    declined,
    payment_method_details,
)
from simulators.stripe.errors import Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import page
from simulators.stripe.params import ListParams, Metadata, Params, Text, merged_metadata
from simulators.stripe.routes import Route

FUNDS_DELAY_DAYS = 2
"""Card funds of a US account are available two days after the charge, at midnight UTC
(https://docs.stripe.com/payouts#payout-speed)."""

HOLD_DAYS = 7
"""How long the bank holds money that is not captured
(https://docs.stripe.com/payments/place-a-hold-on-a-payment-method)."""

_INTENT_UNSET = (
    "application application_fee_amount automatic_payment_methods canceled_at "
    "cancellation_reason customer description last_payment_error latest_charge next_action "
    "on_behalf_of payment_method payment_method_configuration_details processing "
    "receipt_email review setup_future_usage shipping statement_descriptor "
    "statement_descriptor_suffix transfer_data transfer_group"
).split()
_CHARGE_UNSET = (
    "application application_fee application_fee_amount balance_transaction "
    "failure_balance_transaction failure_code failure_message on_behalf_of receipt_number "
    "review shipping source_transfer statement_descriptor statement_descriptor_suffix "
    "transfer_data"
).split()
"""What is null until something says otherwise."""


class ListCharges(ListParams):
    """Filters of the list of charges."""

    customer: str | None = None
    payment_intent: str | None = None
    transfer_group: str | None = None


class UpdateCharge(Params):
    """What may still be changed on a charge."""

    metadata: Metadata | None = None
    description: Text | None = None
    transfer_group: Text | None = None


def create_intent(act: Act, amount: int, currency: str, details: Json) -> Json:
    """File a payment intent that waits for a payment method."""
    identifier = new_id("pi")
    intent: Json = {
        **dict.fromkeys(_INTENT_UNSET),
        "id": identifier,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{new_id('s')[2:]}",
        "confirmation_method": "automatic",
        "created": act.moment,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        **details,
    }
    act.add("payment_intent", intent)
    act.announce("payment_intent.created", intent)
    return intent


def confirm(act: Act, intent: Json, entry: CardEntry, *, authenticated: bool, page: str) -> Json:
    """Try a card: the intent comes back paid, held, asking for authentication, or declined."""
    behaviour = behaviour_of(entry)
    if not authenticated:
        behaviour = _troubled(act, intent, behaviour)
        if behaviour.challenge:
            return _ask_for_authentication(act, intent, page)
    if behaviour.code:
        return _decline(act, intent, entry, behaviour)
    challenged = authenticated and intent["status"] == "requires_action"
    charge = _charge(act, intent, entry, challenged=challenged)
    act.announce("charge.succeeded", charge)
    tried = act.save(
        intent,
        latest_charge=charge["id"],
        payment_method=charge["payment_method"],
        last_payment_error=None,
        next_action=None,
    )
    return _paid(act, tried, charge) if charge["captured"] else _held(act, tried)


def _troubled(act: Act, intent: Json, behaviour: CardBehaviour) -> CardBehaviour:
    """Return how the card behaves this time: a fault may have been ordered for it."""
    fault = act.faults.strike_card(intent["id"])
    if fault is None:
        return behaviour
    if fault.kind == "card_declined":
        return declined(behaviour)
    return replace(behaviour, challenge=True)


def capture(act: Act, intent: Json, amount: int) -> Json:
    """Take held money, or a part of it: the bank releases the rest at once."""
    charge = act.find("charge", intent["latest_charge"])
    filed = act.filed("charge", charge["id"])
    at_once = bool(filed and filed.hidden["at_once"])
    captured = act.save(
        charge,
        captured=True,
        amount_captured=amount,
        amount_refunded=charge["amount"] - amount,
        balance_transaction=_book(act, charge, amount, at_once=at_once),
    )
    act.changed("charge.captured", charge, captured)
    act.store.unschedule("expire_hold", intent["id"])
    return _paid(act, intent, captured)


def expire_hold(act: Act, identifier: str) -> None:
    """Let the bank release what nobody captured in time."""
    intent = act.find("payment_intent", identifier)
    if intent["status"] == "requires_capture":
        cancel(act, intent, "automatic")
        act.announce("charge.expired", act.find("charge", intent["latest_charge"]))


def _paid(act: Act, intent: Json, charge: Json) -> Json:
    received = charge["amount_captured"]
    paid = act.save(intent, status="succeeded", amount_received=received, amount_capturable=0)
    act.announce("payment_intent.succeeded", paid)
    return paid


def _held(act: Act, intent: Json) -> Json:
    held = act.save(intent, status="requires_capture", amount_capturable=intent["amount"])
    act.announce("payment_intent.amount_capturable_updated", held)
    act.schedule(act.moment + HOLD_DAYS * books.DAY_SECONDS, "expire_hold", intent["id"])
    return held


def fail_authentication(act: Act, intent: Json) -> Json:
    """Note that the card holder did not pass 3-D Secure; another try is possible."""
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment "
        "method and try again."
    )
    code = "payment_intent_authentication_failure"
    return _failed(act, intent, _payment_error(code, message, None, None), intent["latest_charge"])


def cancel(act: Act, intent: Json, reason: str | None) -> Json:
    """Cancel an intent that has not taken money; what it holds is released."""
    if intent["status"] == "requires_capture":
        charge = act.find("charge", intent["latest_charge"])
        act.save(charge, amount_refunded=charge["amount"], refunded=True)
        act.store.unschedule("expire_hold", intent["id"])
    canceled = act.save(
        intent,
        status="canceled",
        amount_capturable=0,
        canceled_at=act.moment,
        cancellation_reason=reason,
        next_action=None,
    )
    act.announce("payment_intent.canceled", canceled)
    return canceled


def _ask_for_authentication(act: Act, intent: Json, page: str) -> Json:
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": page, "return_url": page}}
    waiting = act.save(
        intent, status="requires_action", next_action=action, payment_method=new_id("pm")
    )
    act.announce("payment_intent.requires_action", waiting)
    return waiting


def _decline(act: Act, intent: Json, entry: CardEntry, behaviour: CardBehaviour) -> Json:
    charge = _new_charge(act, intent, entry, challenged=False)
    charge |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": behaviour.code,
        "failure_message": behaviour.message,
        "outcome": {
            **charge["outcome"],
            "network_decline_code": "05",
            "network_status": "declined_by_network",
            "reason": behaviour.decline_code or behaviour.code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
        "paid": False,
        "receipt_url": None,
        "status": "failed",
    }
    act.add("charge", charge)
    act.announce("charge.failed", charge)
    error = _payment_error(
        behaviour.code or "card_declined",
        behaviour.message or "",
        behaviour.decline_code,
        charge["id"],
    )
    return _failed(act, intent, error, charge["id"])


def _payment_error(code: str, message: str, decline: str | None, charge: str | None) -> Json:
    card = "card_error" if charge else "invalid_request_error"
    doc = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    extra = {key: value for key, value in (("charge", charge), ("decline_code", decline)) if value}
    return {"code": code, "doc_url": doc, "message": message, "type": card, **extra}


def _failed(act: Act, intent: Json, error: Json, charge: str | None) -> Json:
    failed = act.save(
        intent,
        status="requires_payment_method",
        last_payment_error=error,
        latest_charge=charge,
        next_action=None,
        payment_method=None,
    )
    act.announce("payment_intent.payment_failed", failed)
    return failed


def _charge(act: Act, intent: Json, entry: CardEntry, *, challenged: bool) -> Json:
    behaviour = behaviour_of(entry)
    charge = _new_charge(act, intent, entry, challenged=challenged)
    hidden: Json = {
        "refund": behaviour.refund,
        "dispute": {"reason": behaviour.dispute, "inquiry": behaviour.inquiry},
        "at_once": behaviour.available_at_once,
    }
    if intent["capture_method"] == "manual":
        return act.add("charge", charge | {"captured": False, "amount_captured": 0}, hidden)
    at_once = behaviour.available_at_once
    charge["balance_transaction"] = _book(act, charge, charge["amount"], at_once=at_once)
    if behaviour.dispute:
        act.schedule(act.moment, "open_dispute", charge["id"])
    return act.add("charge", charge, hidden)


def _book(act: Act, charge: Json, amount: int, *, at_once: bool) -> str:
    """Book what a charge takes, and return the balance transaction."""
    currency, fee = charge["currency"], money.card_fee(amount)
    delay = FUNDS_DELAY_DAYS * books.DAY_SECONDS
    posting = books.Posting(
        kind="charge",
        amount=amount,
        currency=currency,
        source=charge["id"],
        other_side=books.CARDS,
        fee=fee,
        fee_details=money.fee_details(fee, currency),
        available_on=act.moment if at_once else books.midnight_after(act.moment) + delay,
        description=charge["description"],
    )
    return str(books.post(act, posting)["id"])


def _new_charge(act: Act, intent: Json, entry: CardEntry, *, challenged: bool) -> Json:
    identifier = new_id("ch")
    copied = ("amount", "currency", "customer", "description", "metadata", "transfer_group")
    return {
        **dict.fromkeys(_CHARGE_UNSET),
        "id": identifier,
        "object": "charge",
        **{name: intent[name] for name in copied},
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "billing_details": _billing(entry),
        "calculated_statement_descriptor": "MENTORIUM",
        "captured": True,
        "created": act.moment,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "outcome": _outcome(),
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"] or new_id("pm"),
        "payment_method_details": payment_method_details(entry, challenged),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_url": f"{act.base_url}/receipts/{identifier}",
        "refunded": False,
        "status": "succeeded",
    }


def _billing(entry: CardEntry) -> Json:
    lines = {"city": None, "line1": None, "line2": None, "state": None}
    address = {**lines, "country": entry.country, "postal_code": entry.postal_code}
    return {
        "address": address,
        "email": entry.email,
        "name": entry.name,
        "phone": None,
        "tax_id": None,
    }


def _outcome() -> Json:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def list_charges(act: Act, params: ListCharges, _ids: Mapping[str, str]) -> Json:
    """Return a page of charges."""
    names = ("customer", "payment_intent", "transfer_group")
    filters = {name: getattr(params, name) for name in names}
    return page(act, "charge", params, "/v1/charges", filters)


def retrieve_charge(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a charge."""
    return act.find("charge", ids["id"])


def update_charge(act: Act, params: UpdateCharge, ids: Mapping[str, str]) -> Json:
    """Change what describes a charge."""
    old = act.find("charge", ids["id"])
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    new = act.save(old, **given, metadata=merged_metadata(old["metadata"], params.metadata))
    act.changed("charge.updated", old, new)
    return new


ROUTES = (
    Route("GET", "/v1/charges", ListCharges, list_charges),
    Route("GET", "/v1/charges/{id}", Params, retrieve_charge),
    Route("POST", "/v1/charges/{id}", UpdateCharge, update_charge),
)
