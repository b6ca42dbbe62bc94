"""Routes for requests and for slots from the waitlist: accept, decline, withdraw, pass on."""

from __future__ import annotations

from typing import Annotated

from services.booking.api.orders import OrderView, Reason, reply
from services.booking.api.surface import api, terms_of
from services.booking.commands.requests import accept_request, decline_request
from services.booking.domain.holds import MentorUnavailable, TooManyHolds
from services.booking.domain.orders import NotYourPart
from services.booking.domain.requests import NotRequested
from shared.db import Connection
from shared.ids import OrderId
from shared.web import Body, Call, Versioned


class DeclineBody(Body):
    """Why a request comes to nothing; the other side reads it."""

    reason: Reason | None = None


@api.post(
    "/v1/orders/{order_id}/accept",
    status=200,
    idempotent=True,
    refusals=(NotRequested, NotYourPart, MentorUnavailable, TooManyHolds),
)
async def accept(
    call: Call, conn: Connection, order_id: OrderId
) -> Annotated[Versioned, OrderView]:
    """Accept a request as its mentor, or a slot from the waitlist as its mentee."""
    order = await accept_request(conn, order_id, call.person_id, terms=terms_of(call), now=call.now)
    return reply(order, call)


@api.post("/v1/orders/{order_id}/decline", status=200, idempotent=True, refusals=(NotRequested,))
async def decline(
    call: Call, conn: Connection, order_id: OrderId, body: DeclineBody
) -> Annotated[Versioned, OrderView]:
    """Decline a request or a slot from the waitlist; a mentee withdraws, or passes on."""
    order = await decline_request(conn, order_id, call.person_id, body.reason, now=call.now)
    return reply(order, call)
