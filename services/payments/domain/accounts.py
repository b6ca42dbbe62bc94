"""A mentor's connected account and its payouts, as Stripe shows them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.payments.domain.seen import AccountSeen, PayoutSeen
from shared.contracts.payments import (
    AccountChanged,
    AccountConnected,
    PayoutCreated,
    PayoutFact,
    PayoutFailed,
    PayoutPaid,
)
from shared.errors import Kind, Refusal

AccountState = Literal[
    "none",
    "being_prepared",
    "onboarding",
    "restricted",
    "ready",
    "refused",
    "closed",
]
PayoutState = Literal["created", "in_transit", "paid", "failed"]
NextAction = Literal["connect", "wait", "give_details", "correct_bank", "write_to_us", "nothing"]
_REJECTED = "rejected."
CLOSED = "closed"
"""Our own reason, beside Stripe's, why an account is of no use."""
UNREACHABLE = frozenset({"account_invalid", "resource_missing"})
"""Refusals that say of an account that it was closed, or that its holder let us go."""


class AccountMissing(Refusal):
    """The mentor has not begun to connect an account."""

    code = "account_missing"
    detail = "Connect a Stripe account first."


class AccountNotPrepared(Refusal):
    """Stripe has not made the account yet."""

    code = "account_being_prepared"
    kind = Kind.CONFLICT
    detail = "The account is being prepared; look again in a moment."


@dataclass(frozen=True)
class ConnectedAccount:
    """One mentor's account; versions count accounts' and payouts' facts separately."""

    mentor_id: UUID
    country: str
    return_url: str
    refresh_url: str
    begun_at: datetime
    stripe_account_id: str | None = None
    details_submitted: bool = False
    payouts_enabled: bool = False
    can_receive: bool = False
    requirements: tuple[str, ...] = field(default=())
    past_due: tuple[str, ...] = field(default=())
    being_verified: tuple[str, ...] = field(default=())
    requirements_until: datetime | None = None
    disabled_reason: str | None = None
    payout_schedule: dict[str, Any] | None = None
    onboarding_url: str | None = None
    onboarding_until: datetime | None = None
    refusal: str | None = None
    closed_at: datetime | None = None
    version: int = 0
    payout_version: int = 0

    @property
    def state(self) -> AccountState:
        """Return where the mentor stands, in one word."""
        if self.closed_at is not None:
            return "closed"
        if self.stripe_account_id is None:
            return "refused" if self.refusal else "being_prepared"
        if not self.details_submitted:
            return "onboarding"
        return "ready" if self.can_receive and self.payouts_enabled else "restricted"

    def next_action(self, *, payout_failed: bool) -> NextAction:
        """Return what the mentor has to do next, if anything."""
        if self.state in ("none", "refused", "closed"):
            return "connect"
        if self.state == "being_prepared":
            return "wait"
        if (self.disabled_reason or "").startswith(_REJECTED):
            return "write_to_us"
        if self.requirements or self.past_due or self.state == "onboarding":
            return "give_details"
        if payout_failed:
            return "correct_bank"
        return "nothing" if self.state == "ready" else "wait"

    def link(self, now: datetime) -> str | None:
        """Return the onboarding link while it is good."""
        good = self.onboarding_until is not None and now < self.onboarding_until
        return self.onboarding_url if good else None


@dataclass(frozen=True)
class Payout:
    """Money on its way to a mentor's bank; `replaces` are failed ones that it sends again."""

    stripe_payout_id: str
    mentor_id: UUID
    amount_minor: int
    currency: str
    state: PayoutState
    created_at: datetime
    arrives_at: datetime
    ended_at: datetime | None = None
    failure_code: str | None = None
    replaces: tuple[str, ...] = ()


def connect(
    account: ConnectedAccount, seen: AccountSeen
) -> tuple[ConnectedAccount, AccountConnected]:
    """Note that Stripe made the account."""
    connected = replace(
        account, stripe_account_id=seen.account_id, refusal=None, version=account.version + 1
    )
    return connected, AccountConnected(
        mentor_id=account.mentor_id, can_receive=False, version=connected.version
    )


def update(
    account: ConnectedAccount, seen: AccountSeen
) -> tuple[ConnectedAccount, AccountChanged | None]:
    """Take over what Stripe shows; tell others only when the account's abilities changed."""
    before = (account.state, account.can_receive)
    updated = replace(
        account,
        details_submitted=seen.details_submitted,
        payouts_enabled=seen.payouts_enabled,
        can_receive=seen.can_receive,
        requirements=seen.requirements,
        past_due=seen.past_due,
        being_verified=seen.being_verified,
        requirements_until=seen.requirements_until,
        disabled_reason=seen.disabled_reason,
        payout_schedule=seen.payout_schedule,
        closed_at=None,
    )
    if (updated.state, updated.can_receive) == before:
        return updated, None
    told = replace(updated, version=account.version + 1)
    return told, AccountChanged(
        mentor_id=account.mentor_id, can_receive=seen.can_receive, version=told.version
    )


def close(account: ConnectedAccount, now: datetime) -> tuple[ConnectedAccount, AccountChanged]:
    """Note that the account cannot be reached any more: the mentor connects another."""
    closed = replace(_emptied(account), closed_at=now, disabled_reason=CLOSED)
    told = replace(closed, version=account.version + 1)
    return told, AccountChanged(
        mentor_id=account.mentor_id, can_receive=False, version=told.version
    )


def leave(account: ConnectedAccount) -> ConnectedAccount:
    """Return the mentor's account as before Stripe made one, for another to be made."""
    return replace(_emptied(account), stripe_account_id=None, closed_at=None, disabled_reason=None)


def _emptied(account: ConnectedAccount) -> ConnectedAccount:
    return replace(
        account,
        details_submitted=False,
        payouts_enabled=False,
        can_receive=False,
        requirements=(),
        past_due=(),
        being_verified=(),
        requirements_until=None,
        onboarding_url=None,
        onboarding_until=None,
    )


def follow_payout(
    account: ConnectedAccount, known: Payout | None, seen: PayoutSeen, now: datetime
) -> tuple[ConnectedAccount, Payout, list[PayoutFact]]:
    """Take over what Stripe shows of a payout; its facts come in order, each once."""
    payout = known or _new_payout(account, seen)
    again = seen.replaces or payout.replaces
    payout = replace(payout, replaces=again, arrives_at=seen.arrives_at)
    steps = [payout] if known is None else []
    if seen.status == "in_transit" and payout.state == "created":
        payout = replace(payout, state="in_transit")
    if seen.status == "paid" and payout.state in ("created", "in_transit"):
        payout = replace(payout, state="paid", ended_at=now)
        steps.append(payout)
    if seen.status in ("failed", "canceled") and payout.state != "failed":
        payout = replace(payout, state="failed", ended_at=now, failure_code=seen.failure_code)
        steps.append(payout)
    first = account.payout_version + 1
    facts = [_fact(step, version) for version, step in enumerate(steps, first)]
    return replace(account, payout_version=account.payout_version + len(facts)), payout, facts


def _fact(payout: Payout, version: int) -> PayoutFact:
    common = PayoutFact(
        mentor_id=payout.mentor_id,
        stripe_payout_id=payout.stripe_payout_id,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        again=bool(payout.replaces),
        version=version,
    ).model_dump()
    if payout.state == "paid":
        return PayoutPaid.model_validate(common)
    if payout.state == "failed":
        return PayoutFailed.model_validate({**common, "failure_code": payout.failure_code})
    return PayoutCreated.model_validate({**common, "arrives_at": payout.arrives_at})


def _new_payout(account: ConnectedAccount, seen: PayoutSeen) -> Payout:
    return Payout(
        stripe_payout_id=seen.payout_id,
        mentor_id=account.mentor_id,
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        state="created",
        created_at=seen.created_at,
        arrives_at=seen.arrives_at,
    )
