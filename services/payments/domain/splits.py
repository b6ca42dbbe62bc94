"""How a price is divided: between refund and retained part, and between mentor and platform.

Everything is rounded down in the mentee's and the mentor's part, so that the odd minor unit always
stays with the platform, and the parts sum to the price exactly. Some currencies cannot be moved in
single minor units (https://docs.stripe.com/currencies#special-cases).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.money import THREE_DECIMAL, WHOLE_BASIS_POINTS, Money

THREE_DECIMAL_STEP = 10
"""Stripe takes amounts of three-decimal currencies only when they end in 0."""
WHOLE_UNIT_STEP = 100
WHOLE_UNIT_CHARGES = frozenset({"ISK"})
"""Charged and refunded in whole units although two decimals are written."""
WHOLE_UNIT_PAYOUTS = frozenset({"HUF", "ISK", "TWD"})
"""Paid out in whole units, so that mentors are given whole units."""


@dataclass(frozen=True)
class Split:
    """What each side gets of a price; the three sum to it."""

    mentee: Money
    mentor: Money
    platform: Money

    @property
    def retained(self) -> Money:
        """What is not given back."""
        return self.mentor + self.platform


def divide(price: Money, refund_basis_points: int, platform_share_basis_points: int) -> Split:
    """Divide a price after a refund of a fraction; the platform's share is of what is retained."""
    return retain(price, fraction(price, refund_basis_points), platform_share_basis_points)


def fraction(price: Money, basis_points: int) -> Money:
    """Return what of a price can be refunded for a fraction of it."""
    whole = basis_points == WHOLE_BASIS_POINTS
    return price if whole else _down(price.part(basis_points), _step(price.currency))


def retain(price: Money, refund: Money, platform_share_basis_points: int) -> Split:
    """Divide what stays of a price after a refund."""
    retained = price - refund
    mentor = _down(
        retained.part(WHOLE_BASIS_POINTS - platform_share_basis_points),
        _payout_step(price.currency),
    )
    return Split(refund, mentor, retained - mentor)


def _down(money: Money, step: int) -> Money:
    return Money(money.minor - money.minor % step, money.currency)


def _step(currency: str) -> int:
    if currency in THREE_DECIMAL:
        return THREE_DECIMAL_STEP
    return WHOLE_UNIT_STEP if currency in WHOLE_UNIT_CHARGES else 1


def _payout_step(currency: str) -> int:
    if currency in WHOLE_UNIT_PAYOUTS:
        return WHOLE_UNIT_STEP
    return _step(currency)
