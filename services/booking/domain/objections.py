"""An objection: one side says that a session was not what was paid for, and an operator decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.booking.domain.orders import (
    Change,
    NotYourPart,
    Objection,
    Order,
    OrderState,
    Session,
    change_session,
)
from services.booking.domain.terms import Terms
from shared.contracts.booking import ObjectionRaised, ObjectionSettled
from shared.contracts.common import Party
from shared.errors import Refusal

OBJECTIONABLE = frozenset({OrderState.COMPLETED, OrderState.NO_SHOW})
"""The states of a session that is over, and whose money is kept until it is released."""


class NotOver(Refusal):
    """An objection is about a session that is over."""

    code = "not_over"
    detail = "This needs a session that was completed or missed; load the order to see its state."


class ObjectedBefore(Refusal):
    """There is one objection to a session, whoever raises it."""

    code = "objected_before"
    detail = "There was an objection to this session already; load the order to read it."


class AlreadyReleased(Refusal):
    """The money for the session is out of our hands."""

    code = "already_released"
    detail = "The earnings of this session were released; write to us instead."


class ObjectionTooLate(Refusal):
    """The session was over too long ago; `until` says how long somebody could object."""

    code = "objection_too_late"
    detail = "The time for objecting to this session is over; write to us instead."


class NoObjection(Refusal):
    """Nobody objects to the session, or it was decided."""

    code = "no_objection"
    detail = "No objection to this session waits for a decision."


class RefundTooSmall(Refusal):
    """More went back already; `refund_basis_points` is the least that can be decided."""

    code = "refund_too_small"
    detail = "What went back to the mentee before cannot be taken again; choose at least that."


def raise_objection(
    order: Order, session: Session, by: Party, reason: str, *, now: datetime, terms: Terms
) -> Change:
    """Return the order with an objection to a session, so that nothing of it is released.

    Raises `NotOver`, `NotYourPart`, `ObjectedBefore`, `AlreadyReleased` or `ObjectionTooLate`.
    """
    if session.state not in OBJECTIONABLE:
        raise NotOver
    if by not in ("mentee", "mentor"):
        raise NotYourPart
    if session.objection:
        raise ObjectedBefore
    if session.released_at:
        raise AlreadyReleased
    until = session.ends_at + terms.objection
    if now >= until:
        raise ObjectionTooLate(until=until.isoformat())
    objection = Objection(by, reason, raised_at=now)
    return change_session(order, session, ObjectionRaised, {"objection": objection}, by=by)


def settle_objection(
    order: Order, session: Session, refund_basis_points: int, reason: str, *, now: datetime
) -> Change:
    """Return the order with the objection decided: so much of the price goes back.

    Raises `NoObjection`, `RefundTooSmall`, or `AlreadyReleased` when there is nothing to give back.
    """
    if session.objection is None or session.objection.settled_at:
        raise NoObjection
    went_back = session.refund_basis_points or 0
    if refund_basis_points < went_back:
        raise RefundTooSmall(refund_basis_points=went_back)
    if session.released_at and refund_basis_points > went_back:
        raise AlreadyReleased
    settled = replace(session.objection, settled_at=now, decision=reason)
    return change_session(
        order,
        session,
        ObjectionSettled,
        {"objection": settled, "refund_basis_points": refund_basis_points},
        refund_basis_points=refund_basis_points,
        settled_at=now,
    )
