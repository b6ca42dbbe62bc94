"""What the web client reads of sessions that are paid in advance."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Package(Shape):
    """So many sessions of an offering for less."""

    package_id: str
    offering_id: str
    mentor_id: str
    title: str
    minutes: int
    sessions: int
    unit_price_minor: int
    price_minor: int
    saved_minor: int = 0
    dearer_than_alone: bool = False
    currency: str
    valid_months: int
    gift_valid_months: int
    bookable: bool = True


class Packages(Shape):
    """The packages of a mentor."""

    items: list[Package]


class Lot(Shape):
    """Credits of one purchase, gift or grant."""

    kind: str
    mentor_id: str
    offering_id: str
    title: str
    minutes: int
    sessions: int
    remaining: int
    expires_at: AwareDatetime
    resting: bool = False


class Credits(Shape):
    """One's credits."""

    items: list[Lot]


class AmendsLeft(Shape):
    """What is left of amends for a session that did not take place."""

    left_minor: int
    currency: str
    expires_at: AwareDatetime


class Amends(Shape):
    """One's amends, in the order in which they are used."""

    items: list[AmendsLeft]


class Bought(Shape):
    """A purchase of credits as its buyer sees it."""

    purchase_id: str
    kind: str
    state: str
    mentor_id: str
    offering_id: str
    title: str
    sessions: int
    remaining: int = 0
    granted: int = 0
    used: int = 0
    redeemed: bool = False
    price_minor: int
    refundable_minor: int = 0
    refunded_minor: int = 0
    expired: bool = False
    currency: str
    hold_until: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    resting: bool = False

    @property
    def is_over(self) -> bool:
        """Return whether nobody can do more with it: it was paid back, or its time is over."""
        return self.expired or (self.refunded_minor > 0 and not self.remaining)

    @property
    def waiting(self) -> bool:
        """Return whether the payment is still to come."""
        return self.state in ("being_prepared", "open", "closing")


class GiftCode(Shape):
    """The code of a gift, shown once."""

    code: str


class FundItem(Shape):
    """Sponsored sessions of an offering."""

    offering_id: str
    title: str
    minutes: int
    available: int
    expires_at: AwareDatetime


class Fund(Shape):
    """What sponsors gave a mentor, and to whom it may be granted."""

    items: list[FundItem]
    mentee_ids: list[str]
