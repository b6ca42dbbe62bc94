"""How a price is divided: between refund and retained part, and between mentor and platform.

Everything is rounded down in the mentee's and the mentor's part, so that the odd minor unit always
stays with the platform, and the parts sum to the price exactly. Some currencies cannot be moved in
single minor units (https://docs.stripe.com/currencies#special-cases).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.money import WHOLE_BASIS_POINTS, Money, charge_step, payout_step


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
    if basis_points == WHOLE_BASIS_POINTS:
        return price
    return price.part(basis_points).in_steps(charge_step(price.currency))


def retain(price: Money, refund: Money, platform_share_basis_points: int) -> Split:
    """Divide what stays of a price after a refund."""
    retained = price - refund
    share = retained.part(WHOLE_BASIS_POINTS - platform_share_basis_points)
    mentor = share.in_steps(payout_step(price.currency))
    return Split(refund, mentor, retained - mentor)
