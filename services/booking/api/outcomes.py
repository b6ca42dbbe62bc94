"""Routes for how a session came out: who was not there, who objects, what an operator decides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.booking.api.orders import SessionBody, named
from services.booking.api.surface import BasisPoints, after_id, api, terms_of
from services.booking.api.views import ObjectionView, OrderView, reply
from services.booking.commands.absence import read_record, report
from services.booking.commands.objections import (
    Decision,
    open_objections,
    raise_objection,
    settle_objection,
)
from services.booking.domain.absence import (
    NeverCame,
    OtherCame,
    TooEarlyToReport,
    Visit,
    arrival,
    late_minutes,
)
from services.booking.domain.objections import (
    AlreadyReleased,
    NoObjection,
    NotOver,
    ObjectedBefore,
    ObjectionTooLate,
    RefundTooSmall,
)
from services.booking.domain.orders import (
    NotConfirmed,
    NotYourPart,
    Order,
    OrderState,
    Session,
    SessionUnnamed,
)
from shared.auth import Role
from shared.contracts.common import Party
from shared.db import Connection, connection
from shared.ids import OrderId, PersonId, SessionId
from shared.web import Call, InstantUtc, Page, PageQuery, Text, Versioned, View

Words = Annotated[Text, Field(max_length=2_000)]


class VisitView(View):
    """One side in the room, from coming to leaving (none: it is still there).

    `late_minutes` says how late this side came to the session, the same for each of its visits.
    """

    party: Literal["mentee", "mentor"]
    joined_at: InstantUtc
    left_at: InstantUtc | None
    late_minutes: int


class ObjectBody(SessionBody):
    """What is wrong with a session."""

    reason: Words


class SettleBody(SessionBody):
    """What an operator decides; both sides read the reason."""

    refund_basis_points: BasisPoints
    reason: Words


class ObjectedView(View):
    """A session that somebody objects to, with what an operator needs to decide."""

    order_id: OrderId
    session_id: SessionId
    title: str
    mentor_id: PersonId
    mentee_id: PersonId
    starts_at: InstantUtc
    ends_at: InstantUtc
    price_minor: int
    currency: str
    state: OrderState
    missed_by: Party | None
    refund_basis_points: int | None
    objection: ObjectionView


@api.post(
    "/v1/orders/{order_id}/report-absence",
    status=200,
    idempotent=True,
    refusals=(NotConfirmed, TooEarlyToReport, NeverCame, OtherCame, SessionUnnamed),
)
async def report_absence(
    call: Call, conn: Connection, order_id: OrderId, body: SessionBody
) -> Annotated[Versioned, OrderView]:
    """Say from the room that the other side did not come."""
    order = await report(
        conn, order_id, named(body), call.person_id, terms=terms_of(call), now=call.now
    )
    return reply(order, call)


@api.get("/v1/sessions/{session_id}/attendance")
async def attendance(call: Call, session_id: SessionId) -> Page[VisitView]:
    """Show who was in the room, to the two people of the session and to operators."""
    async with connection(call.pool) as conn:
        session, visits = await read_record(conn, session_id, call.who)
    return Page(items=[_visit(session, visit, visits) for visit in visits])


@api.post(
    "/v1/orders/{order_id}/object",
    status=200,
    idempotent=True,
    refusals=(NotOver, ObjectedBefore, AlreadyReleased, ObjectionTooLate, SessionUnnamed),
)
async def object_to(
    call: Call, conn: Connection, order_id: OrderId, body: ObjectBody
) -> Annotated[Versioned, OrderView]:
    """Object to a session that is over; its money waits until an operator decides."""
    order = await raise_objection(
        conn,
        order_id,
        named(body),
        call.person_id,
        body.reason,
        terms=terms_of(call),
        now=call.now,
    )
    return reply(order, call)


@api.get("/v1/operator/objections", may=Role.OPERATOR)
async def list_objections(call: Call, query: PageQuery) -> Page[ObjectedView]:
    """List the sessions with an open objection; those sold first come first."""
    after = after_id(query)
    async with connection(call.pool) as conn:
        found = await open_objections(conn, SessionId(after) if after else None, query.limit)
    full = len(found) == query.limit
    return Page(
        items=[_objected(order, session) for order, session in found],
        next_cursor=Page.cursor(found[-1][1].session_id) if full else None,
    )


@api.post(
    "/v1/operator/orders/{order_id}/settle-objection",
    status=200,
    idempotent=True,
    may=Role.OPERATOR,
    refusals=(NoObjection, NotYourPart, RefundTooSmall, AlreadyReleased, SessionUnnamed),
)
async def settle(
    call: Call, conn: Connection, order_id: OrderId, body: SettleBody
) -> Annotated[Versioned, OrderView]:
    """Decide an objection: what share of the price goes back; the rest is released."""
    decision = Decision(body.refund_basis_points, body.reason)
    order = await settle_objection(
        conn, order_id, named(body), call.person_id, decision, now=call.now
    )
    return reply(order, call)


def _visit(session: Session, visit: Visit, visits: list[Visit]) -> VisitView:
    arrived_at = arrival(session, visit.party, visits)
    return VisitView(
        party=visit.party,
        joined_at=visit.joined_at,
        left_at=visit.left_at,
        late_minutes=late_minutes(session, arrived_at),
    )


def _objected(order: Order, session: Session) -> ObjectedView:
    return ObjectedView(
        order_id=order.order_id,
        session_id=session.session_id,
        title=order.title,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        starts_at=session.starts_at,
        ends_at=session.ends_at,
        price_minor=session.price_minor,
        currency=order.currency,
        state=session.state,
        missed_by=session.missed_by,
        refund_basis_points=session.refund_basis_points,
        objection=ObjectionView.model_validate(session.objection, from_attributes=True),
    )
