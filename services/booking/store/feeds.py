"""Calendar feeds: whose they are, and the sessions they show."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from services.booking.domain.feeds import Entry, Feed
from services.booking.domain.orders import OrderState
from services.booking.slots import Interval
from shared.db import Connection
from shared.ids import OrderId, PersonId, SessionId

SAVE_FEED = """
INSERT INTO calendar_feeds (person_id, token_hash, created_at) VALUES ($1, $2, $3)
ON CONFLICT (person_id) DO UPDATE SET token_hash = $2, created_at = $3, last_read_at = NULL
"""
READ_FEED = "SELECT created_at, last_read_at FROM calendar_feeds WHERE person_id = $1"
DELETE_FEED = "DELETE FROM calendar_feeds WHERE person_id = $1"
OWNER = "SELECT person_id FROM calendar_feeds WHERE token_hash = $1"
NOTE_READING = """
UPDATE calendar_feeds SET last_read_at = $2
WHERE person_id = $1 AND (last_read_at IS NULL OR last_read_at <= $3)
"""
ENTRIES = """
SELECT s.session_id, o.order_id, o.title, s.starts_at, s.ends_at, s.state, s.calendar_sequence,
       told.changed_at
FROM orders AS o
INNER JOIN sessions AS s ON s.order_id = o.order_id
CROSS JOIN LATERAL (
    SELECT coalesce(max(f.happened_at), o.confirmed_at) AS changed_at
    FROM order_facts AS f WHERE f.order_id = o.order_id
) AS told
WHERE (o.mentee_id = $1 OR o.mentor_id = $1) AND o.confirmed_at IS NOT NULL
"""
ENTRIES_OF_PERSON = (
    ENTRIES
    + """
  AND s.starts_at >= $2 AND s.starts_at < $3
  AND (s.state <> 'cancelled' OR told.changed_at >= $4)
ORDER BY s.starts_at DESC, s.session_id
LIMIT $5
"""
)
ENTRY = ENTRIES + "AND s.session_id = $2"


async def save_feed(
    conn: Connection, person_id: PersonId, token_hash: bytes, now: datetime
) -> None:
    """Keep the secret of a person's feed; the one before it shows nothing any more."""
    await conn.execute(SAVE_FEED, person_id, token_hash, now)


async def read_feed(conn: Connection, person_id: PersonId) -> Feed | None:
    """Return a person's feed."""
    row = await conn.fetchrow(READ_FEED, person_id)
    return Feed(row["created_at"], row["last_read_at"]) if row else None


async def delete_feed(conn: Connection, person_id: PersonId) -> None:
    """End a person's feed."""
    await conn.execute(DELETE_FEED, person_id)


async def owner_of(conn: Connection, token_hash: bytes) -> PersonId | None:
    """Return whose feed a secret shows."""
    found = await conn.fetchval(OWNER, token_hash)
    return PersonId(found) if found else None


async def note_reading(
    conn: Connection, person_id: PersonId, now: datetime, unless_since: datetime
) -> None:
    """Keep that a feed was asked for, unless that was noted after `unless_since`."""
    await conn.execute(NOTE_READING, person_id, now, unless_since)


async def entries_of(
    conn: Connection,
    person_id: PersonId,
    starting: Interval,
    *,
    cancelled_since: datetime,
    limit: int,
) -> list[Entry]:
    """Return a person's sessions of both roles that were ever confirmed, the last ones first."""
    rows = await conn.fetch(
        ENTRIES_OF_PERSON,
        person_id,
        starting.starts_at,
        starting.ends_at,
        cancelled_since,
        limit,
    )
    return [_entry(row) for row in rows]


async def entry_of(conn: Connection, person_id: PersonId, session_id: SessionId) -> Entry | None:
    """Return one session of a person if it was ever confirmed."""
    row = await conn.fetchrow(ENTRY, person_id, session_id)
    return _entry(row) if row else None


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        session_id=SessionId(row["session_id"]),
        order_id=OrderId(row["order_id"]),
        title=row["title"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        state=OrderState(row["state"]),
        calendar_sequence=row["calendar_sequence"],
        changed_at=row["changed_at"],
    )
