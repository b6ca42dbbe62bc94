"""What operators see of the books: the trial balance, and where Stripe's say something else."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from services.payments.store import ledger as books
from services.payments.store import movements
from shared.auth import Role
from shared.contracts.common import CurrencyCode
from shared.db import Connection
from shared.web import Api, Call, InstantUtc, Query, View

DIFFERENCES_SHOWN = 100
Reason = Literal["not_booked_yet", "not_listed_yet", "fee_not_known_yet", "unexplained"]


class BalanceLine(View):
    """One account of the ledger: debits are positive, credits negative."""

    account: str
    currency: CurrencyCode
    amount_minor: int


class TrialBalance(View):
    """All accounts; per currency they sum to zero."""

    items: list[BalanceLine]


class TrialBalanceQuery(Query):
    """As of when: what happened before this instant counts, everything without one."""

    before: InstantUtc | None = None


class DifferenceView(View):
    """An object of Stripe of which the two books say different amounts, and what explains it."""

    source: str
    currency: CurrencyCode
    ledger_minor: int
    stripe_minor: int
    since: datetime
    reason: Reason


class Reconciliation(View):
    """Both books compared: differences, the unexplained first, and how far Stripe's was read.

    `unanswered` objects are still to be compared; `read_at` is null before the first reading.
    """

    items: list[DifferenceView]
    unexplained: int
    explained: int
    read_at: datetime | None
    movements: int
    unanswered: int


def add_routes(api: Api) -> None:
    """Declare the routes of operators."""
    operator = Role.OPERATOR
    api.get("/v1/operator/ledger/trial-balance", may=operator)(show_trial_balance)
    api.get("/v1/operator/ledger/reconciliation", may=operator)(show_reconciliation)


async def show_trial_balance(
    call: Call, query: TrialBalanceQuery, conn: Connection
) -> TrialBalance:
    """Show the balance of every account of the ledger, now or as of an instant."""
    del call
    rows = await books.trial_balance(conn, query.before)
    return TrialBalance(
        items=[
            BalanceLine(account=account, currency=currency, amount_minor=minor)
            for account, currency, minor in rows
        ]
    )


async def show_reconciliation(call: Call, conn: Connection) -> Reconciliation:
    """Show where the ledger and Stripe's list of movements differ, and why."""
    found = await movements.differences(conn, call.now, DIFFERENCES_SHOWN)
    counts = await movements.count_differences(conn, call.now)
    so_far = await movements.read_so_far(conn)
    unexplained = counts.pop("unexplained", 0)
    return Reconciliation(
        items=[DifferenceView.model_validate(vars(each)) for each in found],
        unexplained=unexplained,
        explained=sum(counts.values()),
        read_at=so_far.read_at,
        movements=so_far.movements,
        unanswered=so_far.unanswered,
    )
