"""A confirmed session: calling it off, the way into its room, and its completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.booking.domain.cancellation import (
    MENTOR_FAILED_CREDIT,
    NOTHING,
    WHOLE,
    Share,
    mentee_share,
    mentor_share,
)
from services.booking.domain.orders import (
    Change,
    NotConfirmed,
    Order,
    OrderState,
    Session,
    change,
    change_session,
)
from services.booking.domain.terms import Terms
from shared.contracts.booking import (
    BookingCancelled,
    BookingExpired,
    SessionCompleted,
    SessionVisit,
)
from shared.contracts.common import Party
from shared.errors import Kind, Refusal


class SessionBegun(Refusal):
    """A session that began is no longer called off by its participants."""

    code = "session_begun"
    detail = "The session has begun; ask an operator when it did not take place."


class PreviewOutdated(Refusal):
    """The share shown before is not the share now; `refund_basis_points` is the fresh one."""

    code = "preview_outdated"
    detail = "What goes back has changed: look at the fresh share and confirm again."


class ShareNotYours(Refusal):
    """Only operators choose the share that goes back."""

    code = "share_not_yours"
    kind = Kind.FORBIDDEN
    detail = "Leave out refund_basis_points: only an operator chooses it."


class ReasonMissing(Refusal):
    """An operator acts only with a reason, which is logged and which both sides read."""

    code = "reason_missing"
    kind = Kind.SHAPE
    detail = "Say why."


class NotEnded(Refusal):
    """A session completes after its end."""

    code = "not_ended"
    detail = "Wait for the end of the session."


class TooEarly(Refusal):
    """The room is not open yet; `opens_at` says when it will be."""

    code = "too_early"
    detail = "The room opens shortly before the session."


class TooLate(Refusal):
    """The room is closed."""

    code = "too_late"
    detail = "The session is over."


class RoomMissing(Refusal):
    """The mentor has not set the link to the room."""

    code = "room_missing"
    detail = "Your mentor has not set a room link yet; try again in a moment."


@dataclass(frozen=True)
class CallOff:
    """Why a session is called off; `shown` is the share that was seen, `chosen` an operator's."""

    reason: str | None = None
    shown: int | None = None
    chosen: int | None = None


def preview(order: Order, session: Session, by: Party, *, now: datetime) -> Share:
    """Return what would go back; raises `NotConfirmed` or `SessionBegun`."""
    if session.state is not OrderState.CONFIRMED:
        raise NotConfirmed
    if by == "operator":
        return Share(WHOLE, None)
    if now >= session.starts_at:
        raise SessionBegun
    if by == "mentor":
        return mentor_share(session.starts_at)
    if session.refund_closed:
        return Share(NOTHING, session.starts_at)
    return mentee_share(order.policy, session.starts_at, now)


def cancel(
    order: Order, session: Session, by: Party, call_off: CallOff, *, now: datetime
) -> Change:
    """Return the order with a session called off.

    A hold has no money to divide: all its time is simply given back, and money on its way is lost.
    Raises `NotConfirmed`, `SessionBegun`, `PreviewOutdated` or `ShareNotYours`.
    """
    if call_off.chosen is not None and by != "operator":
        raise ShareNotYours
    said = {"cancelled_by": by, "cancel_reason": call_off.reason}
    if order.state is OrderState.HELD:
        return change(
            order,
            OrderState.CANCELLED,
            BookingExpired,
            of_sessions=said,
            by=by,
            reason_given=call_off.reason is not None,
        )
    share = _agreed_share(order, session, by, call_off, now)
    fields = {
        **said,
        "state": OrderState.CANCELLED,
        "refund_basis_points": share,
        "calendar_sequence": session.calendar_sequence + 1,
    }
    return change_session(
        order,
        session,
        BookingCancelled,
        fields,
        by=by,
        reason_given=call_off.reason is not None,
        refund_basis_points=share,
        credit_basis_points=MENTOR_FAILED_CREDIT if by == "mentor" else 0,
    )


def complete(
    order: Order,
    session: Session,
    by: Party,
    visits: Sequence[SessionVisit] = (),
    *,
    now: datetime,
) -> Change:
    """Return the order with a session completed; raises `NotConfirmed` or `NotEnded`."""
    if session.state is not OrderState.CONFIRMED:
        raise NotConfirmed
    if now < session.ends_at:
        raise NotEnded
    fields = {"state": OrderState.COMPLETED, "completed_by": by, "completed_at": now}
    said = {"by": by, "completed_at": now, "visits": visits}
    return change_session(order, session, SessionCompleted, fields, **said)


def check_room_is_open(session: Session, *, now: datetime, terms: Terms) -> None:
    """Raise `NotConfirmed`, `TooEarly` or `TooLate` when the room is closed to its two people."""
    if session.state is not OrderState.CONFIRMED:
        raise NotConfirmed
    opens_at = session.starts_at - terms.join_early
    if now < opens_at:
        raise TooEarly(opens_at=opens_at.isoformat())
    if now >= session.ends_at + terms.join_late:
        raise TooLate


def _agreed_share(
    order: Order, session: Session, by: Party, call_off: CallOff, now: datetime
) -> int:
    share = preview(order, session, by, now=now).refund_basis_points
    if by == "operator":
        return share if call_off.chosen is None else call_off.chosen
    if call_off.shown != share:
        raise PreviewOutdated(refund_basis_points=share)
    return share
