"""The ledger's rules: which accounts there are and which lines each event posts. Pure.

Double entry in integer minor units: debits are positive, credits negative, and the lines of an
entry sum to zero per currency. `cause` names what an entry follows from; it is unique, so that an
event posts once however often it is reported.
"""

from __future__ import annotations

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
    """Liability, per order: paid and not yet given to anybody; zero in every final state."""
    REFUNDS_IN_TRANSIT = "refunds_in_transit"
    """Liability, per order: on its way back and not yet taken from the balance; ends at zero."""
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


@dataclass(frozen=True)
class Entry:
    """One posting, as of a business instant."""

    cause: str
    kind: str
    happened_at: datetime
    lines: tuple[Line, ...]


class Unbalanced(ValueError):
    """The lines of an entry do not sum to zero: a mistake of ours that must not be stored."""


def payment(order_id: UUID, price: Money, at: datetime) -> Entry:
    """Post a payment: Stripe holds the price, and nobody has it yet."""
    return _entry(
        f"payment:{order_id}",
        at,
        _line(Account.STRIPE_BALANCE, price, order_id),
        _line(Account.SESSION_CLEARING, _minus(price), order_id),
    )


def stripe_fee(order_id: UUID, fee: Money, at: datetime) -> Entry:
    """Post the fee that Stripe kept, which is the platform's cost."""
    return _entry(
        f"stripe_fee:{order_id}",
        at,
        _line(Account.STRIPE_FEES, fee, order_id),
        _line(Account.STRIPE_BALANCE, _minus(fee), order_id),
    )


def refund_planned(order_id: UUID, refund_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post a decided refund: this part of the price is no longer to be given out."""
    return _entry(
        f"refund_planned:{refund_id}",
        at,
        _line(Account.SESSION_CLEARING, amount, order_id),
        _line(Account.REFUNDS_IN_TRANSIT, _minus(amount), order_id),
    )


def refund_settled(
    order_id: UUID, refund_id: UUID, amount: Money, at: datetime, *, attempt: int = 1
) -> Entry:
    """Post that Stripe took the refund from the platform's balance."""
    return _entry(
        f"refund_settled:{_attempted(refund_id, attempt)}",
        at,
        _line(Account.REFUNDS_IN_TRANSIT, amount, order_id),
        _line(Account.STRIPE_BALANCE, _minus(amount), order_id),
    )


def refund_failed(
    order_id: UUID,
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
        _line(source, amount, order_id),
        _line(Account.REFUND_FAILED, _minus(amount), order_id),
    )


def refund_retried(
    order_id: UUID, refund_id: UUID, amount: Money, at: datetime, *, attempt: int
) -> Entry:
    """Post that a failed refund is on its way once more."""
    return _entry(
        f"refund_retried:{_attempted(refund_id, attempt)}",
        at,
        _line(Account.REFUND_FAILED, amount, order_id),
        _line(Account.REFUNDS_IN_TRANSIT, _minus(amount), order_id),
    )


def refund_paid_otherwise(order_id: UUID, refund_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentee got a failed refund from the platform's own bank account."""
    return _entry(
        f"refund_paid_otherwise:{refund_id}",
        at,
        _line(Account.REFUND_FAILED, amount, order_id),
        _line(Account.OUTSIDE_STRIPE, _minus(amount), order_id),
    )


def release(order_id: UUID, mentor_id: UUID, mentor: Money, platform: Money, at: datetime) -> Entry:
    """Post the split: what was retained belongs to the mentor and to the platform."""
    return _entry(
        f"release:{order_id}",
        at,
        _line(Account.SESSION_CLEARING, mentor + platform, order_id),
        _line(Account.MENTOR_PAYABLE, _minus(mentor), order_id, mentor_id),
        _line(Account.PLATFORM_REVENUE, _minus(platform), order_id),
    )


def transfer(order_id: UUID, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentor's share moved to the connected account."""
    return _entry(
        f"transfer:{order_id}",
        at,
        _line(Account.MENTOR_PAYABLE, amount, order_id, mentor_id),
        _line(Account.STRIPE_BALANCE, _minus(amount), order_id),
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


def _line(account: Account, money: Money, order_id: UUID, mentor_id: UUID | None = None) -> Line:
    return Line(account, money.minor, money.currency, order_id, mentor_id)


def _minus(money: Money) -> Money:
    return Money(-money.minor, money.currency)
