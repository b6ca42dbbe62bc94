"""What `booking` tells the others: what can be bought, and the life of every purchase."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.common import BasisPoints, CurrencyCode, Minor, Party
from shared.contracts.envelope import Fact

LostReason = Literal["time_sold", "cancelled", "begun", "mentor_unavailable"]
CancellationPreset = Literal["flexible", "standard", "strict"]


class OfferingFact(Fact):
    """A fact about one offering; the state after it is told in full."""

    topic: ClassVar[str] = "booking.offerings"
    key_field: ClassVar[str] = "offering_id"

    offering_id: UUID
    mentor_id: UUID
    title: str
    minutes: int
    price_minor: Minor
    currency: CurrencyCode
    published: bool


class OfferingPublished(OfferingFact):
    """A mentor offers a kind of session for sale, or changed one that is for sale."""


class OfferingWithdrawn(OfferingFact):
    """An offering is no longer for sale; sessions sold before stay as sold."""


class OfferingSnapshot(OfferingFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


class FrozenPolicy(BaseModel):
    """The cancellation policy as the mentee accepted it; it never changes for that purchase."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    preset: CancellationPreset
    policy_version: int


class OrderFact(Fact):
    """A fact about one purchase; from `booking` and `payments` alike it is keyed by the order."""

    topic: ClassVar[str] = "booking.orders"
    key_field: ClassVar[str] = "order_id"

    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    calendar_sequence: int = Field(
        ge=0, description="SEQUENCE of the invitation (RFC 5545 §3.8.7.4)."
    )


class BookingHeld(OrderFact):
    """A mentor's time is kept for a mentee until `hold_until`; all that paying needs is frozen."""

    offering_id: UUID
    title: str
    price_minor: Minor
    currency: CurrencyCode
    hold_until: AwareDatetime
    policy: FrozenPolicy


class BookingConfirmed(OrderFact):
    """The session is paid and will take place."""

    title: str


class BookingExpired(OrderFact):
    """The hold lapsed without a payment; the time is free again."""


class BookingLost(OrderFact):
    """Money came for a session that can no longer take place: it goes back in full."""

    reason: LostReason


class BookingCancelled(OrderFact):
    """A confirmed session was called off; `refund_basis_points` of the price goes back."""

    by: Party
    reason: str | None = None
    refund_basis_points: BasisPoints


class SessionCompleted(OrderFact):
    """The session took place; the release delay begins."""

    by: Party
    completed_at: AwareDatetime


FACTS: tuple[type[Fact], ...] = (
    OfferingPublished,
    OfferingWithdrawn,
    OfferingSnapshot,
    BookingHeld,
    BookingConfirmed,
    BookingExpired,
    BookingLost,
    BookingCancelled,
    SessionCompleted,
)
