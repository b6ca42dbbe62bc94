"""What a purchase would come to before anything is held, by the rules of one that is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.payments.domain.orders import Order, Session, Terms
from services.payments.domain.outcomes import BackTo, back_to, divided
from services.payments.domain.promotions import Why
from services.payments.domain.splits import fraction
from shared.errors import Kind, Refusal
from shared.money import Money, charge_step, largest_charge

NOBODY = UUID(int=0)
"""What is only asked about has no id."""


class PriceNotQuotable(Refusal):
    """No card can be charged so much, or in such steps."""

    code = "price_not_quotable"
    kind = Kind.SHAPE
    detail = "Ask about a price that a card can be charged."


@dataclass(frozen=True)
class Wanted:
    """What somebody is about to buy; `price` is that of each session."""

    mentee_id: UUID
    mentor_id: UUID
    offering_id: UUID
    price: Money
    minutes: int
    sessions: int
    code: str | None
    fractions: tuple[int, ...]


@dataclass(frozen=True)
class Back:
    """What goes back of one session when this fraction does, and where; so many are alike."""

    points: int
    money: Money
    back_to: BackTo
    sessions: int


@dataclass(frozen=True)
class Quote:
    """Every amount: price = discount + credits + to pay; `back` is of one session of each kind.

    `amends`: it is they that are the discount, and no code.
    """

    price: Money
    discount: Money
    amends: bool
    credits: Money
    credits_used: int
    to_pay: Money
    promotion_refused: Why | None
    back: tuple[Back, ...]
    mentor: Money
    platform: Money


def draft(wanted: Wanted, terms: Terms, now: datetime) -> Order:
    """Return the purchase as it would begin; raises `PriceNotQuotable`."""
    price = Money(wanted.price.minor * wanted.sessions, wanted.price.currency)
    if price.minor > largest_charge(price.currency) or price.minor % charge_step(price.currency):
        raise PriceNotQuotable
    return Order(
        order_id=NOBODY,
        mentor_id=wanted.mentor_id,
        mentee_id=wanted.mentee_id,
        title="",
        price=price,
        platform_share_basis_points=terms.platform_share_basis_points,
        release_delay=terms.release_delay,
        hold_until=now,
        close_at=now,
        opened_at=now,
        sessions=tuple(
            Session(UUID(int=number), wanted.price) for number in range(1, wanted.sessions + 1)
        ),
    )


def tell(order: Order, wanted: Wanted, given: AbstractSet[UUID]) -> Quote:
    """Say what a drafted purchase comes to, its credits and its code applied.

    The credits of the lots in `given` were bought by somebody else.
    """
    by_credits = [each for each in order.sessions if each.lot_id is not None]
    nothing = Money(0, order.price.currency)
    splits = [divided(order, each, nothing) for each in order.sessions]
    return Quote(
        price=Money(wanted.price.minor * wanted.sessions, wanted.price.currency),
        discount=order.discount,
        amends=order.has_amends,
        credits=Money(wanted.price.minor * len(by_credits), wanted.price.currency),
        credits_used=len(by_credits),
        to_pay=order.to_pay,
        promotion_refused=order.promotion_refused,
        back=tuple(back for points in wanted.fractions for back in _back(order, points, given)),
        mentor=sum((split.mentor for split in splits), nothing),
        platform=sum((split.platform for split in splits), nothing),
    )


def _back(order: Order, points: int, given: AbstractSet[UUID]) -> list[Back]:
    """Return what goes back of each kind of session, in the order of the sessions."""
    nothing, alike = Money(0, order.price.currency), Counter[tuple[Money, BackTo]]()
    for each in order.sessions:
        gone = fraction(each.price, points)
        where = back_to(each, nothing, gone, given=each.lot_id in given)
        alike[each.by_card(gone), where] += 1
    return [Back(points, money, where, sessions) for (money, where), sessions in alike.items()]
