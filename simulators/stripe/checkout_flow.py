"""What becomes of a Checkout Session: paid, declined and tried again, challenged, or expired.

https://docs.stripe.com/payments/checkout/how-checkout-works. Like Stripe, the payment intent comes
into being when the payer first submits a card, not when the session is opened.
"""

from __future__ import annotations

from dataclasses import asdict

from simulators.stripe import billing_subscriptions as billing
from simulators.stripe import payments
from simulators.stripe.act import Act
from simulators.stripe.cards import CardEntry
from simulators.stripe.customers import guest_customer
from simulators.stripe.errors import Json, invalid

TAKEN = ("succeeded", "requires_capture")
"""What an intent is when the card was good; money that is only held is not paid yet."""
CLOSED = "This Checkout Session is no longer open (status: {status})."


def submit(act: Act, session: Json, entry: CardEntry) -> Json:
    """Try a card on an open session; returns the session, complete when the payment succeeded."""
    _refuse_closed(session)
    intent, session = _intent(act, session)
    page = f"{act.base_url}/c/authenticate/{session['id']}"
    intent = payments.confirm(act, intent, entry, authenticated=False, page=page)
    _remember_entry(act, session, entry)
    return _complete(act, session, intent, entry) if intent["status"] in TAKEN else session


def authenticate(act: Act, session: Json, *, passed: bool) -> Json:
    """Answer the 3-D Secure challenge; money is taken only while the session is open."""
    _refuse_closed(session)
    intent = _intent(act, session)[0]
    if intent["status"] != "requires_action":
        raise invalid("This payment does not wait for authentication.")
    if not passed:
        payments.fail_authentication(act, intent)
        return session
    entry = CardEntry(**_hidden(act, session)["entry"])
    intent = payments.confirm(act, intent, entry, authenticated=True, page="")
    return _complete(act, session, intent, entry) if intent["status"] in TAKEN else session


def expire(act: Act, session: Json) -> Json:
    """Close a session that was not paid, and cancel its payment intent if there is one."""
    intent = _begun(act, session)
    if intent:
        payments.cancel(act, intent, "expired")
    expired = act.save(session, status="expired", url=None)
    act.store.unschedule("expire_session", session["id"])
    act.announce("checkout.session.expired", expired)
    return expired


def expire_when_due(act: Act, identifier: str) -> None:
    """Close a session whose `expires_at` has come."""
    session = act.find("checkout.session", identifier)
    if session["status"] == "open":
        expire(act, session)


def message_for(act: Act, session: Json) -> str | None:
    """Return what the payer should be told about the last try, if it failed."""
    intent = _begun(act, session)
    error = intent["last_payment_error"] if intent else None
    return error["message"] if error else None


def waits_for_authentication(act: Act, session: Json) -> bool:
    """Tell whether the payer is expected at the bank's page."""
    intent = _begun(act, session)
    return intent is not None and intent["status"] == "requires_action"


def _refuse_closed(session: Json) -> None:
    if session["status"] != "open":
        raise invalid(CLOSED.format(status=session["status"]))


def _intent(act: Act, session: Json) -> tuple[Json, Json]:
    begun = _begun(act, session)
    if begun:
        return begun, session
    hidden = _hidden(act, session)
    given = {**hidden["intent"], "customer": session["customer"]}
    total, currency = session["amount_total"], session["currency"]
    intent = payments.create_intent(act, total, currency, given)
    if session["mode"] == "payment":
        return intent, act.save(session, payment_intent=intent["id"])
    act.store.hide(session["id"], {**hidden, "first_intent": intent["id"]})
    return intent, session


def _begun(act: Act, session: Json) -> Json | None:
    """Return the intent of the payment, if a card was submitted; a subscription's is not shown."""
    known = session["payment_intent"] or _hidden(act, session).get("first_intent")
    return act.find("payment_intent", known) if known else None


def _hidden(act: Act, session: Json) -> Json:
    filed = act.filed("checkout.session", session["id"])
    return filed.hidden if filed else {}


def _remember_entry(act: Act, session: Json, entry: CardEntry) -> None:
    act.store.hide(session["id"], {**_hidden(act, session), "entry": asdict(entry)})


def _complete(act: Act, session: Json, intent: Json, entry: CardEntry) -> Json:
    customer = session["customer"]
    if customer is None and session["customer_creation"] == "always":
        customer = guest_customer(act, entry.email, entry.name)["id"]
        intent = act.save(intent, customer=customer)
    lines = {"city": None, "line1": None, "line2": None, "state": None}
    address = {**lines, "country": entry.country, "postal_code": entry.postal_code}
    details = {
        **(session["customer_details"] or unknown_payer()),
        "address": address,
        "email": entry.email,
        "name": entry.name,
    }
    session = act.save(session, customer=customer)
    completed = act.save(
        session,
        **_subscribed(act, session, intent, entry),
        status="complete",
        payment_status="unpaid" if intent["status"] == "requires_capture" else "paid",
        customer_details=details,
        url=None,
    )
    act.store.unschedule("expire_session", session["id"])
    act.announce("checkout.session.completed", completed)
    return completed


def _subscribed(act: Act, session: Json, intent: Json, entry: CardEntry) -> Json:
    if session["mode"] == "payment":
        return {}
    given = _hidden(act, session)["subscription"]
    subscription, invoice = billing.begin(act, session, given, intent, entry)
    return {"subscription": subscription, "invoice": invoice}


def unknown_payer() -> Json:
    """Return what a session shows of a payer who has said nothing yet."""
    unknown = dict.fromkeys(("business_name", "individual_name", "phone", "tax_ids"))
    return {**unknown, "tax_exempt": "none"}
