"""What sessions post that are paid before they are booked: bought, used, given back, over. Pure.

`account` is where the purchase keeps its unused credits: for people's own ones, or for a fund.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, Part, entry, line, minus, of_order
from shared.money import Money


def bought(purchase_id: UUID, account: Account, price: Money, at: datetime) -> Entry:
    """Post the payment of credits: Stripe holds the price, and sessions are owed for it."""
    return entry(
        f"payment:{purchase_id}",
        at,
        of_order(Account.STRIPE_BALANCE, price, purchase_id),
        of_order(account, minus(price), purchase_id),
    )


def used(purchase_id: UUID, account: Account, part: Part, unit: Money, at: datetime) -> Entry:
    """Post that a credit pays for a session, from when its time is held."""
    return entry(
        f"credit_used:{part.session_id}",
        at,
        of_order(account, unit, purchase_id),
        line(Account.SESSION_CLEARING, minus(unit), part),
    )


def freed(purchase_id: UUID, account: Account, part: Part, unit: Money, at: datetime) -> Entry:
    """Post that a credit is free again: the rest of the purchase was not paid in time."""
    return entry(
        f"credit_freed:{part.session_id}",
        at,
        line(Account.SESSION_CLEARING, unit, part),
        of_order(account, minus(unit), purchase_id),
    )


def unused(purchase_id: UUID, account: Account, unit: Money) -> Line:
    """Return where a credit is that came back whole: its session does not take place."""
    return of_order(account, minus(unit), purchase_id)


def unused_refunded(
    purchase_id: UUID, account: Account, refund_id: UUID, amount: Money, at: datetime
) -> Entry:
    """Post that unused credits go back as money to whoever bought them."""
    return entry(
        f"refund_planned:{refund_id}",
        at,
        of_order(account, amount, purchase_id),
        of_order(Account.REFUNDS_IN_TRANSIT, minus(amount), purchase_id),
    )


def expired(
    purchase_id: UUID, account: Account, lot_id: UUID, amount: Money, at: datetime
) -> Entry:
    """Post that nobody used what was left of a lot in its time."""
    return entry(
        f"credits_expired:{lot_id}:{at:%Y%m%dT%H%M%S}",
        at,
        of_order(account, amount, purchase_id),
        of_order(Account.EXPIRED_CREDITS, minus(amount), purchase_id),
    )
