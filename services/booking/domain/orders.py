"""An order: one purchase of one session or of a series, its states, and what it says to the others.

requested → held → confirmed → completed, or → declined, lapsed, expired, cancelled, no_show, lost.
A slot offered to somebody on a waitlist begins as `offered`. Until the purchase is confirmed all
its sessions stand where the purchase stands; from then on each goes its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Literal

from services.booking.domain.cancellation import Policy
from services.booking.slots import Interval
from shared.contracts.booking import LostReason, OrderFact, SoldSession
from shared.contracts.common import Party
from shared.errors import Kind, NotFound, Refusal
from shared.ids import OfferingId, OrderId, PersonId, SessionId


class OrderState(Enum):
    """Where a purchase, or one of its sessions, stands."""

    REQUESTED = "requested"
    OFFERED = "offered"
    HELD = "held"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    DECLINED = "declined"
    LAPSED = "lapsed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOST = "lost"


BLOCKING = frozenset(
    {
        OrderState.REQUESTED,
        OrderState.OFFERED,
        OrderState.HELD,
        OrderState.CONFIRMED,
        OrderState.COMPLETED,
        OrderState.NO_SHOW,
    }
)
"""The states in which the time of both people is sold; what is past keeps it."""
UNANSWERED = frozenset({OrderState.REQUESTED, OrderState.OFFERED})
"""The states in which one of the two still has to agree before anything is paid."""
_LEADING = (OrderState.CONFIRMED, OrderState.COMPLETED, OrderState.NO_SHOW)
"""A purchase whose sessions differ stands where the first of these stands."""


class NotConfirmed(Refusal):
    """The session is not paid, is over, or was called off."""

    code = "not_confirmed"
    detail = "This needs a confirmed session; load the order to see where it stands."


class NotHeld(Refusal):
    """There is no hold to give up."""

    code = "not_held"
    detail = "The hold is over; load the order to see where it stands."


class NotYourPart(Refusal):
    """The other side of the session, or an operator, may do this."""

    code = "not_your_part"
    kind = Kind.FORBIDDEN
    detail = "You take another part in this session; this is not yours to do."


class SessionUnnamed(Refusal):
    """The purchase has several sessions, and it was not said which one is meant."""

    code = "session_unnamed"
    kind = Kind.SHAPE
    detail = "This purchase has several sessions; say in session_id which one you mean."


@dataclass(frozen=True)
class Seat:
    """The time one participant gives to a session, buffers included."""

    session_id: SessionId
    person_id: PersonId
    during: Interval


@dataclass(frozen=True)
class Proposal:
    """A time to which one side asks to move a session; it lapses at `answer_by`."""

    by: Party
    starts_at: datetime
    ends_at: datetime
    answer_by: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Objection:
    """What one side says against a session, until an operator decides and says why."""

    by: Party
    reason: str
    raised_at: datetime
    settled_at: datetime | None = None
    decision: str | None = None


@dataclass(frozen=True)
class Session:
    """One meeting as it stands; `price_minor` is its part of the price of the purchase.

    From `completes_at` on it completes by itself. `calendar_sequence` rises with every change that
    calendars must see. Once it was moved inside its cancellation window (`refund_closed`), its
    mentee can no longer call it off for money. `released_at`: its earnings are out of our hands.
    """

    session_id: SessionId
    starts_at: datetime
    ends_at: datetime
    price_minor: int
    state: OrderState
    completes_at: datetime
    calendar_sequence: int = 0
    mentee_moves: int = 0
    mentor_moves: int = 0
    mentee_proposals: int = 0
    mentor_proposals: int = 0
    refund_closed: bool = False
    cancelled_by: Party | None = None
    cancel_reason: str | None = None
    refund_basis_points: int | None = None
    completed_by: Party | None = None
    completed_at: datetime | None = None
    missed_by: Literal["mentee", "mentor"] | None = None
    objection: Objection | None = None
    released_at: datetime | None = None
    proposal: Proposal | None = None

    @property
    def blocks_time(self) -> bool:
        """Return whether the time of both people is sold to this session."""
        return self.state in BLOCKING


@dataclass(frozen=True)
class Answer:
    """What the mentor asks before a session, and what the mentee says to it."""

    question: str
    answer: str


@dataclass(frozen=True)
class Order:
    """One purchase as it stands; price, policy and deadlines are frozen when it is made.

    From `expires_at` on anybody may free its time while it is unpaid: a hold, a request that got no
    answer, a slot offered from the waitlist. `given_up`: the mentee said
    so before. `version` rises with every fact. `sessions` are in order of time and never empty.
    """

    order_id: OrderId
    offering_id: OfferingId
    offering_revision: int
    mentor_id: PersonId
    mentee_id: PersonId
    title: str
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    price_minor: int
    currency: str
    policy: Policy
    hold_until: datetime
    expires_at: datetime
    sessions: tuple[Session, ...]
    answers: tuple[Answer, ...] = field(default=())
    version: int = 1
    confirmed_at: datetime | None = None
    lost_reason: LostReason | None = None
    given_up: bool = False
    promotion_code: str | None = None

    @property
    def state(self) -> OrderState:
        """Return where the purchase stands: where all its sessions do, or those still ahead."""
        states = {session.state for session in self.sessions}
        if len(states) == 1:
            return next(iter(states))
        return next((state for state in _LEADING if state in states), OrderState.CANCELLED)

    @property
    def lead(self) -> Session:
        """Return the session that is next, or the first of a purchase without one."""
        ahead = (each for each in self.sessions if each.state is OrderState.CONFIRMED)
        return next(ahead, self.sessions[0])

    @property
    def is_series(self) -> bool:
        """Return whether several sessions were bought as one."""
        return len(self.sessions) > 1

    def session(self, session_id: SessionId | None) -> Session:
        """Return one session, the only one when none is named.

        Raises `SessionUnnamed` or `NotFound`.
        """
        if session_id is None:
            if self.is_series:
                raise SessionUnnamed
            return self.sessions[0]
        named = (each for each in self.sessions if each.session_id == session_id)
        found = next(named, None)
        if found is None:
            raise NotFound
        return found

    def seats(self) -> tuple[Seat, ...]:
        """Return both seats of every session in the order in which rows are made: by person."""
        seats = [seat for session in self.sessions for seat in self._seats_of(session)]
        return tuple(sorted(seats, key=lambda seat: (seat.person_id, seat.during)))

    def seats_of(self, session: Session) -> tuple[Seat, Seat]:
        """Return both seats of one session, in the order of person ids."""
        one, other = sorted(self._seats_of(session), key=lambda seat: seat.person_id)
        return one, other

    def party(self, person_id: PersonId) -> Party | None:
        """Return which side of the session a person is on."""
        if person_id == self.mentee_id:
            return "mentee"
        return "mentor" if person_id == self.mentor_id else None

    def _seats_of(self, session: Session) -> tuple[Seat, Seat]:
        during = Interval(session.starts_at, session.ends_at)
        wider = during.widened(self.buffer_before_minutes, self.buffer_after_minutes)
        return (
            Seat(session.session_id, self.mentor_id, wider),
            Seat(session.session_id, self.mentee_id, during),
        )


Change = tuple[Order, OrderFact]
"""An order after something happened, and the fact that says so."""


def change(
    order: Order,
    state: OrderState,
    kind: type[OrderFact],
    of_order: Mapping[str, Any] | None = None,
    of_sessions: Mapping[str, Any] | None = None,
    **said: Any,
) -> Change:
    """Return the whole purchase in a new state, one version on, and the fact saying so."""
    fields = {"state": state, **(of_sessions or {})}
    sessions = tuple(replace(session, **fields) for session in order.sessions)
    changed = replace(order, version=order.version + 1, sessions=sessions, **dict(of_order or {}))
    return changed, tell(changed, kind, **said)


def change_session(
    order: Order, session: Session, kind: type[OrderFact], fields: Mapping[str, Any], **said: Any
) -> Change:
    """Return the order with one session changed, one version on, and the fact saying so."""
    new = replace(session, **fields)
    if new.state is not OrderState.CONFIRMED:
        new = replace(new, proposal=None)
    sessions = sorted(
        (new if each.session_id == new.session_id else each for each in order.sessions),
        key=lambda each: each.starts_at,
    )
    changed = replace(order, version=order.version + 1, sessions=tuple(sessions))
    return changed, tell(changed, kind, new, **said)


def tell(
    order: Order, kind: type[OrderFact], session: Session | None = None, **said: Any
) -> OrderFact:
    """Return a fact about a session, the first one when none is given; `said` is what it adds."""
    about = session or order.sessions[0]
    return kind(
        version=order.version,
        order_id=order.order_id,
        session_id=about.session_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        starts_at=about.starts_at,
        ends_at=about.ends_at,
        calendar_sequence=about.calendar_sequence,
        **said,
    )


def sold(order: Order) -> list[SoldSession]:
    """Return the sessions of a series as facts tell them; nothing for a single session."""
    if not order.is_series:
        return []
    return [
        SoldSession(
            session_id=each.session_id,
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            price_minor=each.price_minor,
        )
        for each in order.sessions
    ]
