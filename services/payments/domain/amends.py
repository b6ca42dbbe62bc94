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
from shared.money import Money

GOOD_FOR = timedelta(days=365)
"""As long as a sponsor's credits: who was let down need not hurry."""


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
