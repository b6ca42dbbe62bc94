"""Which messages a happening causes, and whether one still makes sense when its time has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts.envelope import Fact
from shared.contracts.sealed import OneTimeMessage

Channel = Literal["mail", "feed"]
SessionState = Literal["held", "confirmed", "expired", "lost", "cancelled", "completed"]
Details = Mapping[str, str | int]

REMIND_DAY_BEFORE = timedelta(hours=24)
REMIND_HOUR_BEFORE = timedelta(hours=1)
REMINDERS: Mapping[str, timedelta] = {
    "reminder_day": REMIND_DAY_BEFORE,
    "reminder_hour": REMIND_HOUR_BEFORE,
}
"""The reminders of a session by kind, and how long before its start each is planned."""

MAIL_AND_FEED: Sequence[Channel] = ("mail", "feed")
MAIL_ALONE: Sequence[Channel] = ("mail",)
SECRET_KINDS = frozenset({"verify_email", "reset_password", "already_registered"})
"""Kinds with a secret link: they go to the address they were sealed with and never to the feed."""


@dataclass(frozen=True)
class Contact:
    """How to reach a person and how to speak to them."""

    person_id: UUID
    name: str
    email: str
    locale: str
    zone: str


@dataclass(frozen=True)
class Session:
    """A purchase as `booking` told it last."""

    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    title: str
    starts_at: datetime
    ends_at: datetime
    state: SessionState
    calendar_sequence: int
    version: int
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    refund_basis_points: int | None = None
    mentor_reviewed: bool = False
    mentee_reviewed: bool = False

    @property
    def people(self) -> tuple[UUID, UUID]:
        """Return mentor and mentee."""
        return self.mentor_id, self.mentee_id

    def other(self, person_id: UUID) -> UUID:
        """Return whom a participant meets."""
        return self.mentee_id if person_id == self.mentor_id else self.mentor_id

    def reviewed_by(self, person_id: UUID) -> bool:
        """Return whether a participant has written a review."""
        return self.mentor_reviewed if person_id == self.mentor_id else self.mentee_reviewed


@dataclass(frozen=True)
class Plan:
    """A message that is owed to a person from `at` (business time) on, by every channel of it.

    `cause` names what happened: the same cause, kind, person and channel is one message at most.
    """

    person_id: UUID
    kind: str
    cause: str
    at: datetime
    order_id: UUID | None = None
    details: Details = field(default_factory=dict[str, str | int])
    sealed: str | None = None

    @property
    def channels(self) -> Sequence[Channel]:
        """Return where the message appears."""
        return MAIL_ALONE if self.kind in SECRET_KINDS else MAIL_AND_FEED


@dataclass(frozen=True)
class Message:
    """A planned message, claimed to be sent; `attempt` tells this claim from earlier ones."""

    message_id: UUID
    person_id: UUID
    channel: Channel
    kind: str
    order_id: UUID | None
    details: Details
    attempt: int


@dataclass(frozen=True)
class Situation:
    """The present state a message is composed from."""

    message: Message
    now: datetime
    reader: Contact | None
    erased: bool = False
    session: Session | None = None
    other_name: str | None = None
    mentor_state: str = "none"
    can_receive: bool = False
    secret: OneTimeMessage | None = None
    secret_over: bool = False

    @property
    def reads_as_mentor(self) -> bool:
        """Return whether the reader is the mentor of the session."""
        return self.session is not None and self.message.person_id == self.session.mentor_id


def cause_of(fact: Fact) -> str:
    """Return the name of a happening, the same however often and in which envelope it is told."""
    return f"{fact.topic}/{fact.key}/{fact.version}"


def plan_reminders(session: Session, *, cause: str, now: datetime) -> list[Plan]:
    """Return the reminders of both sides; one whose time is over already is not planned."""
    return [
        Plan(person, kind, cause, session.starts_at - before, session.order_id)
        for kind, before in REMINDERS.items()
        for person in session.people
        if session.starts_at - before > now
    ]


def reason_to_skip(situation: Situation) -> str | None:
    """Return why a message makes no sense any more, or nothing when it is to be sent."""
    if situation.erased:
        return "person_erased"
    rule = _RULES.get(situation.message.kind)
    return rule(situation) if rule else None


def _not_outdated(state: str) -> Callable[[Situation], str | None]:
    return lambda situation: None if situation.mentor_state == state else "state_changed_since"


def _still_confirmed(situation: Situation) -> str | None:
    session = situation.session
    if session is None or session.state != "confirmed":
        return f"session_{session.state}" if session else "session_unknown"
    return None


def _remind(situation: Situation) -> str | None:
    session = situation.session
    if session is None or session.state != "confirmed":
        return _still_confirmed(situation)
    if situation.now >= session.starts_at:
        return "session_begun"
    late = situation.now >= session.starts_at - REMIND_HOUR_BEFORE
    return "next_reminder_due" if late and situation.message.kind == "reminder_day" else None


def _ask_review(situation: Situation) -> str | None:
    session = situation.session
    done = session is not None and session.reviewed_by(situation.message.person_id)
    return "reviewed_already" if done else None


def _link_good(situation: Situation) -> str | None:
    return "link_expired" if situation.secret_over else None


def _account_ready(situation: Situation) -> str | None:
    return None if situation.can_receive else "state_changed_since"


_RULES: Mapping[str, Callable[[Situation], str | None]] = {
    **dict.fromkeys(SECRET_KINDS, _link_good),
    **dict.fromkeys(REMINDERS, _remind),
    "session_confirmed": _still_confirmed,
    "review_wanted": _ask_review,
    "mentor_approved": _not_outdated("approved"),
    "mentor_changes_requested": _not_outdated("changes_requested"),
    "mentor_suspended": _not_outdated("suspended"),
    "account_ready": _account_ready,
}
"""What must still hold at send time; a kind that is not here always goes out."""
