"""What operators see of everything: the trial balance, and calls to Stripe by their state."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.api.cursors import one_uuid
from services.payments.store import ledger as books
from services.payments.store import operations as store
from shared.auth import Role
from shared.contracts.common import CurrencyCode
from shared.db import Connection
from shared.web import Api, Call, Page, PageQuery, View

OperationState = Literal["planned", "sent", "done", "refused", "undetermined"]


class BalanceLine(View):
    """One account of the ledger: debits are positive, credits negative."""

    account: str
    currency: CurrencyCode
    amount_minor: int


class TrialBalance(View):
    """All accounts; per currency they sum to zero."""

    items: list[BalanceLine]


class OperationsQuery(PageQuery):
    """Which calls to Stripe."""

    state: OperationState = "undetermined"


class OperationView(View):
    """A call to Stripe."""

    operation_id: UUID
    kind: str
    subject: str
    state: OperationState
    attempts: int
    planned_at: datetime
    first_sent_at: datetime | None
    outcome: dict[str, object] | None


def add_routes(api: Api) -> None:
    """Declare the routes of operators."""
    operator = Role.OPERATOR
    api.get("/v1/operator/ledger/trial-balance", may=operator)(show_trial_balance)
    api.get("/v1/operator/operations", may=operator)(list_operations)


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


async def list_operations(
    call: Call, query: OperationsQuery, conn: Connection
) -> Page[OperationView]:
    """List calls to Stripe by their state, newest first."""
    del call
    found = await store.list_operations(conn, query.state, one_uuid(query), query.limit + 1)
    items = [OperationView.model_validate(vars(row)) for row in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].operation_id) if more else None)
