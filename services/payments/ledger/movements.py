"""What only Stripe's own list tells: money to and from the platform's bank, and Stripe's bills."""

from __future__ import annotations

from datetime import datetime

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, entry
from shared.money import Money


def moved_outside(movement_id: str, amount: Money, fee: Money, at: datetime) -> Entry:
    """Post a payout or a top-up of the platform's own: between Stripe and its bank account."""
    return entry(
        f"moved_outside:{movement_id}",
        at,
        Line(Account.STRIPE_BALANCE, (amount - fee).minor, amount.currency),
        Line(Account.STRIPE_FEES, fee.minor, fee.currency),
        Line(Account.OUTSIDE_STRIPE, -amount.minor, amount.currency),
    )


def by_hand(source: str, account: Account, amount: Money, at: datetime) -> Entry:
    """Post what an operator says of an object of Stripe that nothing here explains."""
    return entry(
        f"by_hand:{source}:{amount.currency}:{at:%Y%m%dT%H%M%S}",
        at,
        Line(Account.STRIPE_BALANCE, amount.minor, amount.currency),
        Line(account, -amount.minor, amount.currency),
    ).shown_by(source)


def billed(movement_id: str, amount: Money, at: datetime) -> Entry:
    """Post what Stripe bills apart from any charge, or gives back of it."""
    return entry(
        f"billed:{movement_id}",
        at,
        Line(Account.STRIPE_BALANCE, amount.minor, amount.currency),
        Line(Account.STRIPE_FEES, -amount.minor, amount.currency),
    )
