"""What `profiles` tells the others: who may act as what, reviews, and sealed personal data."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.common import Party
from shared.contracts.envelope import Fact

MentorState = Literal["none", "draft", "submitted", "changes_requested", "approved", "suspended"]
MessageKind = Literal["verify_email", "reset_password", "already_registered"]


class PersonFact(Fact):
    """A fact about one person; the state after it is told in full."""

    topic: ClassVar[str] = "profiles.people"
    key_field: ClassVar[str] = "person_id"

    person_id: UUID
    verified: bool = Field(description="Whether the e-mail address is proven.")
    mentor_state: MentorState


class PersonRegistered(PersonFact):
    """Somebody signed up; the address is not proven yet."""


class PersonVerified(PersonFact):
    """Somebody proved the e-mail address."""


class MentorProfileSubmitted(PersonFact):
    """A mentor asks to be approved."""


class MentorChangesRequested(PersonFact):
    """An operator asks for changes before approval."""

    reason_code: str | None = None


class MentorApproved(PersonFact):
    """An operator approved a mentor, who may now publish offerings."""


class MentorSuspended(PersonFact):
    """An operator suspended a mentor: nothing new can be booked."""

    reason_code: str | None = None


class PersonSnapshot(PersonFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


class ReviewFact(Fact):
    """A fact about the two reviews of one session."""

    topic: ClassVar[str] = "profiles.reviews"
    key_field: ClassVar[str] = "session_id"

    session_id: UUID
    order_id: UUID
    mentor_id: UUID
    mentee_id: UUID


class ReviewWritten(ReviewFact):
    """One side wrote its review; nobody else sees it yet."""

    by: Party


class ReviewsPublished(ReviewFact):
    """Both reviews are in, or the time for them is over: what was written is shown."""

    mentor_rating: int | None = Field(default=None, ge=1, le=5, description="Given by the mentee.")
    mentee_rating: int | None = Field(default=None, ge=1, le=5, description="Given by the mentor.")


class ContactSealed(Fact):
    """Name, address, locale and zone of a person, readable by `notifications` alone (a JWE)."""

    topic: ClassVar[str] = "profiles.contacts"
    key_field: ClassVar[str] = "person_id"

    person_id: UUID
    sealed: str = Field(description="JWE compact serialisation of a `Contact`.")


class ContactErased(Fact):
    """A person was erased: the tombstone of the compacted topic."""

    topic: ClassVar[str] = "profiles.contacts"
    key_field: ClassVar[str] = "person_id"
    tombstone: ClassVar[bool] = True

    person_id: UUID


class MessageSealed(Fact):
    """A one-time message whose secret (a link's token) only `notifications` may read."""

    topic: ClassVar[str] = "profiles.messages"
    key_field: ClassVar[str] = "person_id"

    message_id: UUID
    person_id: UUID
    kind: MessageKind
    sealed: str = Field(description="JWE compact serialisation of a `OneTimeMessage`.")


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
