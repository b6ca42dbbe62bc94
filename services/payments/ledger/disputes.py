"""What a dispute posts beside its sessions' shares: Stripe's fee, and what no share covers. Pure.

What it takes of a session's part, or gives back, is posted as the recovery of that part.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Part, entry, line, minus, of_order
from shared.money import Money


def dispute_fee(order_id: UUID, movement_id: str, fee: Money, at: datetime) -> Entry:
    """Post the fee that Stripe kept of a dispute, or gave back (below zero)."""
    return entry(
        f"dispute_fee:{movement_id}",
        at,
        of_order(Account.DISPUTE_FEES, fee, order_id),
        of_order(Account.STRIPE_BALANCE, minus(fee), order_id),
    )


def refund_covered(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int, failed: bool = False
) -> Entry:
    """Post that a dispute took what a refund would have sent: the bank paid it in our place."""
    return entry(
        f"refund_covered:{refund_id}:{attempt}",
        at,
        line(Account.REFUND_FAILED if failed else Account.REFUNDS_IN_TRANSIT, amount, part),
        line(Account.DISPUTE_LOSSES, minus(amount), part),
    )


def refund_uncovered(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int
) -> Entry:
    """Post that such a refund is on its way after all: the dispute gave the money back."""
    return entry(
        f"refund_uncovered:{refund_id}:{attempt}",
        at,
        line(Account.DISPUTE_LOSSES, amount, part),
        line(Account.REFUNDS_IN_TRANSIT, minus(amount), part),
    )


def dispute_loss(order_id: UUID, movement_id: str, loss: Money, at: datetime) -> Entry:
    """Post what a dispute took beyond what was left of the sessions' prices, or gave back."""
    return entry(
        f"dispute_loss:{movement_id}",
        at,
        of_order(Account.DISPUTE_LOSSES, loss, order_id),
        of_order(Account.STRIPE_BALANCE, minus(loss), order_id),
    )
