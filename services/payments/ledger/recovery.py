"""What money posts that leaves a session's part, or comes back to it, and a mentor's debt. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, Part, entry, line, minus
from shared.money import Money


def moved(
    cause: str,
    part: Part,
    mentor_id: UUID,
    sides: tuple[Money, Money, Money, Money, Money],
    *others: Line,
    at: datetime,
) -> Entry:
    """Post an amount that leaves a session's part, or comes to it; the other lines say where.

    `sides` are what the clearing, the mentor's payable, the mentor as a debt, the platform and its
    losses have less, negative where more.
    """
    clearing, payable, debt, platform, losses = sides
    return entry(
        cause,
        at,
        line(Account.SESSION_CLEARING, clearing, part),
        line(Account.MENTOR_PAYABLE, payable, part, mentor_id),
        line(Account.MENTOR_DEBT, debt, part, mentor_id),
        line(Account.PLATFORM_REVENUE, platform, part),
        line(Account.DISPUTE_LOSSES, losses, part),
        *others,
    )


def reversal(part: Part, reversal_id: UUID, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that a part of a transfer came back, which the mentor owes no more."""
    return entry(
        f"reversal:{reversal_id}",
        at,
        line(Account.STRIPE_BALANCE, amount, part),
        line(Account.MENTOR_DEBT, minus(amount), part, mentor_id),
    )


def netting(
    part: Part, transfer_id: UUID, mentor_id: UUID, amount: Money, at: datetime, *, attempt: int = 1
) -> Entry:
    """Post what is kept of a share for what the mentor owes."""
    again = "" if attempt == 1 else f":{attempt}"
    return entry(
        f"netting:{transfer_id}{again}",
        at,
        line(Account.MENTOR_PAYABLE, amount, part, mentor_id),
        line(Account.MENTOR_DEBT, minus(amount), part, mentor_id),
    )


def write_off(name: UUID, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the platform bears what a mentor owed; it is of no purchase in particular."""
    return entry(
        f"debt_written_off:{name}",
        at,
        Line(Account.BAD_DEBTS, amount.minor, amount.currency),
        Line(Account.MENTOR_DEBT, -amount.minor, amount.currency, mentor_id=mentor_id),
    )


def owed_again(part: Part, name: UUID, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that a mentor owes again what was written off: the share itself came back."""
    return entry(
        f"debt_owed_again:{name}",
        at,
        line(Account.MENTOR_DEBT, amount, part, mentor_id),
        line(Account.BAD_DEBTS, minus(amount), part),
    )
