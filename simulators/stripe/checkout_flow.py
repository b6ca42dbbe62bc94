"""What becomes of a Checkout Session: paid, declined and tried again, challenged, or expired.

https://docs.stripe.com/payments/checkout/how-checkout-works. Like Stripe, the payment intent comes
into being when the payer first submits a card, not when the session is opened.
"""

from __future__ import annotations

from dataclasses import asdict

from simulators.stripe import payments
from simulators.stripe.act import Act
from simulators.stripe.cards import CardEntry
from simulators.stripe.customers import guest_customer
from simulators.stripe.errors import Json, invalid

CLOSED = "This Checkout Session is no longer open (status: {status})."


def submit(act: Act, session: Json, entry: CardEntry) -> Json:
    """Try a card on an open session; returns the session, complete when the payment succeeded."""
    _refuse_closed(session)
    intent, session = _intent(act, session)
    page = f"{act.base_url}/c/authenticate/{session['id']}"
    intent = payments.confirm(act, intent, entry, authenticated=False, page=page)
    _remember_entry(act, session, entry)
    return _complete(act, session, intent, entry) if intent["status"] == "succeeded" else session


def authenticate(act: Act, session: Json, *, passed: bool) -> Json:
    """Answer the 3-D Secure challenge; money is taken only while the session is open."""
    _refuse_closed(session)
    intent = _intent(act, session)[0]
    if intent["status"] != "requires_action":
        raise invalid("This payment does not wait for authentication.")
    if not passed:
        payments.fail_authentication(act, intent)
        return session
    filed = act.filed("checkout.session", session["id"])
    entry = CardEntry(**filed.hidden["entry"]) if filed else CardEntry("")
    intent = payments.confirm(act, intent, entry, authenticated=True, page="")
    return _complete(act, session, intent, entry) if intent["status"] == "succeeded" else session


def expire(act: Act, session: Json) -> Json:
    """Close a session that was not paid, and cancel its payment intent if there is one."""
    if session["payment_intent"]:
        intent = act.find("payment_intent", session["payment_intent"])
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
    if not session["payment_intent"]:
        return None
    error = act.find("payment_intent", session["payment_intent"])["last_payment_error"]
    return error["message"] if error else None


def waits_for_authentication(act: Act, session: Json) -> bool:
    """Tell whether the payer is expected at the bank's page."""
    if not session["payment_intent"]:
        return False
    intent = act.find("payment_intent", session["payment_intent"])
    return intent["status"] == "requires_action"


def _refuse_closed(session: Json) -> None:
    if session["status"] != "open":
        raise invalid(CLOSED.format(status=session["status"]))


def _intent(act: Act, session: Json) -> tuple[Json, Json]:
    if session["payment_intent"]:
        return act.find("payment_intent", session["payment_intent"]), session
    filed = act.filed("checkout.session", session["id"])
    given = dict(filed.hidden["intent"]) if filed else {}
    given["customer"] = session["customer"]
    total, currency = session["amount_total"], session["currency"]
    intent = payments.create_intent(act, total, currency, given)
    return intent, act.save(session, payment_intent=intent["id"])


def _remember_entry(act: Act, session: Json, entry: CardEntry) -> None:
    filed = act.filed("checkout.session", session["id"])
    if filed:
        act.store.hide(session["id"], {**filed.hidden, "entry": asdict(entry)})


def _complete(act: Act, session: Json, intent: Json, entry: CardEntry) -> Json:
    customer = session["customer"]
    if customer is None and session["customer_creation"] == "always":
        customer = guest_customer(act, entry.email, entry.name)["id"]
        act.save(intent, customer=customer)
    lines = {"city": None, "line1": None, "line2": None, "state": None}
    address = {**lines, "country": entry.country, "postal_code": entry.postal_code}
    details = {
        **(session["customer_details"] or unknown_payer()),
        "address": address,
        "email": entry.email,
        "name": entry.name,
    }
    completed = act.save(
        session,
        status="complete",
        payment_status="paid",
        customer=customer,
        customer_details=details,
        url=None,
    )
    act.store.unschedule("expire_session", session["id"])
    act.announce("checkout.session.completed", completed)
    return completed


def unknown_payer() -> Json:
    """Return what a session shows of a payer who has said nothing yet."""
    unknown = dict.fromkeys(("business_name", "individual_name", "phone", "tax_ids"))
    return {**unknown, "tax_exempt": "none"}
