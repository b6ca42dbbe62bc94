"""An order: one purchase of one session, its states, and what each says to the others.

held → confirmed → completed, or → expired, cancelled, lost. A held or confirmed order blocks the
time of both people; a completed one keeps it, for it is past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from services.booking.domain.cancellation import Policy
from services.booking.slots import Interval
from shared.contracts.booking import LostReason, OrderFact
from shared.contracts.common import Party
from shared.errors import Kind, Refusal
from shared.ids import OfferingId, OrderId, PersonId, SessionId


class OrderState(Enum):
    """Where a purchase stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LOST = "lost"


BLOCKING = frozenset({OrderState.HELD, OrderState.CONFIRMED, OrderState.COMPLETED})
"""The states in which the time of both people is sold."""


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


@dataclass(frozen=True)
class Seat:
    """The time one participant gives to a session, buffers included."""

    person_id: PersonId
    during: Interval


@dataclass(frozen=True)
class Order:
    """One purchase as it stands; price, times, policy and deadlines are frozen at the hold.

    From `expires_at` on anybody may free the time of a hold, from `completes_at` on the session
    completes by itself. `version` rises with every fact, `calendar_sequence` with every change
    that calendars must see.
    """

    order_id: OrderId
    session_id: SessionId
    offering_id: OfferingId
    mentor_id: PersonId
    mentee_id: PersonId
    title: str
    starts_at: datetime
    ends_at: datetime
    buffer_before_minutes: int
    buffer_after_minutes: int
    price_minor: int
    currency: str
    policy: Policy
    state: OrderState
    hold_until: datetime
    expires_at: datetime
    completes_at: datetime
    version: int = 1
    calendar_sequence: int = 0
    confirmed_at: datetime | None = None
    cancelled_by: Party | None = None
    cancel_reason: str | None = None
    refund_basis_points: int | None = None
    lost_reason: LostReason | None = None
    completed_by: Party | None = None
    completed_at: datetime | None = None

    @property
    def blocks_time(self) -> bool:
        """Return whether the time of both people is sold to this order."""
        return self.state in BLOCKING

    def seats(self) -> tuple[Seat, Seat]:
        """Return both seats in the order of person ids, the order in which rows are made."""
        session = Interval(self.starts_at, self.ends_at)
        mentors = session.widened(self.buffer_before_minutes, self.buffer_after_minutes)
        mentor, mentee = Seat(self.mentor_id, mentors), Seat(self.mentee_id, session)
        return (mentor, mentee) if self.mentor_id < self.mentee_id else (mentee, mentor)

    def party(self, person_id: PersonId) -> Party | None:
        """Return which side of the session a person is on."""
        if person_id == self.mentee_id:
            return "mentee"
        return "mentor" if person_id == self.mentor_id else None


Change = tuple[Order, OrderFact]
"""An order after something happened, and the fact that says so."""


def change(order: Order, kind: type[OrderFact], fields: Mapping[str, Any], **said: Any) -> Change:
    """Return the order with `fields` changed, one version on, and the fact saying so."""
    changed = replace(order, version=order.version + 1, **fields)
    return changed, tell(changed, kind, **said)


def tell(order: Order, kind: type[OrderFact], **said: Any) -> OrderFact:
    """Return a fact about an order; `said` is what this kind of fact adds."""
    return kind(
        version=order.version,
        order_id=order.order_id,
        session_id=order.session_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        starts_at=order.starts_at,
        ends_at=order.ends_at,
        calendar_sequence=order.calendar_sequence,
        **said,
    )
