"""What each side has of a price, and what of it a fraction is that can be refunded. Pure.

Mentees and mentors are rounded down, so that the odd minor unit always stays with the platform, and
the parts sum to the price exactly; how they come about is for `fees` to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.money import WHOLE_BASIS_POINTS, Money, charge_step


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


def fraction(price: Money, basis_points: int) -> Money:
    """Return what of a price can be refunded for a fraction of it."""
    if basis_points == WHOLE_BASIS_POINTS:
        return price
    return price.part(basis_points).in_steps(charge_step(price.currency))
