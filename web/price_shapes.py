"""What the web client reads about prices: quotes, promotion codes, and what the platform takes."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from web.shapes import Shape


class Back(Shape):
    """What goes back of one session when this fraction does, and where; so many are alike."""

    refund_basis_points: int
    mentee_minor: int
    back_to: str = "card"
    sessions: int = 1


class Bill(Shape):
    """Every amount of a purchase; `promotion_refused` says why a code takes nothing off.

    `amends`: the discount is for a session that did not take place.
    """

    currency: str
    price_minor: int
    discount_minor: int = 0
    amends: bool = False
    credits_minor: int = 0
    credits_used: int = 0
    to_pay_minor: int
    promotion_code: str | None = None
    promotion_refused: str | None = None
    back: list[Back] = Field(default_factory=list[Back])

    def shares(self, basis_points: int) -> list[Back]:
        """Return what this fraction comes to for each kind of session, if it was asked for."""
        return [each for each in self.back if each.refund_basis_points == basis_points]


class Checkout(Shape):
    """The payment page of an order, and its amounts where they are known."""

    state: str
    url: str | None = None
    currency: str = ""
    price_minor: int = 0
    discount_minor: int = 0
    amends: bool = False
    credits_minor: int = 0
    credits_used: int = 0
    to_pay_minor: int | None = None
    promotion_code: str | None = None
    promotion_refused: str | None = None


class Promotion(Shape):
    """A promotion code with its limits."""

    promotion_id: str
    code: str
    paid_by: str
    percent_basis_points: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    mentor_id: str | None = None
    offering_id: str | None = None
    at_most: int | None = None
    per_person: int | None = None
    first_purchase_only: bool = False
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    paused_at: AwareDatetime | None = None
    paused_by: str | None = None
    used: int = 0


class Tier(Shape):
    """From this lifetime volume on the share is this one."""

    currency: str
    from_minor: int
    share_basis_points: int


class Minimum(Shape):
    """The least that is taken of a session."""

    currency: str
    minimum_minor: int


class FeeRule(Shape):
    """A rule of what the platform takes; without a version it is what the settings say."""

    version: int | None = None
    mentor_id: str | None = None
    share_basis_points: int
    tiers: list[Tier] = Field(default_factory=list[Tier])
    minimums: list[Minimum] = Field(default_factory=list[Minimum])
    stripe_fee: str = "platform"


class MyFees(Shape):
    """What is taken of what a mentor sells now."""

    currency: str
    volume_minor: int = 0
    share_basis_points: int
    minimum_minor: int = 0
    stripe_fee: str = "platform"
    tiers: list[Tier] = Field(default_factory=list[Tier])
