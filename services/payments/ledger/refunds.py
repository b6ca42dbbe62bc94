"""What a refund posts, from the decision until the mentee has the money. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, Part, entry, line, minus
from shared.money import Money


def on_its_way(part: Part, amount: Money) -> Line:
    """Return where a decided refund is until Stripe takes it: no longer to be given out."""
    return line(Account.REFUNDS_IN_TRANSIT, minus(amount), part)


def undiscounted(part: Part, amount: Money) -> Line:
    """Return what the platform does not give after all, of a price that partly went back."""
    return line(Account.PROMOTIONS, minus(amount), part)


def refund_settled(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int = 1
) -> Entry:
    """Post that Stripe took the refund from the platform's balance."""
    return entry(
        f"refund_settled:{_attempted(refund_id, attempt)}",
        at,
        line(Account.REFUNDS_IN_TRANSIT, amount, part),
        line(Account.STRIPE_BALANCE, minus(amount), part),
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
    return entry(
        f"refund_failed:{_attempted(refund_id, attempt)}",
        at,
        line(source, amount, part),
        line(Account.REFUND_FAILED, minus(amount), part),
    )


def refund_retried(
    part: Part, refund_id: UUID, amount: Money, at: datetime, *, attempt: int
) -> Entry:
    """Post that a failed refund is on its way once more."""
    return entry(
        f"refund_retried:{_attempted(refund_id, attempt)}",
        at,
        line(Account.REFUND_FAILED, amount, part),
        line(Account.REFUNDS_IN_TRANSIT, minus(amount), part),
    )


def refund_paid_otherwise(part: Part, refund_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentee got a failed refund from the platform's own bank account."""
    return entry(
        f"refund_paid_otherwise:{refund_id}",
        at,
        line(Account.REFUND_FAILED, amount, part),
        line(Account.OUTSIDE_STRIPE, minus(amount), part),
    )


def _attempted(refund_id: UUID, attempt: int) -> str:
    return str(refund_id) if attempt == 1 else f"{refund_id}:{attempt}"
