"""Who was in the room of a session."""

from __future__ import annotations

from datetime import datetime

from services.booking.domain.absence import Visit
from services.booking.domain.orders import Order
from shared.db import Connection
from shared.ids import PersonId, SessionId

JOIN = """
INSERT INTO attendance (session_id, person_id, joined_at) VALUES ($1, $2, $3)
ON CONFLICT (session_id, person_id) WHERE left_at IS NULL DO NOTHING
"""
LEAVE = """
UPDATE attendance SET left_at = GREATEST(joined_at, $3)
WHERE session_id = $1 AND person_id = $2 AND left_at IS NULL
"""
END_VISITS = """
UPDATE attendance SET left_at = GREATEST(joined_at, $2) WHERE session_id = $1 AND left_at IS NULL
"""
VISITS = """
SELECT person_id, joined_at, left_at FROM attendance
WHERE session_id = $1
ORDER BY joined_at, attendance_id
"""


async def note_join(
    conn: Connection, session_id: SessionId, person_id: PersonId, now: datetime
) -> None:
    """Keep that a person came in, unless they are in."""
    await conn.execute(JOIN, session_id, person_id, now)


async def note_leave(
    conn: Connection, session_id: SessionId, person_id: PersonId, now: datetime
) -> None:
    """Keep that a person went out, if they were in."""
    await conn.execute(LEAVE, session_id, person_id, now)


async def end_visits(conn: Connection, session_id: SessionId, now: datetime) -> None:
    """Keep that everybody went out."""
    await conn.execute(END_VISITS, session_id, now)


async def read_visits(conn: Connection, order: Order, session_id: SessionId) -> list[Visit]:
    """Return who was in the room of a session of an order, in order of coming."""
    rows = await conn.fetch(VISITS, session_id)
    return [
        Visit(
            "mentor" if row["person_id"] == order.mentor_id else "mentee",
            row["joined_at"],
            row["left_at"],
        )
        for row in rows
    ]
