"""What `booking` tells the others: what can be bought, and the life of every purchase."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.common import (
    BasisPoints,
    CurrencyCode,
    EndsAt,
    MenteeRef,
    MentorRef,
    Minor,
    OfferingRef,
    OrderRef,
    Party,
    SessionRef,
    StartsAt,
    Title,
)
from shared.contracts.envelope import Fact

LostReason = Literal["time_sold", "cancelled", "begun", "mentor_unavailable"]
CancellationPreset = Literal["flexible", "standard", "strict"]


class OfferingFact(Fact):
    """A fact about one offering; the state after it is told in full."""

    topic: ClassVar[str] = "booking.offerings"
    key_field: ClassVar[str] = "offering_id"

    offering_id: OfferingRef
    mentor_id: MentorRef
    title: Title
    minutes: int = Field(description="How long a session takes.", examples=[60])
    price_minor: Minor
    currency: CurrencyCode
    published: bool = Field(description="Whether it is for sale.", examples=[True])


class OfferingPublished(OfferingFact):
    """A mentor offers a kind of session for sale, or changed one that is for sale."""


class OfferingWithdrawn(OfferingFact):
    """An offering is no longer for sale; sessions sold before stay as sold."""


class OfferingSnapshot(OfferingFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


class FrozenPolicy(BaseModel):
    """The cancellation policy as the mentee accepted it; it never changes for that purchase."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    preset: CancellationPreset = Field(description="Which steps the refund has.")
    policy_version: int = Field(description="Which wording of the preset.", examples=[1])


class OrderFact(Fact):
    """A fact about one purchase; from `booking` and `payments` alike it is keyed by the order."""

    topic: ClassVar[str] = "booking.orders"
    key_field: ClassVar[str] = "order_id"

    order_id: OrderRef
    session_id: SessionRef
    mentor_id: MentorRef
    mentee_id: MenteeRef
    starts_at: StartsAt
    ends_at: EndsAt
    calendar_sequence: int = Field(
        ge=0, description="SEQUENCE of the invitation (RFC 5545 §3.8.7.4).", examples=[0]
    )


class BookingHeld(OrderFact):
    """A mentor's time is kept for a mentee until `hold_until`; all that paying needs is frozen."""

    offering_id: OfferingRef
    title: Title
    price_minor: Minor
    currency: CurrencyCode
    hold_until: AwareDatetime = Field(
        description="When the time is given back unless it is paid.",
        examples=["2026-03-02T12:15:00Z"],
    )
    policy: FrozenPolicy = Field(description="What the mentee accepted.")


class BookingConfirmed(OrderFact):
    """The session is paid and will take place."""

    title: Title


class BookingExpired(OrderFact):
    """The hold lapsed without a payment; the time is free again."""


class BookingLost(OrderFact):
    """Money came for a session that can no longer take place: it goes back in full."""

    reason: LostReason = Field(description="Why it cannot take place.")


class BookingCancelled(OrderFact):
    """A confirmed session was called off; `refund_basis_points` of the price goes back."""

    by: Party = Field(description="Who called it off.")
    reason: str | None = Field(
        default=None, description="In the words of that person.", examples=["I am ill."]
    )
    refund_basis_points: BasisPoints = Field(examples=[5_000])


class SessionCompleted(OrderFact):
    """The session took place; the release delay begins."""

    by: Party = Field(description="Who said so; `system` when nobody did for 24 hours.")
    completed_at: AwareDatetime = Field(
        description="From when the release delay counts.", examples=["2026-03-06T15:05:00Z"]
    )


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
