"""What a purchase would cost before anything is held: every amount, and what would go back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.api.currencies import Currency
from services.payments.api.terms import terms_of
from services.payments.commands import quotes as commands
from services.payments.domain.outcomes import BackTo
from services.payments.domain.promotions import Why
from services.payments.domain.quotes import PriceNotQuotable, Quote, Wanted
from shared.auth import Role
from shared.contracts.common import BasisPoints, CurrencyCode, Minor, PromotionCode
from shared.db import Connection
from shared.limits import Limit
from shared.money import MAX_MINOR_OF_ALL, Money
from shared.web import Api, Body, Call, View, WholeNumber

SESSIONS_MOST = 52
FRACTIONS_MOST = 10
MINUTES_MOST = 24 * 60
GUESSES = Limit("quotes", burst=120, per_second=2.0)
"""Enough for whoever looks at prices, and slow for whoever guesses codes."""
Fraction = Annotated[WholeNumber, Field(ge=0, le=10_000)]


class QuoteBody(Body):
    """What is about to be bought; fractions are those of which the amounts are asked for."""

    mentor_id: UUID
    offering_id: UUID
    price_minor: Annotated[WholeNumber, Field(ge=0, le=MAX_MINOR_OF_ALL)]
    currency: Currency
    minutes: Annotated[WholeNumber, Field(ge=0, le=MINUTES_MOST)] = 0
    sessions: Annotated[WholeNumber, Field(ge=1, le=SESSIONS_MOST)] = 1
    promotion_code: PromotionCode | None = None
    refund_basis_points: Annotated[list[Fraction], Field(max_length=FRACTIONS_MOST)] = Field(
        default_factory=list[Fraction]
    )


class BackView(View):
    """What goes back of one session when this fraction does, and where it goes.

    Where some of the sessions differ there is one for each kind, for so many `sessions`.
    """

    refund_basis_points: BasisPoints
    mentee_minor: Minor
    back_to: BackTo
    sessions: int


class SharesView(View):
    """What mentor and platform get of all sessions."""

    mentor_minor: Minor
    platform_minor: Minor


class QuoteView(View):
    """Price, discount, credits, and what is left to pay; of the shares only whom they concern.

    `amends`: the discount is for a session that did not take place, without a code.
    """

    currency: CurrencyCode
    price_minor: Minor
    discount_minor: Minor
    amends: bool
    credits_minor: Minor
    credits_used: int
    to_pay_minor: Minor
    promotion_refused: Why | None
    back: list[BackView]
    shares: SharesView | None


def add_routes(api: Api) -> None:
    """Declare the route."""
    declare = api.post("/v1/quotes", status=200, limit=GUESSES, refusals=(PriceNotQuotable,))
    declare(quote)


async def quote(call: Call, body: QuoteBody, conn: Connection) -> QuoteView:
    """Say what a purchase would cost now, with a code and with credits; nothing is kept."""
    wanted = Wanted(
        mentee_id=call.person_id,
        mentor_id=body.mentor_id,
        offering_id=body.offering_id,
        price=Money(body.price_minor, body.currency),
        minutes=body.minutes,
        sessions=body.sessions,
        code=body.promotion_code,
        fractions=tuple(body.refund_basis_points),
    )
    found = await commands.quote(conn, wanted, terms_of(call), call.now)
    concerned = call.person_id == body.mentor_id or call.who.is_a(Role.OPERATOR)
    return _view(found, with_shares=concerned)


def _view(found: Quote, *, with_shares: bool) -> QuoteView:
    shares = SharesView(mentor_minor=found.mentor.minor, platform_minor=found.platform.minor)
    return QuoteView(
        currency=found.price.currency,
        price_minor=found.price.minor,
        discount_minor=found.discount.minor,
        amends=found.amends,
        credits_minor=found.credits.minor,
        credits_used=found.credits_used,
        to_pay_minor=found.to_pay.minor,
        promotion_refused=found.promotion_refused,
        back=[
            BackView(
                refund_basis_points=each.points,
                mentee_minor=each.money.minor,
                back_to=each.back_to,
                sessions=each.sessions,
            )
            for each in found.back
        ],
        shares=shares if with_shares else None,
    )
