"""Payouts to bank accounts: the daily schedule, the way to the bank, and failures.

https://docs.stripe.com/payouts, https://docs.stripe.com/api/payouts. Connected accounts are paid
out automatically at midnight UTC of their schedule's day; the platform's own payouts are manual.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from simulators.stripe import books, money
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.errors import Json, insufficient_balance, invalid
from simulators.stripe.ids import new_id
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

SUBMISSION_SECONDS = 3600
"""A payout is `pending` until it is submitted to the bank; then it is `in_transit`."""
ARRIVAL_SECONDS = books.DAY_SECONDS
"""From creation to the day the bank is expected to have it."""
PAYOUT_RANK = 2
"""Payouts are made after everything else that is due at the same midnight."""
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
FAIL_NEXT = "fail_next_payout"
BOUNCES = {
    "000111111116": "no_account",
    "000111111113": "account_closed",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
}
"""Test bank accounts and why their payouts come back
(https://docs.stripe.com/connect/testing#account-numbers)."""


class CreatePayout(Params):
    """A manual payout."""

    amount: Amount
    currency: Currency
    description: Text | None = None
    metadata: Metadata = NO_METADATA
    method: Literal["standard"] = "standard"
    statement_descriptor: str | None = None


class UpdatePayout(Params):
    """Only metadata can change."""

    metadata: Metadata | None = None


class ListPayouts(ListParams):
    """Filters of the list of payouts."""

    status: Literal["pending", "in_transit", "paid", "failed", "canceled"] | None = None


def plan_payout(act: Act) -> None:
    """Schedule the next automatic payout if the account has something to be paid out."""
    held = books.balances(act, "available").values()
    if act.owner != PLATFORM and any(amount > 0 for amount in held):
        today = act.moment % books.DAY_SECONDS == 0
        due = act.moment if today else books.midnight_after(act.moment)
        act.schedule(due, "pay_out", act.owner, rank=PAYOUT_RANK)


def pay_out(act: Act) -> None:
    """Make the automatic payouts of the acting account, if this is a day of its schedule."""
    account = _account(act)
    bank = default_bank(account)
    schedule = account["settings"]["payouts"]["schedule"]
    if not account["payouts_enabled"] or bank is None or schedule["interval"] == "manual":
        return
    if not _is_payday(act, schedule):
        act.schedule(books.midnight_after(act.moment), "pay_out", act.owner, rank=PAYOUT_RANK)
        return
    for currency, amount in books.balances(act, "available").items():
        whole = amount - amount % money.payout_step(currency)
        if whole > 0:
            _make(act, whole, currency, bank["id"], automatic=True)


def _is_payday(act: Act, schedule: Json) -> bool:
    day = datetime.fromtimestamp(act.moment, UTC)
    if schedule["interval"] == "weekly":
        return WEEKDAYS[day.weekday()] == schedule.get("weekly_anchor", "monday")
    if schedule["interval"] == "monthly":
        return day.day == schedule.get("monthly_anchor", 1)
    return True


def _account(act: Act) -> Json:
    return act.acting_for(PLATFORM).find("account", act.owner)


def default_bank(account: Json) -> Json | None:
    """Return the bank account payouts go to, None when there is no working one."""
    banks = account["external_accounts"]["data"]
    return next((bank for bank in banks if bank["status"] != "errored"), None)


def create_payout(act: Act, params: CreatePayout, _ids: Mapping[str, str]) -> Json:
    """Make a manual payout of the available balance."""
    if params.amount % money.payout_step(params.currency):
        code = params.currency.upper()
        raise invalid(f"Payouts in {code} must be made in whole units.", param="amount")
    if act.owner != PLATFORM and not _account(act)["payouts_enabled"]:
        message = "Payouts have been disabled on the connected account: see its requirements."
        raise invalid(message, code="payouts_not_allowed")
    if books.balance(act, "available", params.currency) < params.amount:
        raise insufficient_balance()
    bank = default_bank(_account(act)) if act.owner != PLATFORM else {"id": new_id("ba")}
    if bank is None:
        raise invalid("Sorry, you don't have any external accounts in that currency.")
    details = {
        "description": params.description,
        "metadata": params.metadata,
        "statement_descriptor": params.statement_descriptor,
    }
    return _make(act, params.amount, params.currency, bank["id"], automatic=False, **details)


def _make(
    act: Act, amount: int, currency: str, bank: str, *, automatic: bool, **details: object
) -> Json:
    payout = _payout(act, amount, currency, bank, automatic)
    payout |= details
    posting = books.Posting(
        kind="payout",
        amount=-amount,
        currency=currency,
        source=payout["id"],
        other_side=books.BANKS,
        description=payout["description"],
    )
    transaction = books.post(act, posting)
    payout["balance_transaction"] = transaction["id"]
    act.add("payout", payout)
    if automatic:
        _mark_paid_out(act, payout["id"], currency)
    act.announce("payout.created", payout)
    act.schedule(act.moment + SUBMISSION_SECONDS, "submit_payout", payout["id"])
    act.schedule(payout["arrival_date"], "arrive_payout", payout["id"])
    return payout


def _payout(act: Act, amount: int, currency: str, bank: str, automatic: bool) -> Json:
    empty = ("application_fee", "application_fee_amount", "failure_balance_transaction",
             "failure_code", "failure_message", "original_payout", "reversed_by",
             "statement_descriptor", "trace_id", "balance_transaction")  # fmt: skip
    return {
        **dict.fromkeys(empty),
        "id": new_id("po"),
        "object": "payout",
        "amount": amount,
        "arrival_date": act.moment + ARRIVAL_SECONDS,
        "automatic": automatic,
        "created": act.moment,
        "currency": currency,
        "description": "STRIPE PAYOUT" if automatic else None,
        "destination": bank,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "source_type": "card",
        "status": "pending",
        "type": "bank_account",
    }


def _mark_paid_out(act: Act, payout: str, currency: str) -> None:
    """Remember which transactions an automatic payout pays, for the list filtered by `payout`."""
    act.store.sql.execute(
        "UPDATE objects SET hidden = json_set(hidden, '$.payout', ?) "
        "WHERE kind = 'balance_transaction' AND owner = ? "
        "AND json_extract(body, '$.status') = 'available' "
        "AND json_extract(body, '$.currency') = ? AND json_extract(hidden, '$.payout') IS NULL",
        (payout, act.owner, currency),
    )


def submit_payout(act: Act, identifier: str) -> None:
    """Hand a payout to the bank, which may be told to refuse it."""
    payout = act.find("payout", identifier)
    if payout["status"] != "pending":
        return
    submitted = act.save(payout, status="in_transit")
    act.changed("payout.updated", payout, submitted)


def arrive_payout(act: Act, identifier: str) -> None:
    """Let the bank book a payout, or send it back if the next one was to fail."""
    payout = act.find("payout", identifier)
    failing = act.store.setting(FAIL_NEXT)
    if payout["status"] != "in_transit":
        return
    if failing.get("account") in (act.owner, "any"):
        act.store.set(FAIL_NEXT, {})
        fail_payout(act, payout, failing.get("code", "account_closed"))
        return
    if (code := _bounce(act)) is not None:
        fail_payout(act, payout, code)
        return
    act.announce("payout.paid", act.save(payout, status="paid"))


def _bounce(act: Act) -> str | None:
    filed = act.store.find(act.owner) if act.owner != PLATFORM else None
    return BOUNCES.get(filed.hidden.get("bank_account", "")) if filed else None


def send_back(act: Act, payout: Json, code: str) -> Json:
    """Let the bank send a payout back that is on its way, or that was taken for arrived."""
    if payout["status"] not in ("in_transit", "paid"):
        raise invalid("Only a payout that the bank has can come back.")
    return fail_payout(act, payout, code)


def fail_payout(act: Act, payout: Json, code: str) -> Json:
    """Return the money to the balance and stop payouts to the bank account that refused it."""
    posting = books.Posting(
        kind="payout_failure",
        amount=payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        other_side=books.BANKS,
        description="PAYOUT FAILURE",
    )
    failed = act.save(
        payout,
        status="failed",
        failure_code=code,
        failure_message="The bank account has been closed or does not accept the payout.",
        failure_balance_transaction=books.post(act, posting)["id"],
    )
    act.announce("payout.failed", failed)
    if act.owner != PLATFORM:
        _distrust_bank(act)
    return failed


def _distrust_bank(act: Act) -> None:
    account = _account(act)
    banks = [{**bank, "status": "errored"} for bank in account["external_accounts"]["data"]]
    accounts = {**account["external_accounts"], "data": banks}
    act.acting_for(PLATFORM).save(account, external_accounts=accounts)
    for bank in banks:
        act.announce("account.external_account.updated", bank, {"status": "new"})


def cancel_payout(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Cancel a payout that is still pending."""
    payout = act.find("payout", ids["id"])
    if payout["status"] != "pending":
        raise invalid("Payouts can only be canceled while they are pending.")
    if payout["automatic"]:
        raise invalid("Automatic payouts cannot be canceled.")
    posting = books.Posting(
        kind="payout_cancel",
        amount=payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        other_side=books.BANKS,
    )
    books.post(act, posting)
    canceled = act.save(payout, status="canceled")
    act.announce("payout.canceled", canceled)
    return canceled


def retrieve_payout(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a payout."""
    return act.find("payout", ids["id"])


def update_payout(act: Act, params: UpdatePayout, ids: Mapping[str, str]) -> Json:
    """Change the metadata of a payout."""
    old = act.find("payout", ids["id"])
    new = act.save(old, metadata=merged_metadata(old["metadata"], params.metadata))
    act.changed("payout.updated", old, new)
    return new


def list_payouts(act: Act, params: ListPayouts, _ids: Mapping[str, str]) -> Json:
    """Return a page of payouts."""
    return page(act, "payout", params, "/v1/payouts", {"status": params.status})


ROUTES = (
    Route("POST", "/v1/payouts", CreatePayout, create_payout),
    Route("GET", "/v1/payouts", ListPayouts, list_payouts),
    Route("GET", "/v1/payouts/{id}", Params, retrieve_payout),
    Route("POST", "/v1/payouts/{id}", UpdatePayout, update_payout),
    Route("POST", "/v1/payouts/{id}/cancel", Params, cancel_payout),
)
