"""What `booking` tells the others: what can be bought, and the life of every purchase."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

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
    PromotionCode,
    SessionRef,
    StartsAt,
    Title,
)
from shared.contracts.envelope import Fact

LostReason = Literal["time_sold", "cancelled", "begun", "mentor_unavailable"]
CancellationPreset = Literal["flexible", "standard", "strict"]
ReasonGiven = Annotated[
    bool,
    Field(
        description="Whether that person said why; the words are to be read at booking alone.",
        examples=[True],
    ),
]
Credit = Annotated[
    BasisPoints,
    Field(description="Of the price, as a credit for the mentee.", examples=[1_000]),
]


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


class SoldSession(BaseModel):
    """One session of a purchase that has several, with its part of the price."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    session_id: SessionRef
    starts_at: StartsAt
    ends_at: EndsAt
    price_minor: Minor


SoldSessions = Annotated[
    list[SoldSession],
    Field(
        default_factory=list[SoldSession],
        description="All sessions of a series, in order, each with its part of the price; "
        "left empty where one session was bought.",
        examples=[[]],
    ),
]


class OrderFact(Fact):
    """A fact about one purchase; from `booking` and `payments` alike it is keyed by the order.

    `session_id`, its times and `calendar_sequence` are those of the session it is about: the first
    one where it is about the whole purchase.
    """

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
    sessions: SoldSessions
    promotion_code: PromotionCode | None = Field(
        default=None,
        description="The code that was named; payments says what it takes off.",
        examples=[None],
    )


class BookingRequested(OrderFact):
    """A mentee asks for a session of an offering by request; both people's time is kept."""

    offering_id: OfferingRef
    title: Title
    price_minor: Minor
    currency: CurrencyCode
    answer_by: AwareDatetime = Field(
        description="When the request lapses unless the mentor answers.",
        examples=["2026-03-04T12:00:00Z"],
    )
    sessions: SoldSessions


class RequestDeclined(OrderFact):
    """A request came to nothing because one of the two said so; the time is free again."""

    by: Party = Field(description="Who said so; the mentee when it was withdrawn.")
    reason_given: ReasonGiven = False


class Suggestion(BaseModel):
    """A slot of another mentor that comes close to what was wished for."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    offering_id: OfferingRef
    mentor_id: MentorRef
    starts_at: StartsAt


class RequestLapsed(OrderFact):
    """The mentor did not answer a request in time; the time is free again."""

    next_best: Suggestion | None = Field(
        default=None, description="The next best mentor, if there is one.", examples=[None]
    )


class WaitlistOffered(OrderFact):
    """A slot became free and is kept for the first of those who wait for it."""

    offering_id: OfferingRef
    title: Title
    price_minor: Minor
    currency: CurrencyCode
    answer_by: AwareDatetime = Field(
        description="When the slot is offered to the next one.", examples=["2026-03-02T14:00:00Z"]
    )


class WaitlistOfferEnded(OrderFact):
    """An offered slot was not taken: passed on by the mentee, or not answered in time."""

    by: Party = Field(description="The mentee, or `system` when nobody answered.")


class BookingConfirmed(OrderFact):
    """The session is paid and will take place."""

    title: Title
    sessions: SoldSessions


class MoveProposed(OrderFact):
    """One side asks the other to move the session; nothing moves before they agree."""

    by: Party = Field(description="Who asks.")
    proposed_starts_at: StartsAt
    proposed_ends_at: EndsAt
    answer_by: AwareDatetime = Field(
        description="When the proposal lapses.", examples=["2026-03-04T12:00:00Z"]
    )
    reason_given: ReasonGiven = False


class MoveDeclined(OrderFact):
    """A proposed move came to nothing; the session stays where it is."""

    by: Party = Field(description="Who said no; `system` when nobody answered in time.")


class SessionMoved(OrderFact):
    """The session takes place at another time: `starts_at` and `ends_at` are the new ones."""

    by: Party = Field(description="Whose wish it was.")
    was_starts_at: StartsAt
    was_ends_at: EndsAt
    refundable: bool = Field(
        description="Whether a later cancellation by the mentee can still return money.",
        examples=[True],
    )


class BookingExpired(OrderFact):
    """The hold ended without a payment; the time is free again."""

    by: Party = Field(
        default="system",
        description="Who gave the time back; `system` when it was not paid in time.",
        examples=["mentor"],
    )
    reason_given: ReasonGiven = False


class BookingLost(OrderFact):
    """Money came for a session that can no longer take place: it goes back in full."""

    reason: LostReason = Field(description="Why it cannot take place.")


class BookingCancelled(OrderFact):
    """A confirmed session was called off; `refund_basis_points` of the price goes back."""

    by: Party = Field(description="Who called it off.")
    reason_given: ReasonGiven = False
    refund_basis_points: BasisPoints = Field(examples=[5_000])
    credit_basis_points: Credit = 0


class SessionVisit(BaseModel):
    """One side in the room of a session, from coming to leaving."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    side: Literal["mentor", "mentee"] = Field(description="Who was there.")
    joined_at: AwareDatetime = Field(
        description="When they came in.", examples=["2026-03-06T13:58:00Z"]
    )
    left_at: AwareDatetime | None = Field(
        default=None,
        description="When they left; none while they are there.",
        examples=["2026-03-06T15:01:00Z"],
    )


Visits = Annotated[
    list[SessionVisit],
    Field(
        default_factory=list[SessionVisit],
        description="Who was in the room when, as far as is known: what a disputed payment is "
        "answered with.",
        examples=[[]],
    ),
]


class SessionCompleted(OrderFact):
    """The session took place; the release delay begins."""

    by: Party = Field(description="Who said so; `system` when nobody did for 24 hours.")
    completed_at: AwareDatetime = Field(
        description="From when the release delay counts.", examples=["2026-03-06T15:05:00Z"]
    )
    visits: Visits


class SessionMissed(OrderFact):
    """One of the two did not come, as the record of the room shows."""

    missed_by: Literal["mentee", "mentor"] = Field(description="Who did not come.")
    missed_at: AwareDatetime = Field(
        description="From when the release delay counts, if anything is retained.",
        examples=["2026-03-06T14:15:00Z"],
    )
    refund_basis_points: BasisPoints = Field(examples=[10_000])
    credit_basis_points: Credit = 0
    visits: Visits


class ObjectionRaised(OrderFact):
    """One side says it was not what was paid for; nothing is released until an operator decides."""

    by: Party = Field(description="Who objects.")


class ObjectionSettled(OrderFact):
    """An operator decided: so much goes back, and what is retained is released."""

    refund_basis_points: BasisPoints = Field(examples=[5_000])
    settled_at: AwareDatetime = Field(
        description="From when what is retained may be released.",
        examples=["2026-03-08T09:00:00Z"],
    )


class OpeningsFact(Fact):
    """When a mentor is free next, over all that is for sale; told in full."""

    topic: ClassVar[str] = "booking.openings"
    key_field: ClassVar[str] = "mentor_id"

    mentor_id: MentorRef
    next_free_at: AwareDatetime | None = Field(
        default=None,
        description="The first start that can be booked; none within the horizon.",
        examples=["2026-03-06T14:00:00Z"],
    )
    offering_id: OfferingRef | None = Field(
        default=None,
        description="Of which offering.",
        examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0ff0"],
    )


class NextFreeChanged(OpeningsFact):
    """The next free slot of a mentor is another one now."""


class NextFreeSnapshot(OpeningsFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


FACTS: tuple[type[Fact], ...] = (
    OfferingPublished,
    OfferingWithdrawn,
    OfferingSnapshot,
    BookingRequested,
    RequestDeclined,
    RequestLapsed,
    WaitlistOffered,
    WaitlistOfferEnded,
    BookingHeld,
    BookingConfirmed,
    BookingExpired,
    BookingLost,
    MoveProposed,
    MoveDeclined,
    SessionMoved,
    BookingCancelled,
    SessionCompleted,
    SessionMissed,
    ObjectionRaised,
    ObjectionSettled,
    NextFreeChanged,
    NextFreeSnapshot,
)
