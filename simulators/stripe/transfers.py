"""Transfers to connected accounts and their reversals (https://docs.stripe.com/connect/separate-charges-and-transfers).

A transfer tied to a charge by `source_transaction` always succeeds while that charge is pending,
and becomes available with it; otherwise the platform's available balance must cover it.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulators.stripe import books
from simulators.stripe.accounts import is_closed
from simulators.stripe.act import Act
from simulators.stripe.errors import (
    InvalidParameters,
    Json,
    insufficient_balance,
    invalid,
    missing,
)
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import (
    NO_METADATA,
    Amount,
    Currency,
    ListParams,
    Metadata,
    Page,
    Params,
    Text,
    merged_metadata,
)
from simulators.stripe.payouts import plan_payout
from simulators.stripe.routes import Route

TRANSIT = (books.STRIPE, "transit")
"""Between two accounts: zero after every transfer and reversal."""
SHOWN_REVERSALS = 10
TRANSFERS_PER_CHARGE_MAX = 1000


class CreateTransfer(Params):
    """What to send to whom."""

    amount: Amount
    currency: Currency
    destination: str
    source_transaction: str | None = None
    transfer_group: Text | None = None
    description: Text | None = None
    metadata: Metadata = NO_METADATA


class UpdateTransfer(Params):
    """What may still be changed on a transfer."""

    metadata: Metadata | None = None
    description: Text | None = None


class ListTransfers(ListParams):
    """Filters of the list of transfers."""

    destination: str | None = None
    transfer_group: str | None = None


class CreateReversal(Params):
    """How much to take back; the whole rest when no amount is named."""

    amount: Amount | None = None
    description: Text | None = None
    metadata: Metadata = NO_METADATA
    refund_application_fee: bool = False


def create_transfer(act: Act, params: CreateTransfer, _ids: Mapping[str, str]) -> Json:
    """Send money from the platform to a connected account."""
    if is_closed(act, params.destination):
        raise missing("destination", params.destination, param="destination")
    account = act.find("account", params.destination, param="destination")
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "Your destination account needs to have at least one of the following capabilities "
            "enabled: transfers, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
        )
    charge = _source(act, params)
    available_on = _available_on(act, charge)
    short = books.balance(act, "available", params.currency) < params.amount
    if available_on <= act.moment and short:
        raise insufficient_balance()
    transfer = _transfer(act, params, charge)
    payment = _destination_payment(act, transfer, available_on)
    transfer["destination_payment"] = payment["id"]
    sent = _posting("transfer", -transfer["amount"], transfer, transfer["id"], available_on)
    transfer["balance_transaction"] = books.post(act, sent)["id"]
    act.add("transfer", transfer)
    act.announce("transfer.created", transfer)
    return transfer


def _source(act: Act, params: CreateTransfer) -> Json | None:
    if params.source_transaction is None:
        return None
    charge = act.find("charge", params.source_transaction, param="source_transaction")
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"Charge {charge['id']} did not succeed.", param="source_transaction")
    if charge["currency"] != params.currency:
        message = "The currency of source_transaction's balance transaction must be the same"
        raise invalid(f"{message} as the transfer currency.", param="currency")
    sent = _sent_from(act, charge)
    if sent + params.amount > charge["amount_captured"]:
        raise invalid(
            "The sum of transfers from a source_transaction must not exceed its amount "
            f"({charge['amount_captured']}); {sent} of it has been transferred.",
            param="amount",
        )
    return charge


def _sent_from(act: Act, charge: Json) -> int:
    filters = {"transfer_group": _group_of(charge)}
    rows = act.store.page("transfer", act.owner, filters, TRANSFERS_PER_CHARGE_MAX)
    sent = [row.body for row in rows if row.body["source_transaction"] == charge["id"]]
    return sum(transfer["amount"] - transfer["amount_reversed"] for transfer in sent)


def _group_of(charge: Json) -> str:
    return charge["transfer_group"] or f"group_{charge['payment_intent'] or charge['id']}"


def _available_on(act: Act, charge: Json | None) -> int:
    if charge is None:
        return act.moment
    source = act.find("balance_transaction", charge["balance_transaction"])
    return max(source["available_on"], act.moment)


def _transfer(act: Act, params: CreateTransfer, charge: Json | None) -> Json:
    group = params.transfer_group
    if charge:
        if group not in (None, _group_of(charge)):
            message = "The transfer_group must be that of the source_transaction."
            raise InvalidParameters(message, param="transfer_group")
        group = _group_of(charge)
    identifier = new_id("tr")
    return {
        "id": identifier,
        "object": "transfer",
        "amount": params.amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": act.moment,
        "currency": params.currency,
        "description": params.description,
        "destination": params.destination,
        "livemode": False,
        "metadata": params.metadata,
        "reversals": listing([], f"/v1/transfers/{identifier}/reversals"),
        "reversed": False,
        "source_transaction": params.source_transaction,
        "source_type": "card",
        "transfer_group": group,
    }


def _posting(kind: str, amount: int, money: Json, source: str, available_on: int) -> books.Posting:
    return books.Posting(
        kind=kind,
        amount=amount,
        currency=money["currency"],
        source=source,
        other_side=TRANSIT,
        available_on=available_on,
    )


def _destination_payment(act: Act, transfer: Json, available_on: int) -> Json:
    there = act.acting_for(transfer["destination"])
    payment = _payment(act, transfer)
    got = _posting("payment", transfer["amount"], transfer, payment["id"], available_on)
    payment["balance_transaction"] = books.post(there, got)["id"]
    there.add("charge", payment)
    plan_payout(there)
    return payment


def _payment(act: Act, transfer: Json) -> Json:
    empty = (
        "application application_fee application_fee_amount calculated_statement_descriptor "
        "customer description failure_balance_transaction failure_code failure_message "
        "on_behalf_of outcome payment_intent payment_method receipt_email receipt_number "
        "receipt_url review shipping statement_descriptor statement_descriptor_suffix "
        "transfer_data transfer_group payment_method_details"
    )
    lines = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        **dict.fromkeys(empty.split()),
        "id": new_id("py"),
        "object": "charge",
        "amount": transfer["amount"],
        "amount_captured": transfer["amount"],
        "amount_refunded": 0,
        "billing_details": {
            "address": dict.fromkeys(lines),
            **dict.fromkeys(("email", "name", "phone", "tax_id")),
        },
        "captured": True,
        "created": act.moment,
        "currency": transfer["currency"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "paid": True,
        "refunded": False,
        "source_transfer": transfer["id"],
        "status": "succeeded",
    }


def create_reversal(act: Act, params: CreateReversal, ids: Mapping[str, str]) -> Json:
    """Take money back from a connected account, as far as its balance holds it."""
    transfer = act.find("transfer", ids["id"])
    rest = transfer["amount"] - transfer["amount_reversed"]
    amount = params.amount or rest
    if rest == 0:
        raise invalid(f"Transfer {transfer['id']} is already fully reversed.")
    if amount > rest:
        message = f"Reversal amount ({amount}) is greater than unreversed amount ({rest})."
        raise invalid(message, param="amount")
    available_on = _reversible_on(act, transfer, amount)
    reversal = _reversal(act, params, transfer, amount)
    refund = _payment_refund(act, transfer, reversal, available_on)
    reversal["destination_payment_refund"] = refund["id"]
    back = _posting("transfer_refund", amount, transfer, reversal["id"], available_on)
    reversal["balance_transaction"] = books.post(act, back)["id"]
    act.add("transfer_reversal", reversal)
    _show_reversal(act, transfer, reversal)
    return reversal


def _reversible_on(act: Act, transfer: Json, amount: int) -> int:
    there = act.acting_for(transfer["destination"])
    payment = there.find("charge", transfer["destination_payment"])
    got = there.find("balance_transaction", payment["balance_transaction"])
    if got["status"] == "pending":
        return got["available_on"]
    if books.balance(there, "available", transfer["currency"]) < amount:
        raise insufficient_balance()
    return act.moment


def _reversal(act: Act, params: CreateReversal, transfer: Json, amount: int) -> Json:
    return {
        "id": new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": act.moment,
        "currency": transfer["currency"],
        "destination_payment_refund": None,
        "metadata": params.metadata,
        "source_refund": None,
        "transfer": transfer["id"],
    }


def _payment_refund(act: Act, transfer: Json, reversal: Json, available_on: int) -> Json:
    there = act.acting_for(transfer["destination"])
    payment = there.find("charge", transfer["destination_payment"])
    refund: Json = {
        "id": new_id("pyr"),
        "object": "refund",
        "amount": reversal["amount"],
        "balance_transaction": None,
        "charge": payment["id"],
        "created": act.moment,
        "currency": transfer["currency"],
        "metadata": {},
        "payment_intent": None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": reversal["id"],
        "status": "succeeded",
        "transfer_reversal": None,
    }
    taken = -reversal["amount"]
    posting = _posting("payment_refund", taken, transfer, refund["id"], available_on)
    refund["balance_transaction"] = books.post(there, posting)["id"]
    there.add("refund", refund)
    refunded = payment["amount_refunded"] + reversal["amount"]
    there.save(payment, amount_refunded=refunded, refunded=refunded == payment["amount"])
    return refund


def _show_reversal(act: Act, transfer: Json, reversal: Json) -> None:
    amount_reversed = transfer["amount_reversed"] + reversal["amount"]
    shown = act.store.page("transfer_reversal", act.owner, {"transfer": transfer["id"]},
                           SHOWN_REVERSALS + 1)  # fmt: skip
    url = f"/v1/transfers/{transfer['id']}/reversals"
    bodies = [row.body for row in shown[:SHOWN_REVERSALS]]
    changed = act.save(
        transfer,
        amount_reversed=amount_reversed,
        reversed=amount_reversed == transfer["amount"],
        reversals=listing(bodies, url, has_more=len(shown) > SHOWN_REVERSALS),
    )
    act.changed("transfer.reversed", transfer, changed)


def retrieve_transfer(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a transfer."""
    return act.find("transfer", ids["id"])


def update_transfer(act: Act, params: UpdateTransfer, ids: Mapping[str, str]) -> Json:
    """Change what describes a transfer."""
    old = act.find("transfer", ids["id"])
    metadata = merged_metadata(old["metadata"], params.metadata)
    description = params.description or old["description"]
    new = act.save(old, metadata=metadata, description=description)
    act.changed("transfer.updated", old, new)
    return new


def list_transfers(act: Act, params: ListTransfers, _ids: Mapping[str, str]) -> Json:
    """Return a page of transfers."""
    filters = {"destination": params.destination, "transfer_group": params.transfer_group}
    return page(act, "transfer", params, "/v1/transfers", filters)


def retrieve_reversal(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a reversal."""
    return act.find("transfer_reversal", ids["reversal"])


def list_reversals(act: Act, params: Page, ids: Mapping[str, str]) -> Json:
    """Return a page of a transfer's reversals."""
    transfer = act.find("transfer", ids["id"])
    url = f"/v1/transfers/{transfer['id']}/reversals"
    return page(act, "transfer_reversal", params, url, {"transfer": transfer["id"]})


ROUTES = (
    Route("POST", "/v1/transfers", CreateTransfer, create_transfer),
    Route("GET", "/v1/transfers", ListTransfers, list_transfers),
    Route("GET", "/v1/transfers/{id}", Params, retrieve_transfer),
    Route("POST", "/v1/transfers/{id}", UpdateTransfer, update_transfer),
    Route("POST", "/v1/transfers/{id}/reversals", CreateReversal, create_reversal),
    Route("GET", "/v1/transfers/{id}/reversals", Page, list_reversals),
    Route("GET", "/v1/transfers/{id}/reversals/{reversal}", Params, retrieve_reversal),
)
