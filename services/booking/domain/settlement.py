"""What a payment does to an order: one outcome, whenever the money comes (*Holding and paying*)."""

from __future__ import annotations

from datetime import datetime

from services.booking.domain.orders import Change, Order, OrderState, change, sold
from shared.contracts.booking import BookingConfirmed, BookingLost, LostReason

AWAITS_PAYMENT = frozenset({OrderState.HELD, OrderState.EXPIRED})
"""The states that a payment can still confirm."""


def is_settled(order: Order) -> bool:
    """Return whether money came for it before: more of the same news changes nothing."""
    return order.confirmed_at is not None or order.state is OrderState.LOST


def obstacle(order: Order, *, bookable: bool, now: datetime) -> LostReason | None:
    """Return why a payment comes too late, as far as the order, the mentor and the clock tell.

    A hold that was still there has priority over a suspension meanwhile: only a revival asks
    whether the mentor is `bookable`. A series has begun when its first session has.
    """
    if order.state not in AWAITS_PAYMENT:
        return "cancelled"
    if now >= order.sessions[0].starts_at:
        return "begun"
    if order.state is OrderState.EXPIRED and not bookable:
        return "mentor_unavailable"
    return None


def settle(order: Order, lost: LostReason | None, *, now: datetime) -> Change | None:
    """Return the order confirmed, or lost for the reason given; nothing when it was settled."""
    if is_settled(order):
        return None
    if lost:
        return change(order, OrderState.LOST, BookingLost, {"lost_reason": lost}, reason=lost)
    return confirm(order, now=now)


def confirm(order: Order, *, now: datetime) -> Change:
    """Return the order confirmed: it is paid, or costs nothing."""
    return change(
        order,
        OrderState.CONFIRMED,
        BookingConfirmed,
        {"confirmed_at": now},
        title=order.title,
        sessions=sold(order),
    )
