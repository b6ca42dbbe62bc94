"""What pages read of the books: a purchase's money, balances, and both books compared."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Difference(Shape):
    """An object of Stripe of which both books say different amounts, and what explains it."""

    source: str
    currency: str
    ledger_minor: int
    stripe_minor: int
    since: AwareDatetime
    reason: str


class Reconciliation(Shape):
    """Both books compared, and how far Stripe's list was read."""

    items: list[Difference]
    unexplained: int
    explained: int
    read_at: AwareDatetime | None = None
    movements: int
    unanswered: int


class BalanceLine(Shape):
    """One account of the ledger."""

    account: str
    currency: str
    amount_minor: int


class MoneyLine(Shape):
    """One thing that happened to the money of an order."""

    at: AwareDatetime
    kind: str
    amount_minor: int
    currency: str
    words: str = ""
    whose: str | None = None
    change_minor: int = 0

    @property
    def is_passing(self) -> bool:
        """Whether it only says where an amount has got to."""
        return self.whose is None

    @property
    def shown_minor(self) -> int:
        """Return the amount, below zero where it goes back or off the price.

        What the platform keeps goes off the price, so it is shown the other way round.
        """
        if self.is_passing:
            return self.amount_minor
        return -self.change_minor if self.kind == "platform_fee" else self.change_minor


class MoneyTotal(Shape):
    """What the mentee paid, or a side has, in the end."""

    whose: str
    amount_minor: int
    currency: str


class MoneyStory(Shape):
    """The money of an order, step by step, and what it comes to."""

    items: list[MoneyLine]
    totals: tuple[MoneyTotal, ...] = ()
    disputed_since: AwareDatetime | None = None

    @property
    def has_stripe_fee(self) -> bool:
        """Return whether Stripe's fee, which the mentor bears, is in what the platform has."""
        return any(each.kind == "stripe_fee" and each.is_passing for each in self.items)
