"""What a purchase posts: its payment, and what Stripe keeps of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Paid, Part, entry, line, minus, of_order, total
from shared.money import Money


def payment(parts: Mapping[Part, Paid], at: datetime) -> Entry:
    """Post a payment: Stripe holds the price, and nobody has any session's part of it yet."""
    order_id = next(iter(parts)).order_id
    by_card = total(each.by_card for each in parts.values())
    given = [line(Account.PROMOTIONS, paid.discount, part) for part, paid in parts.items()]
    clearing = [
        line(Account.SESSION_CLEARING, minus(paid.price), part) for part, paid in parts.items()
    ]
    held = of_order(Account.STRIPE_BALANCE, by_card, order_id)
    return entry(f"payment:{order_id}", at, held, *given, *clearing)


def stripe_fee(order_id: UUID, fee: Money, at: datetime) -> Entry:
    """Post the fee that Stripe kept, which is the platform's cost."""
    return entry(
        f"stripe_fee:{order_id}",
        at,
        of_order(Account.STRIPE_FEES, fee, order_id),
        of_order(Account.STRIPE_BALANCE, minus(fee), order_id),
    )
