"""A purchase and its sessions, as `booking` told them last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.contracts.booking import (
    BookingConfirmed,
    BookingHeld,
    BookingRequested,
    OrderFact,
    WaitlistOffered,
)

SessionState = Literal[
    "requested",
    "offered",
    "held",
    "confirmed",
    "declined",
    "lapsed",
    "expired",
    "lost",
    "cancelled",
    "completed",
    "no_show",
]
Opening = BookingHeld | BookingRequested | WaitlistOffered
"""The facts a purchase can begin with."""


@dataclass(frozen=True)
class Session:
    """One meeting.

    `proposed_by` and `proposal` (the version of the fact) stand while a move waits for an answer,
    `objected` while an operator must decide.
    """

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    state: SessionState
    calendar_sequence: int = 0
    cancelled_by: str | None = None
    refund_basis_points: int | None = None
    missed_by: str | None = None
    proposed_by: str | None = None
    proposal: int | None = None
    objected: bool = False
    mentor_reviewed: bool = False
    mentee_reviewed: bool = False


@dataclass(frozen=True)
class Order:
    """One purchase; `sessions` are in order of time and never empty.

    `requested`: the mentor had to agree first, and so waits for what becomes of it.
    """

    order_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    title: str
    free: bool
    requested: bool
    version: int
    sessions: tuple[Session, ...]

    @property
    def people(self) -> tuple[UUID, UUID]:
        """Return mentor and mentee."""
        return self.mentor_id, self.mentee_id

    @property
    def confirmed(self) -> tuple[Session, ...]:
        """Return the sessions that will take place."""
        return tuple(each for each in self.sessions if each.state == "confirmed")

    def all_but(self, party: str | None) -> tuple[UUID, ...]:
        """Return whom something concerns that one side said: the other, or both."""
        if party == "mentor":
            return (self.mentee_id,)
        return (self.mentor_id,) if party == "mentee" else self.people

    def session(self, session_id: UUID | None) -> Session:
        """Return one session; the first when none, or an unknown one, is named."""
        named = (each for each in self.sessions if each.session_id == session_id)
        return next(named, self.sessions[0])

    def before(self, session: Session) -> Session | None:
        """Return the session of this purchase that comes before another."""
        earlier = [each for each in self.sessions if each.starts_at < session.starts_at]
        return earlier[-1] if earlier else None

    def reviewed_by(self, person_id: UUID, session: Session) -> bool:
        """Return whether a participant has written a review of a session."""
        as_mentor = person_id == self.mentor_id
        return session.mentor_reviewed if as_mentor else session.mentee_reviewed


def opened(fact: Opening, state: SessionState, known: Order | None) -> Order:
    """Return the purchase that a fact begins, or tells in full (`known` before)."""
    return Order(
        order_id=fact.order_id,
        mentor_id=fact.mentor_id,
        mentee_id=fact.mentee_id,
        title=fact.title,
        free=fact.price_minor == 0,
        requested=isinstance(fact, BookingRequested) or bool(known and known.requested),
        version=fact.version,
        sessions=_sessions(fact, state),
    )


def confirmed(order: Order, fact: BookingConfirmed) -> Order:
    """Return the purchase with all its sessions as they will take place."""
    sessions = _sessions(fact, "confirmed")
    return replace(order, title=fact.title, version=fact.version, sessions=sessions)


def whole_changed(order: Order, fact: OrderFact, **fields: object) -> Order:
    """Return the purchase after something that concerns all its sessions alike."""
    sessions = tuple(_changed(each, fact, **fields) for each in order.sessions)
    return replace(order, version=fact.version, sessions=sessions)


def session_changed(order: Order, fact: OrderFact, **fields: object) -> Order:
    """Return the purchase after something that concerns the session the fact names."""
    sessions = (
        _changed(each, fact, **fields) if each.session_id == fact.session_id else each
        for each in order.sessions
    )
    in_order = tuple(sorted(sessions, key=lambda each: each.starts_at))
    return replace(order, version=fact.version, sessions=in_order)


def other_side(party: str) -> str:
    """Return whom one side meets."""
    return "mentee" if party == "mentor" else "mentor"


def _sessions(fact: Opening | BookingConfirmed, state: SessionState) -> tuple[Session, ...]:
    # Nothing moves before it is confirmed, so that one SEQUENCE holds for all.
    listed = [] if isinstance(fact, WaitlistOffered) else fact.sessions
    return tuple(
        Session(each.session_id, each.starts_at, each.ends_at, state, fact.calendar_sequence)
        for each in listed or (fact,)
    )


def _changed(session: Session, fact: OrderFact, **fields: object) -> Session:
    if session.session_id == fact.session_id:
        fields |= {
            "starts_at": fact.starts_at,
            "ends_at": fact.ends_at,
            "calendar_sequence": fact.calendar_sequence,
        }
    return replace(session, **fields)
