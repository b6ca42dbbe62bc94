"""Routes for the room of a session; who comes and goes is recorded."""

from __future__ import annotations

from services.booking.api.surface import api, terms_of
from services.booking.commands.attendance import join_session, leave_session
from services.booking.domain.orders import NotConfirmed
from services.booking.domain.sessions import RoomMissing, TooEarly, TooLate
from shared.db import Connection
from shared.ids import SessionId
from shared.web import Call, View


class RoomView(View):
    """Where the session takes place."""

    room_url: str


@api.post(
    "/v1/sessions/{session_id}/join",
    status=200,
    refusals=(NotConfirmed, TooEarly, TooLate, RoomMissing),
)
async def join(call: Call, conn: Connection, session_id: SessionId) -> RoomView:
    """Come into the room; only the two people of a confirmed session learn its link."""
    url = await join_session(conn, session_id, call.person_id, terms=terms_of(call), now=call.now)
    return RoomView(room_url=url)


@api.post("/v1/sessions/{session_id}/leave", status=204)
async def leave(call: Call, conn: Connection, session_id: SessionId) -> None:
    """Go out of the room."""
    await leave_session(conn, session_id, call.person_id, now=call.now)
