"""The balance and its transactions (https://docs.stripe.com/api/balance)."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.stripe import books
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.errors import Json
from simulators.stripe.lists import page
from simulators.stripe.params import ListParams, Params
from simulators.stripe.routes import Route

DEFAULT_CURRENCY = "usd"


class ListTransactions(ListParams):
    """Filters of the list of balance transactions."""

    currency: str | None = None
    payout: str | None = None
    source: str | None = None
    type: str | None = None


def retrieve_balance(act: Act, _params: Params, _ids: Mapping[str, str]) -> Json:
    """Return the balance of the acting account."""
    return shown_balance(act)


def shown_balance(act: Act) -> Json:
    """Return what the acting account has, available and pending, per currency."""
    return {
        "object": "balance",
        "available": _amounts(act, "available"),
        **({"connect_reserved": _reserved(act)} if act.owner == PLATFORM else {}),
        "livemode": False,
        "pending": _amounts(act, "pending"),
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


def _amounts(act: Act, bucket: str) -> list[Json]:
    held = books.balances(act, bucket) or {DEFAULT_CURRENCY: 0}
    return [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in held.items()
    ]


def _reserved(act: Act) -> list[Json]:
    """Return what the platform must hold for accounts that owe: nothing, as none of them can.

    https://docs.stripe.com/connect/account-balances: the reserve is as large as the balances below
    zero. Charges are the platform's here, and a reversal or payout beyond a balance is refused.
    """
    return [{"amount": 0, "currency": held["currency"]} for held in _amounts(act, "available")]


def retrieve_transaction(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a balance transaction."""
    return act.find("balance_transaction", ids["id"])


def list_transactions(act: Act, params: ListTransactions, _ids: Mapping[str, str]) -> Json:
    """Return a page of balance transactions."""
    filters = {name: getattr(params, name) for name in ("currency", "payout", "source", "type")}
    url = "/v1/balance_transactions"
    if params.payout:
        act.find("payout", params.payout, param="payout")
    return page(act, "balance_transaction", params, url, filters)


ROUTES = (
    Route("GET", "/v1/balance", Params, retrieve_balance),
    Route("GET", "/v1/balance_transactions", ListTransactions, list_transactions),
    Route("GET", "/v1/balance_transactions/{id}", Params, retrieve_transaction),
)
