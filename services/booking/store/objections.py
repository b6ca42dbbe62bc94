"""Objections that wait for an operator, and the release that ends the time for them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.db import Connection
from shared.ids import OrderId, SessionId

OPEN_OBJECTIONS = """
SELECT session_id, order_id FROM sessions
WHERE objection IS NOT NULL AND objection ->> 'settled_at' IS NULL
  AND ($1::uuid IS NULL OR session_id > $1)
ORDER BY session_id
LIMIT $2
"""
NOTE_RELEASE = """
UPDATE sessions SET released_at = $3
WHERE order_id = $1 AND ($2::uuid IS NULL OR session_id = $2) AND released_at IS NULL
"""


async def list_open(
    conn: Connection, after: UUID | None, limit: int
) -> list[tuple[OrderId, SessionId]]:
    """Return the sessions somebody objects to, with their purchases, by session."""
    rows = await conn.fetch(OPEN_OBJECTIONS, after, limit)
    return [(OrderId(row["order_id"]), SessionId(row["session_id"])) for row in rows]


async def note_release(
    conn: Connection, order_id: OrderId, session_id: SessionId | None, at: datetime
) -> None:
    """Keep that the earnings of a session, or of all those of an order, were released."""
    await conn.execute(NOTE_RELEASE, order_id, session_id, at)
