"""An order and its sessions as somebody they concern sees them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from services.booking.api.offerings import PolicyView
from services.booking.api.surface import terms_of
from services.booking.commands.orders import side_of
from services.booking.domain.allowed import can
from services.booking.domain.moves import moves_left
from services.booking.domain.orders import UNANSWERED, Order, OrderState, Session
from shared.contracts.common import Party
from shared.ids import OfferingId, OrderId, PersonId, SessionId
from shared.web import Body, Call, InstantUtc, Text, Versioned, View


class AnswerShape(Body):
    """What a mentee answers to a question of the offering, by its words."""

    question: Annotated[Text, Field(max_length=300)]
    answer: Annotated[Text, Field(max_length=2_000)]


class CanView(View):
    """What the viewer may do with the order now."""

    cancel: bool
    complete: bool
    join: bool
    move: bool
    answer_move: bool
    report_absence: bool
    object: bool


class ProposalView(View):
    """A time to which one side asks to move the session; it lapses at `answer_by`."""

    by: Party
    starts_at: InstantUtc
    ends_at: InstantUtc
    answer_by: InstantUtc
    reason: str | None


class ObjectionView(View):
    """What one side says against the session, and why an operator decided as they did."""

    by: Party
    reason: str
    raised_at: InstantUtc
    settled_at: InstantUtc | None
    decision: str | None


class SessionView(View):
    """One session of a purchase as somebody it concerns sees it.

    `moves_left` are the viewer's own; a `refundable` session still gives its mentee money back when
    it is called off in time.
    """

    session_id: SessionId
    state: OrderState
    starts_at: InstantUtc
    ends_at: InstantUtc
    price_minor: int
    cancelled_by: Party | None
    cancel_reason: str | None
    refund_basis_points: int | None
    completed_at: InstantUtc | None
    missed_by: Party | None
    proposal: ProposalView | None
    objection: ObjectionView | None
    moves_left: int
    refundable: bool
    can: CanView


class OrderView(SessionView):
    """A purchase as somebody it concerns sees it; `version` is its ETag.

    What it says of one session is about the next one, or the first when none is ahead; `state` and
    `price_minor` are those of the whole purchase, and `sessions` has all of them.
    """

    order_id: OrderId
    offering_id: OfferingId
    title: str
    mentor_id: PersonId
    mentee_id: PersonId
    hold_until: InstantUtc
    answer_by: InstantUtc | None
    currency: str
    policy: PolicyView
    answers: list[AnswerShape]
    lost_reason: str | None
    version: int
    sessions: list[SessionView]


def reply(order: Order, call: Call) -> Versioned:
    """Return an order as the caller sees it, with its ETag."""
    return Versioned(view=view_of(order, call), version=order.version)


def view_of(order: Order, call: Call) -> OrderView:
    """Return an order as the caller sees it."""
    side = side_of(order, call.who)
    shown: dict[str, Any] = _shown(order.lead, side, call)
    shown |= {"state": order.state, "price_minor": order.price_minor}
    return OrderView(
        **shown,
        order_id=order.order_id,
        offering_id=order.offering_id,
        title=order.title,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        hold_until=order.hold_until,
        answer_by=order.expires_at if order.state in UNANSWERED else None,
        currency=order.currency,
        policy=PolicyView.model_validate(order.policy, from_attributes=True),
        answers=[AnswerShape(question=a.question, answer=a.answer) for a in order.answers],
        lost_reason=order.lost_reason,
        version=order.version,
        sessions=[SessionView(**_shown(session, side, call)) for session in order.sessions],
    )


def _shown(session: Session, side: Party, call: Call) -> dict[str, Any]:
    terms = terms_of(call)
    allowed = can(session, side, now=call.now, terms=terms)
    return {
        "session_id": session.session_id,
        "state": session.state,
        "starts_at": session.starts_at,
        "ends_at": session.ends_at,
        "price_minor": session.price_minor,
        "cancelled_by": session.cancelled_by,
        "cancel_reason": session.cancel_reason,
        "refund_basis_points": session.refund_basis_points,
        "completed_at": session.completed_at,
        "missed_by": session.missed_by,
        "proposal": session.proposal and ProposalView(**asdict(session.proposal)),
        "objection": session.objection and ObjectionView(**asdict(session.objection)),
        "moves_left": moves_left(session, side, terms),
        "refundable": not session.refund_closed,
        "can": CanView.model_validate(allowed, from_attributes=True),
    }
