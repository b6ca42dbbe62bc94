"""A mentor's connected account, earnings and payouts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from services.payments.api.cursors import instant_and_text, one_uuid
from services.payments.commands import accounts as commands
from services.payments.domain.accounts import (
    AccountMissing,
    AccountNotPrepared,
    AccountState,
    ConnectedAccount,
    PayoutState,
    words_for,
)
from services.payments.domain.outcomes import TransferState
from services.payments.store import accounts as store
from shared.auth import Role
from shared.clock import BusinessInstant
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.web import Api, Body, Call, Page, PageQuery, Reply, View

ACCEPTED = 202
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=2000)]


class NewAccount(Body):
    """Where the mentor lives, and where Stripe sends the mentor back to."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    return_url: Url
    refresh_url: Url


class AccountView(View):
    """Where a mentor stands with Stripe; `requirements` say what is still wanted."""

    state: AccountState
    can_receive: bool
    requirements: list[str]
    account_id: str | None = None
    onboarding_url: str | None = None
    refusal: str | None = None


class CurrencyTotals(View):
    """A mentor's money in one currency, by how far it has come."""

    currency: CurrencyCode
    held_minor: Minor = 0
    released_minor: Minor = 0
    transferred_minor: Minor = 0
    paid_out_minor: Minor = 0


class EarningsView(View):
    """A mentor's money, per currency."""

    totals: list[CurrencyTotals]


class EarnedSession(View):
    """What one session earned."""

    order_id: UUID
    session_id: UUID
    title: str
    currency: CurrencyCode
    price_minor: Minor
    mentor_minor: Minor
    platform_minor: Minor
    due_at: datetime | None
    released_at: datetime | None
    transferred_at: datetime | None
    transfer_state: TransferState


class PayoutView(View):
    """Money on its way to the mentor's bank."""

    payout_id: str
    amount_minor: Minor
    currency: CurrencyCode
    state: PayoutState
    created_at: datetime
    arrives_at: datetime
    ended_at: datetime | None
    failure_code: str | None


def add_routes(api: Api) -> None:
    """Declare the routes of mentors."""
    mentor = Role.MENTOR
    api.post("/v1/me/account", may=mentor, or_status=ACCEPTED, idempotent=True)(connect_account)
    api.get("/v1/me/account", may=mentor)(show_account)
    api.post(
        "/v1/me/account/onboarding-link",
        may=mentor,
        idempotent=True,
        status=ACCEPTED,
        refusals=(AccountMissing, AccountNotPrepared),
    )(renew_link)
    api.get("/v1/me/earnings", may=mentor)(show_earnings)
    api.get("/v1/me/earnings/orders", may=mentor)(list_earned_sessions)
    api.get("/v1/me/payouts", may=mentor)(list_payouts)


async def connect_account(
    call: Call, body: NewAccount, conn: Connection
) -> Annotated[Reply, AccountView]:
    """Begin to connect a Stripe account; 202 while it is being prepared."""
    wanted = ConnectedAccount(
        call.person_id, body.country, body.return_url, body.refresh_url, call.now
    )
    account = await commands.connect_account(conn, wanted, call.now)
    prepared = account.stripe_account_id is not None
    return Reply(view=_view(account, call.now), status=None if prepared else ACCEPTED)


async def show_account(call: Call, conn: Connection) -> AccountView:
    """Show where the mentor stands with Stripe."""
    return _view(await store.load_account(conn, call.person_id), call.now)


async def renew_link(call: Call, conn: Connection) -> AccountView:
    """Ask for a fresh link into Stripe's onboarding; it appears at the account."""
    return _view(await commands.renew_link(conn, call.person_id, call.now), call.now)


async def show_earnings(call: Call, conn: Connection) -> EarningsView:
    """Show what the mentor has earned, per currency."""
    found = await store.totals(conn, call.person_id)
    return EarningsView(
        totals=[
            CurrencyTotals.model_validate({"currency": currency, **amounts})
            for currency, amounts in sorted(found.items())
        ]
    )


async def list_earned_sessions(
    call: Call, query: PageQuery, conn: Connection
) -> Page[EarnedSession]:
    """List the mentor's paid sessions with what each earned, newest first."""
    rows = await store.earned_sessions(conn, call.person_id, one_uuid(query), query.limit + 1)
    items = [EarnedSession.model_validate(row) for row in rows[: query.limit]]
    more = len(rows) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].session_id) if more else None)


async def list_payouts(call: Call, query: PageQuery, conn: Connection) -> Page[PayoutView]:
    """List the payouts to the mentor's bank, newest first."""
    after = instant_and_text(query)
    found = await store.list_payouts(conn, call.person_id, after, query.limit + 1)
    items = [
        PayoutView(
            payout_id=payout.stripe_payout_id,
            amount_minor=payout.amount_minor,
            currency=payout.currency,
            state=payout.state,
            created_at=payout.created_at,
            arrives_at=payout.arrives_at,
            ended_at=payout.ended_at,
            failure_code=payout.failure_code,
        )
        for payout in found[: query.limit]
    ]
    last = items[-1] if len(found) > query.limit else None
    cursor = Page.cursor(last.created_at.isoformat(), last.payout_id) if last else None
    return Page(items=items, next_cursor=cursor)


def _view(account: ConnectedAccount | None, now: BusinessInstant) -> AccountView:
    if account is None:
        return AccountView(state="none", can_receive=False, requirements=[])
    return AccountView(
        state=account.state,
        can_receive=account.can_receive,
        requirements=[words_for(name) for name in account.requirements],
        account_id=account.stripe_account_id,
        onboarding_url=account.link(now),
        refusal=account.refusal,
    )
