"""What a purchase freezes when it begins: fee terms, and what a code takes off. Pure.

What of Stripe's fee the mentor bears is agreed then as well, and known once Stripe says it.
"""

from __future__ import annotations

from dataclasses import replace

from services.payments.domain.fees import FeeTerms
from services.payments.domain.orders import Order, Session
from services.payments.domain.promotions import Discount, Why
from shared.money import Money


def freeze(order: Order, fees: FeeTerms) -> Order:
    """Freeze on a purchase what the platform will take of it."""
    return replace(
        order,
        platform_share_basis_points=fees.share_basis_points,
        minimum_fee_minor=fees.minimum_minor,
        fee_rule=fees.rule,
        borne_fee_minor=None if fees.mentor_bears else 0,
    )


def take_off(order: Order, code: str | None, found: Discount | Why | None) -> Order:
    """Take off what a code takes off the parts that credits do not pay, or note why nothing.

    Without a code it is amends, or nothing. What the platform gives stays in the price; what the
    mentor gives lowers the price itself.
    """
    if not isinstance(found, Discount):
        return replace(order, promotion_code=code, promotion_refused=found)
    parts = iter(found.parts)
    off = {each.session_id: next(parts) for each in order.sessions if each.lot_id is None}
    by_mentor = found.promotion.paid_by == "mentor"
    sessions = tuple(
        _reduced(each, off[each.session_id], by_mentor=by_mentor)
        if each.session_id in off
        else each
        for each in order.sessions
    )
    taken = found.whole.minor if by_mentor else 0
    price = order.price - Money(taken, order.price.currency)
    return replace(
        order, promotion_code=code, sessions=sessions, price=price, taken_off_minor=taken
    )


def _reduced(session: Session, off: Money, *, by_mentor: bool) -> Session:
    if by_mentor:
        return replace(session, price=session.price - off, taken_off_minor=off.minor)
    return replace(session, discount_minor=off.minor)


def bear_fee(order: Order, fee: Money) -> Order:
    """Note what Stripe kept, and what of it the mentor bears if that was agreed.

    A fee in another currency than the price stays with the platform.
    """
    known = replace(order, stripe_fee_minor=fee.minor, look_at=None)
    if order.borne_fee_minor is not None:
        return known
    return replace(known, borne_fee_minor=fee.minor if fee.currency == order.price.currency else 0)
