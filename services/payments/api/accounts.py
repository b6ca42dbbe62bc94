"""A mentor's connected account, earnings and payouts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.payments.api.cursors import instant_and_text, one_uuid
from services.payments.api.terms import terms_of
from services.payments.commands import accounts as commands
from services.payments.domain.accounts import (
    AccountMissing,
    AccountNotPrepared,
    AccountState,
    ConnectedAccount,
    NextAction,
    Payout,
    PayoutState,
)
from services.payments.domain.earned import earned_by_month, months_told
from services.payments.domain.outcomes import TransferState
from services.payments.domain.requirements import failure, reason, wanted
from services.payments.store import accounts as store
from services.payments.store import earned
from shared.auth import Role
from shared.clock import BusinessInstant
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.web import Api, Body, Call, Page, PageQuery, Reply, View

ACCEPTED = 202
# RFC 3986: an address is written in visible ASCII; languages differ in what else is a space.
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-.0-~]+(/[!-~]*)?$", max_length=2000)]


class NewAccount(Body):
    """Where the mentor lives, and where Stripe sends the mentor back to."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    return_url: Url
    refresh_url: Url


class ScheduleView(View):
    """When Stripe pays out: each day, or on a day of the week or month, after a delay."""

    interval: Literal["manual", "daily", "weekly", "monthly"]
    day: str | int | None = None
    delay_days: int | None = None


class ReturnedPayout(View):
    """A payout that the bank sent back, and why."""

    payout_id: str
    amount_minor: Minor
    currency: CurrencyCode
    failed_at: datetime | None
    words: str


class AccountView(View):
    """Where a mentor stands with Stripe, in words, and what to do next.

    `requirements` say what is still wanted, by `requirements_until` if that is set; `overdue` what
    should have been given, `being_verified` what Stripe is checking.
    """

    state: AccountState
    can_receive: bool
    next_action: NextAction
    requirements: list[str] = Field(default_factory=list[str])
    overdue: list[str] = Field(default_factory=list[str])
    being_verified: list[str] = Field(default_factory=list[str])
    requirements_until: datetime | None = None
    disabled_because: str | None = None
    payout_schedule: ScheduleView | None = None
    payout_returned: ReturnedPayout | None = None
    country: str | None = None
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
    """A mentor's money, per currency.

    What is sold now is released `release_delay_hours` after its session.
    """

    totals: list[CurrencyTotals]
    release_delay_hours: int


class EarnedMonthView(View):
    """A month (UTC) as its statement has it; what was given back is below zero."""

    since: datetime
    earned_minor: int
    given_back_minor: int


class EarnedCurrency(View):
    """The last twelve months in one currency, the oldest first; this month is the last."""

    currency: CurrencyCode
    months: list[EarnedMonthView]


class EarnedMonthsView(View):
    """Months by currency, for each in which something was earned or given back."""

    items: list[EarnedCurrency]


class EarnedSession(View):
    """What one session earned.

    It is released at `due_at`; where that is not known yet, `waits_for` says what comes first: the
    session itself, the decision of the bank that disputes the payment, or ours on an objection.
    `release_delay_hours` is how long after the session it was agreed on when it was sold.
    """

    order_id: UUID
    session_id: UUID
    title: str
    currency: CurrencyCode
    price_minor: Minor
    mentor_minor: Minor
    platform_minor: Minor
    due_at: datetime | None
    waits_for: Literal["session", "bank", "objection"] | None
    release_delay_hours: int
    released_at: datetime | None
    transferred_at: datetime | None
    transfer_state: TransferState


class PayoutView(View):
    """Money on its way to the mentor's bank; `sent_again` after the bank sent it back."""

    payout_id: str
    amount_minor: Minor
    currency: CurrencyCode
    state: PayoutState
    created_at: datetime
    arrives_at: datetime
    ended_at: datetime | None
    failure_code: str | None
    failure_words: str | None
    sent_again: bool


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
    api.get("/v1/me/earnings/months", may=mentor)(list_earned_months)
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
    return Reply(view=await _view(conn, account, call.now), status=None if prepared else ACCEPTED)


async def show_account(call: Call, conn: Connection) -> AccountView:
    """Show where the mentor stands with Stripe."""
    return await _view(conn, await store.load_account(conn, call.person_id), call.now)


async def renew_link(call: Call, conn: Connection) -> AccountView:
    """Ask for a fresh link into Stripe's onboarding; it appears at the account."""
    account = await commands.renew_link(conn, call.person_id, call.now)
    return await _view(conn, account, call.now)


async def show_earnings(call: Call, conn: Connection) -> EarningsView:
    """Show what the mentor has earned, per currency."""
    found = await store.totals(conn, call.person_id)
    return EarningsView(
        totals=[
            CurrencyTotals.model_validate({"currency": currency, **amounts})
            for currency, amounts in sorted(found.items())
        ],
        release_delay_hours=terms_of(call).release_delay // timedelta(hours=1),
    )


async def list_earned_months(call: Call, conn: Connection) -> EarnedMonthsView:
    """List what the mentor earned and gave back in each of the last twelve months."""
    since, *_ = months_told(call.now)
    moved = await earned.moved_by_month(conn, call.person_id, since)
    return EarnedMonthsView(
        items=[
            EarnedCurrency(
                currency=currency,
                months=[EarnedMonthView.model_validate(vars(each)) for each in months],
            )
            for currency, months in earned_by_month(moved, call.now).items()
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
    again = await store.replaced_payouts(conn, call.person_id)
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
            failure_words=failure(payout.failure_code) if payout.state == "failed" else None,
            sent_again=payout.stripe_payout_id in again,
        )
        for payout in found[: query.limit]
    ]
    last = items[-1] if len(found) > query.limit else None
    cursor = Page.cursor(last.created_at.isoformat(), last.payout_id) if last else None
    return Page(items=items, next_cursor=cursor)


async def _view(
    conn: Connection, account: ConnectedAccount | None, now: BusinessInstant
) -> AccountView:
    if account is None:
        return AccountView(state="none", can_receive=False, next_action="connect")
    returned = await store.returned_payout(conn, account.mentor_id)
    return AccountView(
        state=account.state,
        can_receive=account.can_receive,
        next_action=account.next_action(payout_failed=returned is not None),
        requirements=wanted(account.requirements),
        overdue=wanted(account.past_due),
        being_verified=wanted(account.being_verified),
        requirements_until=account.requirements_until,
        disabled_because=reason(account.disabled_reason),
        payout_schedule=_schedule(account.payout_schedule),
        payout_returned=_returned(returned) if returned else None,
        country=account.country,
        account_id=account.stripe_account_id,
        onboarding_url=account.link(now),
        refusal=account.refusal,
    )


def _schedule(kept: dict[str, Any] | None) -> ScheduleView | None:
    if kept is None:
        return None
    day = kept.get("weekly_anchor") or kept.get("monthly_anchor")
    return ScheduleView(interval=kept["interval"], day=day, delay_days=kept.get("delay_days"))


def _returned(payout: Payout) -> ReturnedPayout:
    return ReturnedPayout(
        payout_id=payout.stripe_payout_id,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        failed_at=payout.ended_at,
        words=failure(payout.failure_code),
    )
