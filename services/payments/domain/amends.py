"""Amends: a part of the price of a later purchase, for a session that did not take place. Pure.

Whoever was let down gets what booking says of what was paid for the session, as a promotion that
the platform pays for: theirs alone, with any mentor, taken off by itself (docs/decisions/0033).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.domain.promotions import Promotion
from services.payments.domain.splits import fraction
from shared.contracts.payments import AmendsGranted
from shared.contracts.prepaid import AmendsReminded
from shared.money import Money

GOOD_FOR = timedelta(days=365)
"""As long as a sponsor's credits: who was let down need not hurry."""

REMIND_BEFORE = timedelta(days=14)


class NotAmends(Exception):
    """A promotion that has a code is nobody's amends: a fault of ours."""


def due(order: Order, session: Session, credit_basis_points: int, back_basis_points: int) -> Money:
    """Return what is due for a session that failed through no fault of the mentee.

    `credit_basis_points` are of what was paid for it, by card or with a credit, whoever had bought
    that; of what the platform gave nothing is due. But what earlier amends had taken off comes
    again, as far as the price goes back: nobody loses them because a second session failed too.
    """
    paid = session.price - session.discount
    again = session.discount if order.has_amends else Money(0, paid.currency)
    return fraction(paid, credit_basis_points) + fraction(again, back_basis_points)


def grant(
    order: Order, session: Session, amount: Money, promotion_id: UUID, now: datetime
) -> tuple[Order, Promotion, AmendsGranted]:
    """Promise the mentee of a session an amount off what they buy next."""
    told = replace(order, version=order.version + 1)
    promotion = Promotion(
        promotion_id,
        None,
        "platform",
        None,
        now,
        amount_minor=amount.minor,
        currency=amount.currency,
        ends_at=now + GOOD_FOR,
        mentee_id=order.mentee_id,
        amends_for=session.session_id,
        remind_at=now + GOOD_FOR - REMIND_BEFORE,
    )
    fact = AmendsGranted(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        session_id=session.session_id,
        amount_minor=amount.minor,
        currency=amount.currency,
        expires_at=now + GOOD_FOR,
    )
    return told, promotion, fact


def remind(order: Order, left: Promotion) -> tuple[Order, AmendsReminded]:
    """Tell of what is `left` of amends for a session of an order, which end soon."""
    if not (left.amends_for and left.amount_minor and left.currency and left.ends_at):
        raise NotAmends(str(left.promotion_id))
    told = replace(order, version=order.version + 1)
    return told, AmendsReminded(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        session_id=left.amends_for,
        amount_minor=left.amount_minor,
        currency=left.currency,
        expires_at=left.ends_at,
    )
