"""Movements of Stripe's balance that nobody else tells us of, and what they post. Pure.

The kinds are those of https://docs.stripe.com/reports/balance-transaction-types.
"""

from __future__ import annotations

from services.payments.domain.seen import BookedSeen
from services.payments.ledger import movements
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry
from shared.errors import Refusal
from shared.money import Money

OUTSIDE = frozenset({"payout", "payout_cancel", "payout_failure", "topup", "topup_reversal"})
BILLS = frozenset({"stripe_fee", "stripe_fx_fee", "tax_fee"})

BOOKABLE = {
    account.value: account
    for account in (
        Account.OUTSIDE_STRIPE,
        Account.STRIPE_FEES,
        Account.DISPUTE_FEES,
        Account.DISPUTE_LOSSES,
        Account.PLATFORM_REVENUE,
        Account.REFUND_FAILED,
    )
}
"""Where an operator may book what nothing explains: never to a mentor or a session."""


class NothingToBook(Refusal):
    """Both books agree, or time will explain it; or the account is not for such things."""

    code = "nothing_to_book"
    detail = "Only an unexplained difference can be booked, to an account of the platform's own."


def posting_of(movement: BookedSeen) -> Entry | None:
    """Return what a movement of the platform's balance posts by itself, if anything."""
    amount = Money(movement.amount_minor, movement.currency)
    fee = Money(movement.fee_minor, movement.currency)
    if movement.type in OUTSIDE:
        posted = movements.moved_outside(movement.movement_id, amount, fee, movement.created_at)
    elif movement.type in BILLS:
        posted = movements.billed(movement.movement_id, amount - fee, movement.created_at)
    else:
        return None
    return posted.shown_by(movement.source)
