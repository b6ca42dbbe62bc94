"""What pages read of refunds after the release, and of what mentors owe."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Consequences(Shape):
    """What a refund would do: who has what then, and who gives how much of it back.

    `price_back_minor` goes back of the price, and `back_minor` of what the mentee paid of it.
    """

    back_minor: int
    price_back_minor: int
    mentee_minor: int
    mentor_minor: int
    platform_minor: int
    mentor_gives_minor: int
    platform_gives_minor: int
    owed_minor: int
    reversible_minor: int
    currency: str

    @property
    def kept_later_minor(self) -> int:
        """Return what no transfer of the session can bring back."""
        return self.owed_minor - self.reversible_minor


class Owed(Shape):
    """What a mentor owes in one currency; `asked_minor` of it Stripe is taking back now."""

    currency: str
    owed_minor: int
    asked_minor: int = 0


class DebtStep(Shape):
    """What made a debt more, or less where the amount is negative."""

    at: AwareDatetime
    words: str
    amount_minor: int
    currency: str
    order_id: str | None = None
    title: str | None = None


class Owing(Shape):
    """What a mentor owes, and what made it so."""

    owed: tuple[Owed, ...] = ()
    steps: tuple[DebtStep, ...] = ()


class Debt(Shape):
    """A mentor who owes, as operators see it."""

    mentor_id: str
    currency: str
    owed_minor: int
    since: AwareDatetime
    beyond_floor: bool = False
    refusal: str | None = None
    asked_again_at: AwareDatetime | None = None
