"""Giving sessions away: gifts by their code, and a mentor's fund of sponsored ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.api.credits import LotView, lot_view
from services.payments.commands import credits as commands
from services.payments.domain import credits as rules
from services.payments.domain.credits import Lot
from services.payments.domain.offered import NotForSale
from services.payments.store import credits as store
from shared.auth import Role
from shared.db import Connection
from shared.errors import NotFound
from shared.web import Api, Body, Call, View

MENTEES_SHOWN = 50
CODE_LONGEST = 40


class GiftCodeView(View):
    """The code of a gift; it is shown this once."""

    code: str


class RedeemBody(Body):
    """The code as it was given, with or without dashes."""

    code: Annotated[str, Field(min_length=1, max_length=CODE_LONGEST)]


class FundItemView(View):
    """Sponsored sessions of an offering that wait to be granted."""

    offering_id: UUID
    title: str
    minutes: int
    available: int
    expires_at: datetime


class FundView(View):
    """A mentor's fund, and who has booked before, the latest first."""

    items: list[FundItemView]
    mentee_ids: list[UUID]


class GrantBody(Body):
    """Who gets a sponsored session of which offering."""

    offering_id: UUID
    mentee_id: UUID


def add_routes(api: Api) -> None:
    """Declare the routes of gifts and funds."""
    # No Idempotency-Key: it would keep the answer, and with it the secret. A new code is harmless.
    api.post("/v1/gifts/{purchase_id}/code", refusals=(rules.NotAGift,))(make_gift_code)
    redeeming = (rules.GiftUnknown, rules.OwnSessions)
    api.post("/v1/gifts/redeem", idempotent=True, refusals=redeeming)(redeem_gift)
    mentor = Role.MENTOR
    api.get("/v1/me/fund", may=mentor)(show_fund)
    granting = (rules.FundEmpty, rules.NobodyYouKnow, NotForSale, NotFound)
    api.post("/v1/me/fund/grants", may=mentor, idempotent=True, refusals=granting)(grant)


async def make_gift_code(call: Call, purchase_id: UUID, conn: Connection) -> GiftCodeView:
    """Make the code of a paid gift and show it once; the one before it is void."""
    return GiftCodeView(code=await commands.make_code(conn, purchase_id, call.person_id))


async def redeem_gift(call: Call, body: RedeemBody, conn: Connection) -> LotView:
    """Take a gift by its code."""
    lot = await commands.redeem(conn, body.code, call.person_id, call.now)
    return lot_view(lot, lot.expires_at or call.now)


async def show_fund(call: Call, conn: Connection) -> FundView:
    """Show what sponsors gave, and to whom one may grant it."""
    lots = await store.fund_of(conn, call.person_id, call.now)
    by_offering: dict[UUID, list[Lot]] = {}
    for lot in lots:
        by_offering.setdefault(lot.offering_id, []).append(lot)
    mentees = await store.mentees_of(conn, call.person_id, MENTEES_SHOWN)
    items = [_fund_item(found, call.now) for found in by_offering.values()]
    return FundView(items=items, mentee_ids=mentees)


async def grant(call: Call, body: GrantBody, conn: Connection) -> FundItemView:
    """Give a sponsored session to somebody who has booked before."""
    granted = await commands.grant(conn, call.person_id, body.offering_id, body.mentee_id, call.now)
    return _fund_item([granted], call.now)


def _fund_item(lots: Sequence[Lot], now: datetime) -> FundItemView:
    first = lots[0]
    return FundItemView(
        offering_id=first.offering_id,
        title=first.title,
        minutes=first.minutes,
        available=sum(lot.remaining for lot in lots),
        expires_at=min(lot.expires_at or now for lot in lots),
    )
