"""What operators see of the books: the trial balance."""

from __future__ import annotations

from services.payments.store import ledger as books
from shared.auth import Role
from shared.contracts.common import CurrencyCode
from shared.db import Connection
from shared.web import Api, Call, View


class BalanceLine(View):
    """One account of the ledger: debits are positive, credits negative."""

    account: str
    currency: CurrencyCode
    amount_minor: int


class TrialBalance(View):
    """All accounts; per currency they sum to zero."""

    items: list[BalanceLine]


def add_routes(api: Api) -> None:
    """Declare the routes of operators."""
    operator = Role.OPERATOR
    api.get("/v1/operator/ledger/trial-balance", may=operator)(show_trial_balance)


async def show_trial_balance(call: Call, conn: Connection) -> TrialBalance:
    """Show the balance of every account of the ledger."""
    del call
    rows = await books.trial_balance(conn)
    return TrialBalance(
        items=[
            BalanceLine(account=account, currency=currency, amount_minor=minor)
            for account, currency, minor in rows
        ]
    )
