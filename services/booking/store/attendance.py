"""Who was in the room of a session."""

from __future__ import annotations

from datetime import datetime

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
