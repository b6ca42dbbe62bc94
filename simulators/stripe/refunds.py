"""Refunds: full, partial, pending and failing (https://docs.stripe.com/refunds).

A refund takes the amount from the platform's balance; Stripe's fee is not returned, and transfers
are not touched. Money of a charge that is still pending is taken from the same pending money; else
the available balance must cover it, or the refund waits as `pending` for `insufficient_funds`
until enough money has come, from wherever it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from simulators.stripe import books, dispute_flow, money
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.errors import InvalidParameters, Json, invalid
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import (
    NO_METADATA,
    Amount,
    ListParams,
    Metadata,
    Page,
    Params,
    merged_metadata,
)
from simulators.stripe.routes import Route

PENDING_REFUND_SECONDS = 3600
"""How long the refund test cards of Stripe keep a refund pending here (business clock)."""

SHOWN_REFUNDS = 10
WAITING_MAX = 10_000


class CreateRefund(Params):
    """What to give back; the whole rest when no amount is named."""

    charge: str | None = None
    payment_intent: str | None = None
    amount: Amount | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    metadata: Metadata = NO_METADATA


class UpdateRefund(Params):
    """Only metadata can change."""

    metadata: Metadata | None = None


class ListRefunds(ListParams):
    """Filters of the list of refunds."""

    charge: str | None = None
    payment_intent: str | None = None


def create_refund(act: Act, params: CreateRefund, _ids: Mapping[str, str]) -> Json:
    """Give money back to the card."""
    charge = _charge_of(act, params)
    rest = charge["amount"] - charge["amount_refunded"]
    if rest == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    rest -= dispute_flow.withdrawn_of(act, charge)
    if rest <= 0:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise invalid(message, code="charge_disputed")
    amount = params.amount or rest
    if amount > rest:
        asked, left = (money.written(n, charge["currency"]) for n in (amount, rest))
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({left})"
        raise invalid(message, param="amount")
    money.check_fraction(amount, charge["currency"], "amount")
    refund = act.add("refund", _refund(act, params, charge, amount))
    refunded = charge["amount_refunded"] + amount
    act.save(charge, amount_refunded=refunded, refunded=refunded == charge["amount"])
    refund = _begin(act, refund, charge)
    act.announce("refund.created", refund)
    charge = act.find("charge", charge["id"])
    act.announce("charge.refunded", charge, {"amount_refunded": refunded - amount})
    return refund


def _charge_of(act: Act, params: CreateRefund) -> Json:
    identifier = params.charge
    if params.payment_intent:
        intent = act.find("payment_intent", params.payment_intent, param="payment_intent")
        if intent["status"] != "succeeded":
            message = (
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
            raise invalid(message)
        identifier = intent["latest_charge"]
    if identifier is None:
        message = "One of the following params should be provided for this request: "
        raise InvalidParameters(message + "payment_intent or charge.")
    charge = act.find("charge", identifier, param="charge")
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {identifier} cannot be refunded because it failed.")
    if not charge["captured"]:
        raise invalid(f"Charge {identifier} is not captured: cancel its PaymentIntent instead.")
    return charge


def _refund(act: Act, params: CreateRefund, charge: Json, amount: int) -> Json:
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number"}
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": act.moment,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"type": "card", "card": {**card, "type": "refund"}},
        "metadata": params.metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }


def _begin(act: Act, refund: Json, charge: Json) -> Json:
    source = act.find("balance_transaction", charge["balance_transaction"])
    settled = source["available_on"] <= act.moment
    if settled and _short(act, refund):
        return act.save(refund, pending_reason="insufficient_funds")
    return act.save(refund, **_sent(act, refund, source["available_on"]))


def _short(act: Act, refund: Json) -> bool:
    return books.balance(act, "available", refund["currency"]) < refund["amount"]


def _sent(act: Act, refund: Json, available_on: int) -> Json:
    """Take the money and return what is new: most cards have it at once, some test cards differ."""
    charge = act.filed("charge", refund["charge"])
    behaviour = charge.hidden["refund"] if charge else "succeeds"
    taken = {"balance_transaction": _take_money(act, refund, available_on)}
    later = act.moment + PENDING_REFUND_SECONDS
    if behaviour == "pends":
        act.schedule(later, "finish_refund", refund["id"])
        return {**taken, "pending_reason": "processing"}
    if behaviour == "fails":
        act.schedule(later, "fail_refund", refund["id"])
    return {**taken, "status": "succeeded"}


def _take_money(act: Act, refund: Json, available_on: int) -> str:
    posting = books.Posting(
        kind="refund",
        amount=-refund["amount"],
        currency=refund["currency"],
        source=refund["id"],
        other_side=books.CARDS,
        available_on=max(available_on, act.moment),
        description="REFUND FOR CHARGE",
    )
    return str(books.post(act, posting)["id"])


def send_waiting_refunds(act: Act) -> None:
    """Send refunds that waited for the platform's balance, oldest first, as far as it goes."""
    if act.owner != PLATFORM:
        return
    pending = act.store.page("refund", act.owner, {"status": "pending"}, WAITING_MAX)
    for old in (filed.body for filed in reversed(pending)):
        if old.get("pending_reason") == "insufficient_funds" and not _short(act, old):
            _update(act, old, **_sent(act, old, act.moment))


def finish_refund(act: Act, identifier: str) -> None:
    """Say that the bank has taken a pending refund."""
    refund = act.find("refund", identifier)
    if refund["status"] == "pending":
        _update(act, refund, status="succeeded")


def fail_refund(act: Act, identifier: str, reason: str = "expired_or_canceled_card") -> Json:
    """Let the bank send a refund back: the money returns to the balance.

    The charge can then be refunded again (https://docs.stripe.com/refunds#failed-refunds).
    """
    refund = act.find("refund", identifier)
    if refund["status"] not in ("pending", "succeeded"):
        raise invalid(f"This refund has a status of {refund['status']}.")
    returned = _return_money(act, refund)
    charge = act.find("charge", refund["charge"])
    rest = charge["amount_refunded"] - refund["amount"]
    changed = act.save(charge, amount_refunded=rest, refunded=False)
    failed = _update(act, refund, **returned, status="failed", failure_reason=reason)
    act.announce("refund.failed", failed)
    act.changed("charge.updated", charge, changed)
    return failed


def fail_refund_when_due(act: Act, identifier: str) -> None:
    """Let the bank send a refund back unless that was done by a control already."""
    if act.find("refund", identifier)["status"] == "succeeded":
        fail_refund(act, identifier)


def _return_money(act: Act, refund: Json) -> Json:
    if refund["balance_transaction"] is None:
        return {}
    taken = act.find("balance_transaction", refund["balance_transaction"])
    posting = books.Posting(
        kind="refund_failure",
        amount=refund["amount"],
        currency=refund["currency"],
        source=refund["id"],
        other_side=books.CARDS,
        available_on=max(taken["available_on"], act.moment),
        description="REFUND FAILURE",
    )
    return {"failure_balance_transaction": books.post(act, posting)["id"]}


def _update(act: Act, old: Json, **changes: object) -> Json:
    kept = {name: value for name, value in old.items() if name != "pending_reason"}
    saved = act.save(kept, **changes)
    act.changed("refund.updated", old, saved)
    act.changed("charge.refund.updated", old, saved)
    return saved


def refunds_of_charge(act: Act, charge: Json) -> Json:
    """Return the refunds of a charge as a list."""
    rows = act.store.page("refund", act.owner, {"charge": charge["id"]}, SHOWN_REFUNDS + 1)
    shown = [row.body for row in rows[:SHOWN_REFUNDS]]
    more = len(rows) > SHOWN_REFUNDS
    return listing(shown, f"/v1/charges/{charge['id']}/refunds", has_more=more)


def list_refunds_of_charge(act: Act, params: Page, ids: Mapping[str, str]) -> Json:
    """Return a page of the refunds of a charge."""
    charge = act.find("charge", ids["id"])
    return page(act, "refund", params, f"/v1/charges/{charge['id']}/refunds", {"charge": ids["id"]})


def retrieve_refund(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a refund."""
    return act.find("refund", ids["id"])


def update_refund(act: Act, params: UpdateRefund, ids: Mapping[str, str]) -> Json:
    """Change the metadata of a refund."""
    old = act.find("refund", ids["id"])
    new = act.save(old, metadata=merged_metadata(old["metadata"], params.metadata))
    act.changed("refund.updated", old, new)
    return new


def list_refunds(act: Act, params: ListRefunds, _ids: Mapping[str, str]) -> Json:
    """Return a page of refunds."""
    filters = {"charge": params.charge, "payment_intent": params.payment_intent}
    return page(act, "refund", params, "/v1/refunds", filters)


ROUTES = (
    Route("POST", "/v1/refunds", CreateRefund, create_refund),
    Route("GET", "/v1/refunds", ListRefunds, list_refunds),
    Route("GET", "/v1/charges/{id}/refunds", Page, list_refunds_of_charge),
    Route("GET", "/v1/refunds/{id}", Params, retrieve_refund),
    Route("POST", "/v1/refunds/{id}", UpdateRefund, update_refund),
)
