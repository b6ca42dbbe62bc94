"""What one side has to agree to before anything is paid: a request, or a slot from the waitlist."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.booking.domain.holds import told_held
from services.booking.domain.orders import (
    UNANSWERED,
    Change,
    NotYourPart,
    Order,
    OrderState,
    change,
)
from services.booking.domain.terms import Terms
from shared.contracts.booking import RequestDeclined, WaitlistOfferEnded
from shared.contracts.common import Party
from shared.errors import Refusal


class NotRequested(Refusal):
    """The request or the offered slot was answered, withdrawn, or it lapsed."""

    code = "not_requested"
    detail = "This is no longer open; load it to see what became of it."


def accept(order: Order, by: Party, *, now: datetime, terms: Terms) -> Change:
    """Return the order held, with a payment window of its own; raises `NotRequested`.

    The mentee has a day to pay, or until the minimum notice if that is sooner, and never less than
    an ordinary hold. Raises `NotYourPart` unless the mentor accepts.
    """
    check_open(order, now, OrderState.REQUESTED)
    if by != "mentor":
        raise NotYourPart
    notice = timedelta(minutes=order.minimum_notice_minutes)
    latest = order.sessions[0].starts_at - notice
    hold_until = max(min(now + terms.request_payment, latest), now + terms.hold)
    held = replace(
        order,
        version=order.version + 1,
        hold_until=hold_until,
        expires_at=hold_until + terms.hold_grace,
        sessions=tuple(replace(each, state=OrderState.HELD) for each in order.sessions),
    )
    return held, told_held(held)


def decline(order: Order, by: Party, reason: str | None, *, now: datetime) -> Change:
    """Return a request or an offered slot declined by one of the two; raises `NotRequested`.

    A mentee withdraws a request, or passes on a slot.
    """
    check_open(order, now, *UNANSWERED)
    kept = {"cancelled_by": by, "cancel_reason": reason}
    if order.state is OrderState.OFFERED:
        return change(order, OrderState.DECLINED, WaitlistOfferEnded, of_sessions=kept, by=by)
    return change(
        order,
        OrderState.DECLINED,
        RequestDeclined,
        of_sessions=kept,
        by=by,
        reason_given=reason is not None,
    )


def check_open(order: Order, now: datetime, *states: OrderState) -> None:
    """Raise `NotRequested` when there is nothing to answer, or nothing any more."""
    if order.state not in states or now >= order.expires_at:
        raise NotRequested
