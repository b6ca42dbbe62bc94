"""Calendars that mentors keep elsewhere, and when these say that they are busy."""

from __future__ import annotations

from services.booking.slots import Interval
from shared.db import Connection
from shared.ids import PersonId

BUSY_TIMES = """
SELECT b.starts_at, b.ends_at
FROM calendars AS c
INNER JOIN calendar_busy AS b ON b.calendar_id = c.calendar_id
WHERE c.mentor_id = $1 AND b.ends_at > $2 AND b.starts_at < $3
ORDER BY b.starts_at, b.ends_at
"""


async def busy_times(conn: Connection, mentor_id: PersonId, during: Interval) -> list[Interval]:
    """Return when a mentor's calendars say busy, as of the last time each could be read."""
    rows = await conn.fetch(BUSY_TIMES, mentor_id, during.starts_at, during.ends_at)
    return [Interval(row["starts_at"], row["ends_at"]) for row in rows]
