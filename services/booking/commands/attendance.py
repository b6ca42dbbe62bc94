"""Going into the room of a session, and out."""

from __future__ import annotations

from datetime import datetime

from services.booking.domain.orders import Order
from services.booking.domain.sessions import RoomMissing, check_room_is_open
from services.booking.domain.terms import Terms
from services.booking.store import attendance, availability, orders
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId, SessionId


async def join_session(
    conn: Connection, session_id: SessionId, person_id: PersonId, *, terms: Terms, now: datetime
) -> str:
    """Note that one of the two comes in and return the link to the room.

    Raises `NotFound`, `RoomMissing` and what `check_room_is_open` raises.
    """
    order = await _own_session(conn, session_id, person_id)
    check_room_is_open(order.session(session_id), now=now, terms=terms)
    room_url = (await availability.read_availability(conn, order.mentor_id)).room_url
    if room_url is None:
        raise RoomMissing
    await attendance.note_join(conn, session_id, person_id, now)
    return room_url


async def leave_session(
    conn: Connection, session_id: SessionId, person_id: PersonId, *, now: datetime
) -> None:
    """Note that one of the two goes out; raises `NotFound`."""
    await _own_session(conn, session_id, person_id)
    await attendance.note_leave(conn, session_id, person_id, now)


async def _own_session(conn: Connection, session_id: SessionId, person_id: PersonId) -> Order:
    order = await orders.order_of_session(conn, session_id)
    if order is None or order.party(person_id) is None:
        raise NotFound
    return order
