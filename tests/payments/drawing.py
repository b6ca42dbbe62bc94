"""What the dice draw for a made-up history: prices, cards, and what the platform takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.payments.conftest import SHARE

PRICES = {"USD": (50, 30_000), "JPY": (50, 30_000), "KWD": (100, 9_999), "HUF": (17_500, 900_000)}
GOOD, DECLINED, CHALLENGED, REFUND_FAILS, REFUND_PENDS, AT_ONCE = (
    "4242424242424242", "4000000000009995", "4000002500003155", "4000000000005126",
    "4000000000007726", "4000000000000077",
)  # fmt: skip
CARDS = (*[GOOD] * 7, DECLINED, CHALLENGED, REFUND_FAILS, REFUND_PENDS)
SHARES = (1_250, SHARE, 3_000)
MINIMUMS = {currency: highest // 8 for currency, (_, highest) in PRICES.items()}
"""More than many a price, so that nothing is left for the mentor."""


@dataclass(frozen=True)
class Taken:
    """What the platform takes of a purchase, as was agreed when it began."""

    share_basis_points: int = SHARE
    minimum_minor: int = 0
    mentor_bears_fee: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule of what is taken; as long as nobody makes one, it is the share of the settings."""

    share_basis_points: int = SHARE
    minimums: dict[str, int] = field(default_factory=dict[str, int])
    mentor_bears_fee: bool = False

    def of(self, currency: str) -> Taken:
        """Return what is taken of a purchase in a currency that begins now."""
        minimum = self.minimums.get(currency, 0)
        return Taken(self.share_basis_points, minimum, self.mentor_bears_fee)

    def body(self) -> dict[str, Any]:
        """Return what an operator says to make the rule."""
        return {
            "share_basis_points": self.share_basis_points,
            "minimums": [
                {"currency": currency, "minimum_minor": minor}
                for currency, minor in self.minimums.items()
            ],
            "stripe_fee": "mentor" if self.mentor_bears_fee else "platform",
            "reason": "Other times",
        }


def draw_rule(dice: Random) -> Rule:
    """Draw a rule: mostly a plain share, sometimes the least that is taken, or Stripe's fee too."""
    minimums = MINIMUMS if dice.random() < 0.4 else {}
    return Rule(dice.choice(SHARES), minimums, dice.random() < 0.4)


def draw_price(dice: Random) -> tuple[int, str]:
    """Draw a price and its currency; of some in dinars Stripe takes only tens."""
    currency = dice.choice(list(PRICES))
    price = dice.randint(*PRICES[currency])
    if currency == "KWD" and dice.random() < 0.8:
        price *= 10  # Stripe refuses the others.
    return price, currency
