"""Credits and the purchases they come from: packages, gifts and sponsored sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.payments.api.cursors import one_uuid
from services.payments.api.terms import terms_of
from services.payments.commands import credits as commands
from services.payments.domain import credits as rules
from services.payments.domain.credits import Lot
from services.payments.domain.offered import CurrencyNotSettled, NotForSale
from services.payments.domain.orders import Order, State
from services.payments.domain.worth import DearerThanAlone
from services.payments.store import credits as store
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.money import MAX_MINOR_OF_ALL
from shared.web import Api, Body, Call, Page, PageQuery, View, WholeNumber
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202

PurchaseKind = Literal["package", "gift", "sponsorship", "plan", "sessions"]
Sessions = Annotated[WholeNumber, Field(ge=1, le=rules.SESSIONS_MOST)]


class BuyBody(Body):
    """For whom a package is bought."""

    as_gift: bool = False


class GiveBody(Body):
    """How many sessions of an offering are given."""

    offering_id: UUID
    sessions: Sessions


class LotView(View):
    """Credits: how many sessions are left, and until when they can be booked.

    `resting`: their sessions cannot be booked at the moment, and their time does not end meanwhile.
    """

    lot_id: UUID
    kind: PurchaseKind
    mentor_id: UUID
    offering_id: UUID
    title: str
    minutes: int
    sessions: int
    remaining: int
    unit_price_minor: Minor
    currency: CurrencyCode
    expires_at: datetime
    resting: bool = False


class CreditsView(View):
    """One's credits, the first to expire first."""

    items: list[LotView]


class PurchaseView(View):
    """A purchase of credits as its buyer sees it; of what was given away, only the numbers.

    `refundable_minor` is what may be had back now, `refunded_minor` what went back of unused ones.
    `redeemed`: somebody has the gift. `expired`: the time to book is over.
    `resting`: as for credits.
    """

    purchase_id: UUID
    kind: PurchaseKind
    state: State
    mentor_id: UUID
    offering_id: UUID
    title: str
    minutes: int
    sessions: int
    remaining: int
    granted: int
    used: int
    redeemed: bool
    price_minor: Minor
    refundable_minor: Minor
    refunded_minor: Minor
    expired: bool
    currency: CurrencyCode
    hold_until: datetime
    paid_at: datetime | None
    expires_at: datetime | None
    resting: bool


class RefundUnusedBody(Body):
    """The amount that was shown."""

    shown_amount_minor: Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)]


class RefundedView(View):
    """What goes back to the card."""

    amount_minor: Minor
    currency: CurrencyCode


def add_routes(api: Api) -> None:
    """Declare the routes of credits and of purchases of them."""
    sale = (
        NotForSale,
        CurrencyNotSettled,
        rules.OwnSessions,
        rules.PackagePriceOutside,
        rules.PackageTooDear,
    )
    unused = (rules.NothingUnused, rules.CreditsChanged)
    buying = "/v1/packages/{package_id}/purchases"
    api.post(buying, idempotent=True, refusals=(*sale, DearerThanAlone))(buy_package)
    api.post("/v1/gifts", idempotent=True, refusals=(*sale, NotFound))(buy_gift)
    api.post("/v1/sponsorships", idempotent=True, refusals=(*sale, NotFound))(sponsor)
    api.get("/v1/me/credits")(list_credits)
    api.get("/v1/me/purchases")(list_purchases)
    one = "/v1/purchases/{purchase_id}"
    api.get(one)(show_purchase)
    back = api.post(f"{one}/refund", idempotent=True, status=ACCEPTED, refusals=unused)
    back(refund_unused)
    operator = api.post(
        "/v1/operator/purchases/{purchase_id}/refund",
        may=Role.OPERATOR,
        idempotent=True,
        status=ACCEPTED,
        refusals=(NotFound, rules.NothingUnused),
    )
    operator(refund_for_operator)


async def buy_package(
    call: Call, package_id: UUID, body: BuyBody, conn: Connection
) -> PurchaseView:
    """Begin to buy a package, for oneself or as a gift; it is paid like any purchase."""
    terms = terms_of(call)
    order = await commands.buy_package(
        conn, package_id, call.person_id, terms, call.now, as_gift=body.as_gift
    )
    return await _purchase(call, conn, order.order_id)


async def buy_gift(call: Call, body: GiveBody, conn: Connection) -> PurchaseView:
    """Begin to buy sessions for somebody who gets a code for them."""
    return await _give(call, conn, "gift", body)


async def sponsor(call: Call, body: GiveBody, conn: Connection) -> PurchaseView:
    """Begin to buy sessions that the mentor grants to mentees who cannot pay."""
    return await _give(call, conn, "sponsorship", body)


async def list_credits(call: Call, conn: Connection) -> CreditsView:
    """List one's credits."""
    lots = await store.lots_of_owner(conn, call.person_id)
    rest = await store.resting(conn, lots)
    good = [(lot, lot.expires_at) for lot in lots if lot.expires_at]
    return CreditsView(
        items=[lot_view(lot, until, resting=lot.lot_id in rest) for lot, until in good]
    )


async def list_purchases(call: Call, query: PageQuery, conn: Connection) -> Page[PurchaseView]:
    """List what one bought in advance, newest first."""
    found = await store.purchases_of(conn, call.person_id, one_uuid(query), query.limit + 1)
    items = [await _purchase(call, conn, order_id) for order_id in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].purchase_id) if more else None)


async def show_purchase(call: Call, purchase_id: UUID, conn: Connection) -> PurchaseView:
    """Show what one bought in advance, and what became of it."""
    return await _purchase(call, conn, purchase_id)


async def refund_unused(
    call: Call, purchase_id: UUID, body: RefundUnusedBody, conn: Connection
) -> RefundedView:
    """Have what is unused paid back to the card, on the amount that was shown."""
    amount = await commands.refund_unused(
        conn, purchase_id, call.person_id, body.shown_amount_minor, call.now
    )
    return RefundedView(amount_minor=amount.minor, currency=amount.currency)


async def refund_for_operator(
    call: Call, purchase_id: UUID, body: Reasoned, conn: Connection
) -> DeedDone:
    """Pay unused credits back to who bought them, in time or not."""
    who = str(call.person_id)
    deed = Deed(who, "refund_credits", str(purchase_id), body.reason, purchase_id)
    return await do(call, conn, commands.refund_as_asked, deed)


async def _give(
    call: Call, conn: Connection, kind: rules.GivenKind, body: GiveBody
) -> PurchaseView:
    order = await commands.buy_to_give(
        conn,
        kind,
        body.offering_id,
        body.sessions,
        call.person_id,
        terms_of(call),
        call.now,
    )
    return await _purchase(call, conn, order.order_id)


def lot_view(lot: Lot, expires_at: datetime, *, resting: bool = False) -> LotView:
    """Return what is shown of credits that were paid."""
    return LotView(
        lot_id=lot.lot_id,
        kind=lot.kind,
        mentor_id=lot.mentor_id,
        offering_id=lot.offering_id,
        title=lot.title,
        minutes=lot.minutes,
        sessions=lot.sessions,
        remaining=lot.remaining,
        unit_price_minor=lot.unit.minor,
        currency=lot.unit.currency,
        expires_at=expires_at,
        resting=resting,
    )


async def _purchase(call: Call, conn: Connection, order_id: UUID) -> PurchaseView:
    order = await order_store.load_order(conn, order_id)
    lots = await store.lots_of_purchases(conn, [order_id])
    may = order and (order.mentee_id == call.person_id or call.who.is_a(Role.OPERATOR))
    if order is None or not may or not lots:
        raise NotFound
    used, rest = await store.used_of(conn, order_id), await store.resting(conn, lots)
    refunds = await outcome_store.refunds_of_order(conn, order_id)
    refunded = sum(each.amount.minor for each in refunds if each.state != "failed")
    shown = _shown(order, lots, used, rest, refunded, call.now)
    frozen = await store.is_frozen(conn, order_id)
    return shown.model_copy(update={"refundable_minor": 0}) if frozen else shown


def _shown(
    order: Order,
    lots: Sequence[Lot],
    used: int,
    rest: Mapping[UUID, datetime],
    refunded: int,
    now: datetime,
) -> PurchaseView:
    bought = rules.bought_of(lots)
    resting = bought.lot_id in rest
    try:
        refundable = rules.worth_of(rules.unused_of(lots, rest, now)).minor
    except rules.NothingUnused:
        refundable = 0
    return PurchaseView(
        purchase_id=order.order_id,
        kind=order.kind,
        state=order.state,
        mentor_id=order.mentor_id,
        offering_id=bought.offering_id,
        title=bought.title,
        minutes=bought.minutes,
        sessions=bought.sessions,
        remaining=bought.remaining,
        granted=len(lots) - 1,
        used=used,
        redeemed=order.kind == "gift" and bought.owner_id is not None,
        price_minor=order.price.minor,
        refundable_minor=refundable,
        refunded_minor=refunded,
        expired=bool(bought.expires_at and bought.expires_at <= now) and not resting,
        currency=order.price.currency,
        hold_until=order.hold_until,
        paid_at=order.paid_at,
        expires_at=bought.expires_at,
        resting=resting,
    )
