"""What `profiles` tells the others: who may act as what, reviews, and sealed personal data."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.common import (
    MenteeRef,
    MentorRef,
    MessageRef,
    OrderRef,
    Party,
    PersonRef,
    SessionRef,
)
from shared.contracts.envelope import Fact

MentorState = Literal["none", "draft", "submitted", "changes_requested", "approved", "suspended"]
MessageKind = Literal["verify_email", "reset_password", "already_registered"]
SEALED = "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00ifQ.key.nonce.text.tag"
"""A sealed payload from outside: a header for everybody, the rest for one reader."""


class PersonFact(Fact):
    """A fact about one person; the state after it is told in full."""

    topic: ClassVar[str] = "profiles.people"
    key_field: ClassVar[str] = "person_id"

    person_id: PersonRef
    verified: bool = Field(description="Whether the e-mail address is proven.", examples=[True])
    mentor_state: MentorState = Field(
        description="How far the mentor profile is.", examples=["approved"]
    )


class PersonRegistered(PersonFact):
    """Somebody signed up; the address is not proven yet."""


class PersonVerified(PersonFact):
    """Somebody proved the e-mail address."""


class MentorProfileSubmitted(PersonFact):
    """A mentor asks to be approved."""


class MentorChangesRequested(PersonFact):
    """An operator asks for changes before approval."""

    reason_code: str | None = Field(
        default=None, description="Why, as a word for programs.", examples=["operator"]
    )


class MentorApproved(PersonFact):
    """An operator approved a mentor, who may now publish offerings."""


class MentorSuspended(PersonFact):
    """An operator suspended a mentor: nothing new can be booked."""

    reason_code: str | None = Field(
        default=None, description="Why, as a word for programs.", examples=["operator"]
    )


class PersonSnapshot(PersonFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


class ReviewFact(Fact):
    """A fact about the two reviews of one session."""

    topic: ClassVar[str] = "profiles.reviews"
    key_field: ClassVar[str] = "session_id"

    session_id: SessionRef
    order_id: OrderRef
    mentor_id: MentorRef
    mentee_id: MenteeRef


class ReviewWritten(ReviewFact):
    """One side wrote its review; nobody else sees it yet."""

    by: Party = Field(description="Whose review it is.")


class ReviewsPublished(ReviewFact):
    """Both reviews are in, or the time for them is over: what was written is shown."""

    mentor_rating: int | None = Field(
        default=None, ge=1, le=5, description="Stars given by the mentee.", examples=[5]
    )
    mentee_rating: int | None = Field(
        default=None, ge=1, le=5, description="Stars given by the mentor.", examples=[5]
    )


class ContactSealed(Fact):
    """Name, address, locale and zone of a person, readable by `notifications` alone (a JWE)."""

    topic: ClassVar[str] = "profiles.contacts"
    key_field: ClassVar[str] = "person_id"

    person_id: PersonRef
    sealed: str = Field(description="JWE compact serialisation of a `Contact`.", examples=[SEALED])


class ContactErased(Fact):
    """A person was erased: the tombstone of the compacted topic."""

    topic: ClassVar[str] = "profiles.contacts"
    key_field: ClassVar[str] = "person_id"
    tombstone: ClassVar[bool] = True

    person_id: PersonRef


class MessageSealed(Fact):
    """A one-time message whose secret (a link's token) only `notifications` may read."""

    topic: ClassVar[str] = "profiles.messages"
    key_field: ClassVar[str] = "person_id"

    message_id: MessageRef
    person_id: PersonRef
    kind: MessageKind = Field(description="What the message is for.")
    sealed: str = Field(
        description="JWE compact serialisation of a `OneTimeMessage`.", examples=[SEALED]
    )


FACTS: tuple[type[Fact], ...] = (
    PersonRegistered,
    PersonVerified,
    MentorProfileSubmitted,
    MentorChangesRequested,
    MentorApproved,
    MentorSuspended,
    PersonSnapshot,
    ReviewWritten,
    ReviewsPublished,
    ContactSealed,
    ContactErased,
    MessageSealed,
)
