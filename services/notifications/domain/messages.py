"""Messages: to whom they are owed, from when on, and the state they are composed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.notifications.domain.orders import Order, Session
from shared.contracts.envelope import Fact
from shared.contracts.sealed import OneTimeMessage

Channel = Literal["mail", "feed"]
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
class Plan:
    """A message that is owed to a person from `at` (business time) on, by every channel of it.

    `cause` names what happened: the same cause, kind, person and channel is one message at most.
    """

    person_id: UUID
    kind: str
    cause: str
    at: datetime
    order_id: UUID | None = None
    session_id: UUID | None = None
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
    planned_at: datetime
    session_id: UUID | None = None

    def instant(self, name: str) -> datetime | None:
        """Return one of the details that is an instant, if it was said."""
        said = self.details.get(name)
        return datetime.fromisoformat(str(said)) if said else None


@dataclass(frozen=True)
class Situation:
    """The present state a message is composed from."""

    message: Message
    now: datetime
    reader: Contact | None
    erased: bool = False
    order: Order | None = None
    other_name: str | None = None
    mentor_state: str = "none"
    can_receive: bool = False
    secret: OneTimeMessage | None = None
    secret_over: bool = False

    @property
    def reads_as_mentor(self) -> bool:
        """Return whether the reader is the mentor of the purchase."""
        return self.order is not None and self.message.person_id == self.order.mentor_id

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Return the session it is about, or all of the purchase that (still) take place."""
        order, named = self.order, self.message.session_id
        if order is None:
            return ()
        return (order.session(named),) if named else order.confirmed or order.sessions

    @property
    def session(self) -> Session | None:
        """Return the session it is about, or the first of those."""
        return next(iter(self.sessions), None)


def cause_of(fact: Fact) -> str:
    """Return the name of a happening, the same however often and in which envelope it is told."""
    return f"{fact.topic}/{fact.key}/{fact.version}"


def notices(
    order: Order,
    kind: str,
    fact: Fact,
    at: datetime,
    *,
    to: Iterable[UUID],
    session: Session | None = None,
    details: Details | None = None,
) -> list[Plan]:
    """Return the message of one kind about a purchase, or one session of it, for some people."""
    about = session.session_id if session else None
    return [
        Plan(person, kind, cause_of(fact), at, order.order_id, about, details or {})
        for person in to
    ]


def plan_reminders(order: Order, session: Session, *, now: datetime) -> list[Plan]:
    """Return the reminders of both sides; one whose time is over already is not planned.

    Their cause is the session at that time: moved away and back again, it is reminded of once.
    """
    cause = f"session/{session.session_id}/{session.starts_at.isoformat()}"
    return [
        Plan(person, kind, cause, session.starts_at - before, order.order_id, session.session_id)
        for kind, before in REMINDERS.items()
        for person in order.people
        if session.starts_at - before > now
    ]
