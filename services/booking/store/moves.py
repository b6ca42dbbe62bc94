"""Moves that somebody proposed."""

from __future__ import annotations

from datetime import datetime

from shared.db import Connection
from shared.ids import OrderId, SessionId

NEXT_TO_LAPSE = """
SELECT session_id, order_id FROM sessions
WHERE proposal_until <= $1
ORDER BY proposal_until, session_id
LIMIT 1
"""


async def next_to_lapse(conn: Connection, now: datetime) -> tuple[OrderId, SessionId] | None:
    """Return the session whose proposed move lapsed first, with its purchase; nothing is locked."""
    row = await conn.fetchrow(NEXT_TO_LAPSE, now)
    return (OrderId(row["order_id"]), SessionId(row["session_id"])) if row else None
