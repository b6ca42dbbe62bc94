"""Routes for moving a session: look what it means, move or propose it, answer what is proposed."""

from __future__ import annotations

from typing import Annotated

from services.booking.api.orders import Reason, SessionBody, SessionQuery, named
from services.booking.api.slots import SlotsQuery, SlotsView, SlotView, WindowTooLong
from services.booking.api.surface import api, terms_of
from services.booking.api.views import OrderView, reply
from services.booking.commands.moves import (
    Mover,
    accept_move,
    decline_move,
    find_times,
    move_session,
    preview_move,
)
from services.booking.domain.holds import SlotNotOffered, SlotTaken
from services.booking.domain.moves import (
    Meaning,
    MoveWish,
    NoMovesLeft,
    NoProposal,
    ProposalOpen,
    TooManyProposals,
)
from services.booking.domain.orders import NotConfirmed, NotYourPart, SessionUnnamed
from services.booking.domain.sessions import PreviewOutdated, SessionBegun
from shared.contracts.common import Party
from shared.db import Connection, connection, transaction
from shared.ids import OrderId
from shared.web import Call, InstantUtc, Versioned, View

CANNOT_MOVE = (
    NotConfirmed,
    SessionBegun,
    ProposalOpen,
    NoMovesLeft,
    TooManyProposals,
    SlotNotOffered,
    SlotTaken,
    SessionUnnamed,
)


class MoveQuery(SessionQuery):
    """To when the viewer thinks of moving a session."""

    starts_at: InstantUtc


class MoveSlotsQuery(SessionQuery, SlotsQuery):
    """The window within which a session might start instead, half-open."""


class MovePreviewView(View):
    """What a move would mean.

    `immediate`: it happens at once, else the other side must agree. `refundable_after`: calling the
    session off may still give money back. `moves_left` are the viewer's before this one.
    """

    by: Party
    immediate: bool
    refundable_after: bool
    moves_left: int


class MoveBody(SessionBody):
    """A move as it was confirmed, with what the preview showed that it means."""

    starts_at: InstantUtc
    reason: Reason | None = None
    shown_immediate: bool
    shown_refundable_after: bool


@api.get("/v1/orders/{order_id}/move-preview", refusals=CANNOT_MOVE)
async def preview(call: Call, order_id: OrderId, query: MoveQuery) -> MovePreviewView:
    """Show what it would mean if the viewer moved a session."""
    mover = Mover(order_id, named(query), call.person_id)
    async with transaction(call.pool) as conn:
        found = await preview_move(conn, mover, query.starts_at, terms=terms_of(call), now=call.now)
    return MovePreviewView(
        by=found.by,
        immediate=found.meaning.immediate,
        refundable_after=found.meaning.refundable_after,
        moves_left=found.moves_left,
    )


@api.get("/v1/orders/{order_id}/move-slots", refusals=(SessionUnnamed, WindowTooLong))
async def list_move_slots(call: Call, order_id: OrderId, query: MoveSlotsQuery) -> SlotsView:
    """List when the mentor has time for a session that is moved: as it was sold, if withdrawn."""
    mover = Mover(order_id, named(query), call.person_id)
    window = query.window()
    async with connection(call.pool) as conn:
        found = await find_times(conn, mover, window, terms=terms_of(call), now=call.now)
    return SlotsView(
        items=[SlotView(starts_at=slot.starts_at, ends_at=slot.ends_at) for slot in found]
    )


@api.post(
    "/v1/orders/{order_id}/move",
    status=200,
    idempotent=True,
    refusals=(*CANNOT_MOVE, PreviewOutdated),
)
async def move(
    call: Call, conn: Connection, order_id: OrderId, body: MoveBody
) -> Annotated[Versioned, OrderView]:
    """Move a session, or propose that to the other side where it must agree."""
    wish = MoveWish(
        body.starts_at, Meaning(body.shown_immediate, body.shown_refundable_after), body.reason
    )
    mover = Mover(order_id, named(body), call.person_id)
    order = await move_session(conn, mover, wish, terms=terms_of(call), now=call.now)
    return reply(order, call)


@api.post(
    "/v1/orders/{order_id}/move/accept",
    status=200,
    idempotent=True,
    refusals=(NoProposal, NotYourPart, SlotNotOffered, SlotTaken, SessionUnnamed),
)
async def agree_to_move(
    call: Call, conn: Connection, order_id: OrderId, body: SessionBody
) -> Annotated[Versioned, OrderView]:
    """Agree to the time that the other side proposes."""
    mover = Mover(order_id, named(body), call.person_id)
    return reply(await accept_move(conn, mover, now=call.now), call)


@api.post(
    "/v1/orders/{order_id}/move/decline",
    status=200,
    idempotent=True,
    refusals=(NoProposal, SessionUnnamed),
)
async def refuse_move(
    call: Call, conn: Connection, order_id: OrderId, body: SessionBody
) -> Annotated[Versioned, OrderView]:
    """Say no to the time that the other side proposes, or withdraw one's own proposal."""
    mover = Mover(order_id, named(body), call.person_id)
    return reply(await decline_move(conn, mover, now=call.now), call)
