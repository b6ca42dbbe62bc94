"""Promotion codes: an operator's, which the platform or a mentor pays for, and a mentor's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.payments.api.currencies import Currency
from services.payments.api.cursors import one_uuid
from services.payments.commands import promotions as commands
from services.payments.domain.promotions import (
    PausedByOperators,
    Pauser,
    Payer,
    Promotion,
    PromotionCodeTaken,
    PromotionShape,
)
from services.payments.store import promotions as store
from shared.auth import Role
from shared.clock import BusinessInstant
from shared.contracts.common import BasisPoints, CurrencyCode, Minor, PromotionCode
from shared.db import Connection
from shared.deeds import Action, Deed
from shared.errors import NotFound
from shared.ids import new_id
from shared.money import MAX_MINOR_OF_ALL
from shared.web import Api, Body, Call, InstantUtc, Page, PageQuery, View, WholeNumber
from shared.web.operators import Reason, Reasoned, do

USES_MOST = 1_000_000
Uses = Annotated[WholeNumber, Field(ge=1, le=USES_MOST)] | None


class CodeBody(Body):
    """A code and its limits: a percentage off, or an amount in one currency."""

    code: PromotionCode
    percent_basis_points: Annotated[WholeNumber, Field(ge=1, le=10_000)] | None = None
    amount_minor: Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)] | None = None
    currency: Currency | None = None
    offering_id: UUID | None = None
    at_most: Uses = None
    per_person: Uses = None
    first_purchase_only: bool = False
    starts_at: InstantUtc | None = None
    ends_at: InstantUtc | None = None


class OperatorsCodeBody(CodeBody):
    """The same for any mentor or all, saying who pays for it and why."""

    mentor_id: UUID | None = None
    paid_by: Payer = "platform"
    reason: Reason


class PromotionView(View):
    """A code as whoever made it sees it; `used` counts purchases paid or being paid."""

    promotion_id: UUID
    code: str
    paid_by: Payer
    percent_basis_points: BasisPoints | None
    amount_minor: Minor | None
    currency: CurrencyCode | None
    mentor_id: UUID | None
    offering_id: UUID | None
    at_most: int | None
    per_person: int | None
    first_purchase_only: bool
    starts_at: datetime | None
    ends_at: datetime | None
    paused_at: datetime | None
    paused_by: Pauser | None
    made_at: datetime
    used: int


def add_routes(api: Api) -> None:
    """Declare the routes of promotion codes."""
    refusals = (PromotionShape, PromotionCodeTaken)
    mentor, operator = Role.MENTOR, Role.OPERATOR
    mine, all_of_them = "/v1/me/promotions", "/v1/operator/promotions"
    api.get(mine, may=mentor)(list_mine)
    api.post(mine, may=mentor, idempotent=True, refusals=refusals)(make_mine)
    api.get(all_of_them, may=operator)(list_all)
    api.post(all_of_them, may=operator, idempotent=True, refusals=refusals)(make)
    paused = (PausedByOperators,)
    for path, may, handler, stopped in (
        (f"{mine}/{{promotion_id}}/pause", mentor, pause_mine, ()),
        (f"{mine}/{{promotion_id}}/resume", mentor, resume_mine, paused),
        (f"{all_of_them}/{{promotion_id}}/pause", operator, pause, ()),
        (f"{all_of_them}/{{promotion_id}}/resume", operator, resume, ()),
    ):
        api.post(path, may=may, idempotent=True, status=200, refusals=stopped)(handler)


async def list_mine(call: Call, query: PageQuery, conn: Connection) -> Page[PromotionView]:
    """List the codes that the mentor pays for, newest first."""
    return await _page(conn, call.person_id, query)


async def list_all(call: Call, query: PageQuery, conn: Connection) -> Page[PromotionView]:
    """List all codes, newest first."""
    del call
    return await _page(conn, None, query)


async def make_mine(call: Call, body: CodeBody, conn: Connection) -> PromotionView:
    """Make a code for one's own offerings, whose discount one bears."""
    promotion = _promotion(call, body, "mentor", call.person_id)
    return _view(await commands.create(conn, promotion))


async def make(call: Call, body: OperatorsCodeBody, conn: Connection) -> PromotionView:
    """Make a code, for all mentors or one; what it takes off is borne by who is named."""
    promotion = _promotion(call, body, body.paid_by, body.mentor_id)
    deed = Deed(str(call.person_id), "make_promotion", body.code, body.reason)

    async def act(conn: Connection, deed: Deed, now: object) -> dict[str, Any]:
        del deed, now
        made = await commands.create(conn, promotion)
        return {"promotion_id": str(made.promotion_id), "paid_by": made.paid_by}

    await do(call, conn, act, deed)
    return _view(promotion)


async def pause_mine(call: Call, promotion_id: UUID, conn: Connection) -> PromotionView:
    """Stop one's code; purchases that began with it keep what it takes off."""
    return _view(await commands.pause(conn, promotion_id, call.person_id, call.now))


async def resume_mine(call: Call, promotion_id: UUID, conn: Connection) -> PromotionView:
    """Let one's code be used again, unless operators paused it."""
    return _view(await commands.resume(conn, promotion_id, call.person_id))


async def pause(call: Call, promotion_id: UUID, body: Reasoned, conn: Connection) -> PromotionView:
    """Stop any code; only operators let it be used again then."""

    async def act(conn: Connection, deed: Deed, now: BusinessInstant) -> dict[str, Any]:
        del deed
        return {"code": (await commands.pause(conn, promotion_id, None, now)).code}

    return await _turn(call, conn, promotion_id, body, "pause_promotion", act)


async def resume(call: Call, promotion_id: UUID, body: Reasoned, conn: Connection) -> PromotionView:
    """Let any code be used again."""

    async def act(conn: Connection, deed: Deed, now: object) -> dict[str, Any]:
        del deed, now
        return {"code": (await commands.resume(conn, promotion_id, None)).code}

    return await _turn(call, conn, promotion_id, body, "resume_promotion", act)


async def _turn(
    call: Call, conn: Connection, promotion_id: UUID, body: Reasoned, name: str, act: Action
) -> PromotionView:
    deed = Deed(str(call.person_id), name, str(promotion_id), body.reason)
    await do(call, conn, act, deed)
    found = await store.lock(conn, promotion_id)
    if found is None:
        raise NotFound
    return _view(found)


async def _page(conn: Connection, mentor_id: UUID | None, query: PageQuery) -> Page[PromotionView]:
    found = await store.list_promotions(conn, mentor_id, one_uuid(query), query.limit + 1)
    items = [_view(each) for each in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].promotion_id) if more else None)


def _promotion(call: Call, body: CodeBody, paid_by: Payer, mentor_id: UUID | None) -> Promotion:
    said = body.model_dump(exclude={"reason", "paid_by", "mentor_id"})
    return Promotion(
        new_id(), paid_by=paid_by, made_by=call.person_id, made_at=call.now, mentor_id=mentor_id,
        **said,
    )  # fmt: skip


def _view(promotion: Promotion) -> PromotionView:
    return PromotionView.model_validate(promotion, from_attributes=True)
