"""Routes for purchases: hold or request, look, give up, call off, complete."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.booking.api.surface import (
    BasisPoints,
    after_id,
    api,
    cursor_after,
    terms_of,
)
from services.booking.api.views import AnswerShape, OrderView, reply, view_of
from services.booking.commands.holds import give_up_hold, hold_slot
from services.booking.commands.orders import cancel_order, complete_order, side_of
from services.booking.domain.holds import (
    AnswersMissing,
    MentorUnavailable,
    OwnOffering,
    PolicyChanged,
    SlotNotOffered,
    SlotTaken,
    Start,
    TooManyHolds,
    TooManyLapses,
    Wish,
)
from services.booking.domain.offerings import QUESTIONS_AT_MOST, OfferingNotPublished
from services.booking.domain.orders import (
    Answer,
    NotConfirmed,
    NotHeld,
    NotYourPart,
    Order,
    OrderState,
    SessionUnnamed,
)
from services.booking.domain.sessions import (
    CallOff,
    NotEnded,
    PreviewOutdated,
    ReasonMissing,
    SessionBegun,
    ShareNotYours,
    preview,
)
from services.booking.store import orders as store
from shared.auth import Role
from shared.contracts.booking import CancellationPreset, FrozenPolicy
from shared.contracts.common import Party, PromotionCode
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id
from shared.web import (
    Body,
    Call,
    InstantUtc,
    Page,
    PageQuery,
    Query,
    Text,
    Versioned,
    View,
    WholeNumber,
)

Reason = Annotated[Text, Field(max_length=500)]
POLICY_VERSION_LARGEST = 10_000


class AcceptedPolicy(Body):
    """The cancellation policy that was shown and accepted."""

    preset: CancellationPreset
    policy_version: Annotated[WholeNumber, Field(ge=1, le=POLICY_VERSION_LARGEST)]


class HoldBody(Body):
    """Which slot a mentee wants."""

    offering_id: UUID
    starts_at: InstantUtc
    accepted_policy: AcceptedPolicy
    answers: Annotated[list[AnswerShape], Field(max_length=QUESTIONS_AT_MOST)] = Field(
        default_factory=list[AnswerShape]
    )
    promotion_code: PromotionCode | None = None


class SessionBody(Body):
    """Which session of a purchase is meant; may be left out where there is one."""

    session_id: UUID | None = None


class CancelBody(SessionBody):
    """A cancellation as it was confirmed; only operators choose the share."""

    reason: Reason | None = None
    shown_refund_basis_points: BasisPoints | None = None
    refund_basis_points: BasisPoints | None = None


class PreviewView(View):
    """What would go back; `valid_until` is the last instant of that (none: it stays so)."""

    by: Party
    refund_basis_points: int
    valid_until: InstantUtc | None


class SessionQuery(Query):
    """Which session of a purchase is meant; may be left out where there is one."""

    session_id: UUID | None = None


class OrdersQuery(PageQuery):
    """Which of one's orders."""

    role: Literal["mentee", "mentor"] | None = None
    state: OrderState | None = None


class AllOrdersQuery(PageQuery):
    """Which of all orders."""

    state: OrderState | None = None
    person_id: UUID | None = None


@api.post(
    "/v1/orders",
    idempotent=True,
    refusals=(
        SlotTaken,
        SlotNotOffered,
        OwnOffering,
        PolicyChanged,
        OfferingNotPublished,
        MentorUnavailable,
        AnswersMissing,
        TooManyHolds,
        TooManyLapses,
        NotFound,
    ),
)
async def hold(call: Call, conn: Connection, body: HoldBody) -> Annotated[Versioned, OrderView]:
    """Hold a slot and begin a purchase."""
    accepted = body.accepted_policy
    wish = Wish(
        OrderId(new_id()),
        (Start(SessionId(new_id()), body.starts_at),),
        call.person_id,
        FrozenPolicy(preset=accepted.preset, policy_version=accepted.policy_version),
        tuple(Answer(given.question, given.answer) for given in body.answers),
        body.promotion_code,
    )
    order = await hold_slot(
        conn, OfferingId(body.offering_id), wish, terms=terms_of(call), now=call.now
    )
    return reply(order, call)


@api.get("/v1/orders")
async def list_orders(call: Call, query: OrdersQuery) -> Page[OrderView]:
    """List one's orders, newest first."""
    async with connection(call.pool) as conn:
        found = await store.list_of_person(
            conn, call.person_id, query.role, query.state, after_id(query), query.limit
        )
    return _page(found, call, query.limit)


@api.get("/v1/operator/orders", may=Role.OPERATOR)
async def list_all_orders(call: Call, query: AllOrdersQuery) -> Page[OrderView]:
    """List everybody's orders, newest first."""
    after = after_id(query)
    async with connection(call.pool) as conn:
        if query.person_id is None:
            found = await store.list_all(conn, query.state, after, query.limit)
        else:
            found = await store.list_of_person(
                conn, PersonId(query.person_id), None, query.state, after, query.limit
            )
    return _page(found, call, query.limit)


@api.get("/v1/orders/{order_id}")
async def get_order(call: Call, order_id: OrderId) -> Annotated[Versioned, OrderView]:
    """Show an order to its two people and to operators."""
    return reply(await _read(call, order_id), call)


@api.get(
    "/v1/orders/{order_id}/cancellation-preview",
    refusals=(NotConfirmed, SessionBegun, SessionUnnamed),
)
async def preview_cancellation(call: Call, order_id: OrderId, query: SessionQuery) -> PreviewView:
    """Show what share of the price would go back if the viewer cancelled a session now."""
    order = await _read(call, order_id)
    by = side_of(order, call.who)
    share = preview(order, order.session(named(query)), by, now=call.now)
    return PreviewView(
        by=by, refund_basis_points=share.refund_basis_points, valid_until=share.valid_until
    )


@api.post(
    "/v1/orders/{order_id}/cancel",
    status=200,
    idempotent=True,
    refusals=(
        NotConfirmed,
        SessionBegun,
        PreviewOutdated,
        ShareNotYours,
        ReasonMissing,
        SessionUnnamed,
    ),
)
async def cancel(
    call: Call, conn: Connection, order_id: OrderId, body: CancelBody
) -> Annotated[Versioned, OrderView]:
    """Call a session or a hold off, with the share of the price that was shown."""
    call_off = CallOff(body.reason, body.shown_refund_basis_points, body.refund_basis_points)
    order = await cancel_order(conn, order_id, named(body), call.who, call_off, now=call.now)
    return reply(order, call)


@api.post(
    "/v1/orders/{order_id}/release-hold",
    status=200,
    idempotent=True,
    refusals=(NotHeld, NotYourPart),
)
async def release_hold(
    call: Call, conn: Connection, order_id: OrderId
) -> Annotated[Versioned, OrderView]:
    """Give up a hold before its time."""
    return reply(await give_up_hold(conn, order_id, call.person_id, now=call.now), call)


@api.post(
    "/v1/orders/{order_id}/complete",
    status=200,
    idempotent=True,
    refusals=(NotConfirmed, NotEnded, NotYourPart, SessionUnnamed),
)
async def complete(
    call: Call, conn: Connection, order_id: OrderId, body: SessionBody
) -> Annotated[Versioned, OrderView]:
    """Say as the mentee that a session took place."""
    order = await complete_order(conn, order_id, named(body), call.person_id, now=call.now)
    return reply(order, call)


async def _read(call: Call, order_id: OrderId) -> Order:
    async with connection(call.pool) as conn:
        order = await store.read_order(conn, order_id)
    if order is None:
        raise NotFound
    side_of(order, call.who)
    return order


def named(given: SessionBody | SessionQuery) -> SessionId | None:
    """Return the session that a request names."""
    return SessionId(given.session_id) if given.session_id else None


def _page(found: list[Order], call: Call, limit: int) -> Page[OrderView]:
    last = found[-1].order_id if found else None
    return Page(
        items=[view_of(order, call) for order in found],
        next_cursor=cursor_after(found, last, limit),
    )
