"""Routes for purchases: hold, look, give up, call off, complete."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.booking.api.offerings import PolicyView
from services.booking.api.surface import (
    BasisPoints,
    InstantUtc,
    after_id,
    api,
    cursor_after,
    terms_of,
)
from services.booking.commands.holds import give_up_hold, hold_slot
from services.booking.commands.orders import cancel_order, complete_order, side_of
from services.booking.domain.holds import (
    MentorUnavailable,
    OwnOffering,
    PolicyChanged,
    SlotNotOffered,
    SlotTaken,
    TooManyHolds,
    Wish,
)
from services.booking.domain.offerings import OfferingNotPublished
from services.booking.domain.orders import NotConfirmed, NotHeld, NotYourPart, Order, OrderState
from services.booking.domain.sessions import (
    CallOff,
    NotEnded,
    PreviewOutdated,
    ReasonMissing,
    SessionBegun,
    ShareNotYours,
    can,
    preview,
)
from services.booking.store import orders as store
from shared.auth import Principal, Role
from shared.contracts.booking import CancellationPreset, FrozenPolicy
from shared.contracts.common import Party
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id
from shared.web import Body, Call, Page, PageQuery, Text, Versioned, View, WholeNumber

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


class CancelBody(Body):
    """A cancellation as it was confirmed; only operators choose the share."""

    reason: Reason | None = None
    shown_refund_basis_points: BasisPoints | None = None
    refund_basis_points: BasisPoints | None = None


class CanView(View):
    """What the viewer may do with the order now."""

    cancel: bool
    complete: bool
    join: bool


class OrderView(View):
    """An order as somebody it concerns sees it; `version` is its ETag."""

    order_id: OrderId
    session_id: SessionId
    offering_id: OfferingId
    title: str
    mentor_id: PersonId
    mentee_id: PersonId
    state: OrderState
    starts_at: InstantUtc
    ends_at: InstantUtc
    hold_until: InstantUtc
    price_minor: int
    currency: str
    policy: PolicyView
    cancelled_by: Party | None
    cancel_reason: str | None
    refund_basis_points: int | None
    lost_reason: str | None
    completed_at: InstantUtc | None
    version: int
    can: CanView


class PreviewView(View):
    """What would go back; `valid_until` is the last instant of that (none: it stays so)."""

    by: Party
    refund_basis_points: int
    valid_until: InstantUtc | None


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
        TooManyHolds,
        NotFound,
    ),
)
async def hold(call: Call, conn: Connection, body: HoldBody) -> Annotated[Versioned, OrderView]:
    """Hold a slot and begin a purchase."""
    accepted = body.accepted_policy
    wish = Wish(
        OrderId(new_id()),
        SessionId(new_id()),
        call.person_id,
        body.starts_at,
        FrozenPolicy(preset=accepted.preset, policy_version=accepted.policy_version),
    )
    order = await hold_slot(
        conn, OfferingId(body.offering_id), wish, terms=terms_of(call), now=call.now
    )
    return _reply(order, call)


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
    return _reply(await _read(call, order_id), call)


@api.get("/v1/orders/{order_id}/cancellation-preview", refusals=(NotConfirmed, SessionBegun))
async def preview_cancellation(call: Call, order_id: OrderId) -> PreviewView:
    """Show what share of the price would go back if the viewer cancelled now."""
    order = await _read(call, order_id)
    by = side_of(order, call.who)
    share = preview(order, by, now=call.now)
    return PreviewView(
        by=by, refund_basis_points=share.refund_basis_points, valid_until=share.valid_until
    )


@api.post(
    "/v1/orders/{order_id}/cancel",
    status=200,
    idempotent=True,
    refusals=(NotConfirmed, SessionBegun, PreviewOutdated, ShareNotYours, ReasonMissing),
)
async def cancel(
    call: Call, conn: Connection, order_id: OrderId, body: CancelBody
) -> Annotated[Versioned, OrderView]:
    """Call an order off, with the share of the price that was shown."""
    call_off = CallOff(body.reason, body.shown_refund_basis_points, body.refund_basis_points)
    return _reply(await cancel_order(conn, order_id, call.who, call_off, now=call.now), call)


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
    return _reply(await give_up_hold(conn, order_id, call.person_id, now=call.now), call)


@api.post(
    "/v1/orders/{order_id}/complete",
    status=200,
    idempotent=True,
    refusals=(NotConfirmed, NotEnded, NotYourPart),
)
async def complete(
    call: Call, conn: Connection, order_id: OrderId
) -> Annotated[Versioned, OrderView]:
    """Say as the mentee that the session took place."""
    return _reply(await complete_order(conn, order_id, call.person_id, now=call.now), call)


async def _read(call: Call, order_id: OrderId) -> Order:
    async with connection(call.pool) as conn:
        order = await store.read_order(conn, order_id)
    if order is None:
        raise NotFound
    side_of(order, call.who)
    return order


def _reply(order: Order, call: Call) -> Versioned:
    return Versioned(view=_view(order, call, call.who), version=order.version)


def _page(found: list[Order], call: Call, limit: int) -> Page[OrderView]:
    last = found[-1].order_id if found else None
    return Page(
        items=[_view(order, call, call.who) for order in found],
        next_cursor=cursor_after(found, last, limit),
    )


def _view(order: Order, call: Call, who: Principal) -> OrderView:
    allowed = can(order, side_of(order, who), now=call.now, terms=terms_of(call))
    return OrderView(
        order_id=order.order_id,
        session_id=order.session_id,
        offering_id=order.offering_id,
        title=order.title,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        state=order.state,
        starts_at=order.starts_at,
        ends_at=order.ends_at,
        hold_until=order.hold_until,
        price_minor=order.price_minor,
        currency=order.currency,
        policy=PolicyView.model_validate(order.policy, from_attributes=True),
        cancelled_by=order.cancelled_by,
        cancel_reason=order.cancel_reason,
        refund_basis_points=order.refund_basis_points,
        lost_reason=order.lost_reason,
        completed_at=order.completed_at,
        version=order.version,
        can=CanView.model_validate(allowed, from_attributes=True),
    )
