"""The ledger's rules: which accounts there are and which lines each event posts. Pure.

Double entry in integer minor units: debits are positive, credits negative, and the lines of an
entry sum to zero per currency. `cause` names what an entry follows from; it is unique, so that an
event posts once however often it is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from shared.money import Money


class Account(Enum):
    """The chart of accounts."""

    STRIPE_BALANCE = "stripe_balance"
    """Asset: what Stripe holds for the platform, available and pending."""
    SESSION_CLEARING = "session_clearing"
    """Liability, per session: paid and not yet given to anybody; zero in every final state."""
    REFUNDS_IN_TRANSIT = "refunds_in_transit"
    """Liability, per session: on its way back and not yet taken from the balance; ends at zero."""
    MENTOR_PAYABLE = "mentor_payable"
    """Liability, per mentor: released and not yet transferred."""
    PLATFORM_REVENUE = "platform_revenue"
    """Income: the platform's share."""
    STRIPE_FEES = "stripe_fees"
    """Expense: what Stripe keeps of a charge."""
    REFUND_FAILED = "refund_failed"
    """Liability: refunds that came back; an operator finds another way to the mentee."""
    OUTSIDE_STRIPE = "outside_stripe"
    """Asset: the platform's own bank account, from which a failed refund may be paid."""


@dataclass(frozen=True)
class Line:
    """One side of an entry: `minor` is positive for a debit, negative for a credit."""

    account: Account
    minor: int
    currency: str
    order_id: UUID | None = None
    mentor_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True)
class Part:
    """A session of a purchase, whose part of the price it is; causes go under `name`."""

    order_id: UUID
    session_id: UUID
    name: UUID


@dataclass(frozen=True)
class Entry:
    """One posting, as of a business instant."""

    cause: str
    kind: str
    happened_at: datetime
    lines: tuple[Line, ...]


class Unbalanced(ValueError):
    """The lines of an entry do not sum to zero: a mistake of ours that must not be stored."""


def payment(parts: Mapping[Part, Money], at: datetime) -> Entry:
    """Post a payment: Stripe holds the price, and nobody has any session's part of it yet."""
    order_id = next(iter(parts)).order_id
    held = [_of_order(Account.STRIPE_BALANCE, _sum(parts.values()), order_id)]
    clearing = [
        _line(Account.SESSION_CLEARING, _minus(price), part) for part, price in parts.items()
    ]
    return _entry(f"payment:{order_id}", at, *held, *clearing)


def stripe_fee(order_id: UUID, fee: Money, at: datetime) -> Entry:
    """Post the fee that Stripe kept, which is the platform's cost."""
    return _entry(
        f"stripe_fee:{order_id}",
        at,
        _of_order(Account.STRIPE_FEES, fee, order_id),
        _of_order(Account.STRIPE_BALANCE, _minus(fee), order_id),
    )


def refund_planned(part: Part, refund_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post a decided refund: this part of the price is no longer to be given out."""
    return _entry(
        f"refund_planned:{refund_id}",
        at,
        _line(Account.SESSION_CLEARING, amount, part),
        _line(Account.REFUNDS_IN_TRANSIT, _minus(amount), part),
    )


def refund_settled(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int = 1
) -> Entry:
    """Post that Stripe took the refund from the platform's balance."""
    return _entry(
        f"refund_settled:{_attempted(refund_id, attempt)}",
        at,
        _line(Account.REFUNDS_IN_TRANSIT, amount, part),
        _line(Account.STRIPE_BALANCE, _minus(amount), part),
    )


def refund_failed(
    part: Part,
    refund_id: UUID,
    amount: Money,
    at: datetime,
    *,
    settled: bool,
    attempt: int = 1,
) -> Entry:
    """Post a refund that came back, or never left: an operator decides about the money."""
    source = Account.STRIPE_BALANCE if settled else Account.REFUNDS_IN_TRANSIT
    return _entry(
        f"refund_failed:{_attempted(refund_id, attempt)}",
        at,
        _line(source, amount, part),
        _line(Account.REFUND_FAILED, _minus(amount), part),
    )


def refund_retried(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int
) -> Entry:
    """Post that a failed refund is on its way once more."""
    return _entry(
        f"refund_retried:{_attempted(refund_id, attempt)}",
        at,
        _line(Account.REFUND_FAILED, amount, part),
        _line(Account.REFUNDS_IN_TRANSIT, _minus(amount), part),
    )


def refund_paid_otherwise(part: Part, refund_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentee got a failed refund from the platform's own bank account."""
    return _entry(
        f"refund_paid_otherwise:{refund_id}",
        at,
        _line(Account.REFUND_FAILED, amount, part),
        _line(Account.OUTSIDE_STRIPE, _minus(amount), part),
    )


def release(part: Part, mentor_id: UUID, mentor: Money, platform: Money, at: datetime) -> Entry:
    """Post the split: what was retained belongs to the mentor and to the platform."""
    return _entry(
        f"release:{part.name}",
        at,
        _line(Account.SESSION_CLEARING, mentor + platform, part),
        _line(Account.MENTOR_PAYABLE, _minus(mentor), part, mentor_id),
        _line(Account.PLATFORM_REVENUE, _minus(platform), part),
    )


def transfer(part: Part, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentor's share moved to the connected account."""
    return _entry(
        f"transfer:{part.name}",
        at,
        _line(Account.MENTOR_PAYABLE, amount, part, mentor_id),
        _line(Account.STRIPE_BALANCE, _minus(amount), part),
    )


def _attempted(refund_id: UUID, attempt: int) -> str:
    return str(refund_id) if attempt == 1 else f"{refund_id}:{attempt}"


def _entry(cause: str, at: datetime, *lines: Line) -> Entry:
    kept = tuple(line for line in lines if line.minor)
    totals: dict[str, int] = {}
    for line in kept:
        totals[line.currency] = totals.get(line.currency, 0) + line.minor
    if any(totals.values()):
        raise Unbalanced(cause)
    return Entry(cause, cause.split(":", 1)[0], at, kept)


def _line(account: Account, money: Money, part: Part, mentor_id: UUID | None = None) -> Line:
    return Line(account, money.minor, money.currency, part.order_id, mentor_id, part.session_id)


def _of_order(account: Account, money: Money, order_id: UUID) -> Line:
    return Line(account, money.minor, money.currency, order_id)


def _sum(amounts: Iterable[Money]) -> Money:
    first, *rest = amounts
    return sum(rest, first)


def _minus(money: Money) -> Money:
    return Money(-money.minor, money.currency)
