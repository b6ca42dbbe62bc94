"""An offering by request: the mentor says yes or no before anything is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.booking.domain.holds import told_held
from services.booking.domain.orders import Change, NotYourPart, Order, OrderState, change
from services.booking.domain.terms import Terms
from shared.contracts.booking import RequestDeclined
from shared.contracts.common import Party
from shared.errors import Refusal


class NotRequested(Refusal):
    """The request was answered, withdrawn, or it lapsed."""

    code = "not_requested"
    detail = "This request is no longer open; load it to see what became of it."


def accept(order: Order, by: Party, *, now: datetime, terms: Terms) -> Change:
    """Return the order held, with a payment window of its own; raises `NotRequested`.

    The mentee has a day to pay, or until the minimum notice if that is sooner, and never less than
    an ordinary hold. Raises `NotYourPart` unless the mentor accepts.
    """
    _check_open(order, now)
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
    """Return the order declined by the mentor, or withdrawn by the mentee; `NotRequested`."""
    _check_open(order, now)
    return change(
        order,
        OrderState.DECLINED,
        RequestDeclined,
        of_sessions={"cancelled_by": by, "cancel_reason": reason},
        by=by,
        reason=reason,
    )


def _check_open(order: Order, now: datetime) -> None:
    if order.state is not OrderState.REQUESTED or now >= order.expires_at:
        raise NotRequested
