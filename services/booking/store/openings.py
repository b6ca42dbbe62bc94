"""When mentors are free next: who has to be looked at, and what was told."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from services.booking.domain.openings import Opening, Openings
from services.booking.domain.orders import Order
from shared.clock import SystemInstant
from shared.contracts.booking import Suggestion
from shared.db import Connection
from shared.ids import OfferingId, PersonId

MARK = """
INSERT INTO openings_to_do (mentor_id)
SELECT DISTINCT marked.person_id FROM unnest($1::uuid[]) AS marked (person_id)
WHERE EXISTS (SELECT 1 FROM offerings AS o WHERE o.mentor_id = marked.person_id)
"""
NEXT_MARKED = """
SELECT mentor_id FROM openings_to_do ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
NEXT_CHANGED_BY_TIME = """
SELECT mentor_id FROM openings WHERE look_again_at < $1
ORDER BY look_again_at
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
UNMARK = """
DELETE FROM openings_to_do WHERE id IN (
    SELECT id FROM openings_to_do WHERE mentor_id = $1 FOR UPDATE SKIP LOCKED
)
"""
IS_MARKED = "SELECT EXISTS (SELECT 1 FROM openings_to_do WHERE mentor_id = $1)"
BEGIN = "INSERT INTO openings (mentor_id, version) VALUES ($1, 0) ON CONFLICT DO NOTHING"
LOCK = """
SELECT mentor_id, version, next_free_at, offering_id, look_again_at
FROM openings WHERE mentor_id = $1
FOR UPDATE
"""
SAVE = """
UPDATE openings
SET version = $2, next_free_at = $3, offering_id = $4, look_again_at = $5, amiss = NULL
WHERE mentor_id = $1
"""
TO_AUDIT = """
SELECT mentor_id, version, next_free_at, offering_id, look_again_at
FROM openings
ORDER BY (amiss IS NULL), audited_at NULLS FIRST
LIMIT $1
"""
NOTE_AUDIT = """
UPDATE openings SET audited_at = $3, amiss = $4 WHERE mentor_id = $1 AND version = $2
"""
LIST_MENTORS = """
SELECT DISTINCT mentor_id FROM offerings
WHERE $1::uuid IS NULL OR mentor_id > $1
ORDER BY mentor_id
LIMIT $2
"""
# From the wished price upwards and downwards along the index, so that it takes as long with many
# mentors as with few; of equally near ones the first that are found are compared.
NEXT_BEST = """
SELECT near.offering_id, near.mentor_id, near.next_free_at
FROM (
    (
        SELECT n.offering_id, n.mentor_id, n.next_free_at, abs(o.price_minor - $5) AS further
        FROM offerings AS o
        INNER JOIN openings AS n ON n.offering_id = o.offering_id
        INNER JOIN people AS p ON p.person_id = n.mentor_id
        WHERE n.next_free_at > $1 AND o.state = 'published' AND p.mentor_state = 'approved'
          AND o.currency = $2 AND n.mentor_id NOT IN ($3, $4) AND o.price_minor >= $5
        ORDER BY o.price_minor
        LIMIT 50
    )
    UNION ALL
    (
        SELECT n.offering_id, n.mentor_id, n.next_free_at, abs(o.price_minor - $5) AS further
        FROM offerings AS o
        INNER JOIN openings AS n ON n.offering_id = o.offering_id
        INNER JOIN people AS p ON p.person_id = n.mentor_id
        WHERE n.next_free_at > $1 AND o.state = 'published' AND p.mentor_state = 'approved'
          AND o.currency = $2 AND n.mentor_id NOT IN ($3, $4) AND o.price_minor < $5
        ORDER BY o.price_minor DESC
        LIMIT 50
    )
) AS near
ORDER BY near.further, near.next_free_at, near.mentor_id
LIMIT 1
"""


async def mark_openings(conn: Connection, *person_ids: PersonId) -> None:
    """Note that the time of people changed; a worker finds their next free start soon after.

    Whoever offers nothing is passed over, so that both sides of a session can be named: a mentor's
    time is also sold where they are somebody's mentee.
    """
    await conn.execute(MARK, list(person_ids))


async def next_to_look_at(conn: Connection, now: datetime) -> PersonId | None:
    """Return a mentor whose time changed, or for whom time alone made a difference."""
    marked = await conn.fetchval(NEXT_MARKED)
    return marked or await conn.fetchval(NEXT_CHANGED_BY_TIME, now)


async def unmark_openings(conn: Connection, mentor_id: PersonId) -> None:
    """Take away what was noted so far; what is noted later stays for the next look."""
    await conn.execute(UNMARK, mentor_id)


async def is_marked(conn: Connection, mentor_id: PersonId) -> bool:
    """Return whether a mentor's time changed since it was looked at."""
    return bool(await conn.fetchval(IS_MARKED, mentor_id))


async def lock_openings(conn: Connection, mentor_id: PersonId) -> Openings:
    """Return what was told of a mentor; nobody else looks until this transaction ends."""
    await conn.execute(BEGIN, mentor_id)
    (row,) = await conn.fetch(LOCK, mentor_id)
    return _openings(row)


async def save_openings(conn: Connection, openings: Openings) -> None:
    """Keep what was found of a mentor whose row is locked."""
    opening = openings.next_free
    await conn.execute(
        SAVE,
        openings.mentor_id,
        openings.version,
        opening and opening.starts_at,
        opening and opening.offering_id,
        openings.look_again_at,
    )


async def to_audit(conn: Connection, at_most: int) -> list[Openings]:
    """Return those whose audit is the longest ago, after the ones where something was amiss."""
    return [_openings(row) for row in await conn.fetch(TO_AUDIT, at_most)]


async def note_audit(
    conn: Connection, told: Openings, at: SystemInstant, amiss: str | None
) -> None:
    """Keep what an audit found, unless something else was told meanwhile."""
    await conn.execute(NOTE_AUDIT, told.mentor_id, told.version, at, amiss)


async def next_best(conn: Connection, order: Order, now: datetime) -> Suggestion | None:
    """Return the next free start of the mentor whose price is nearest, if another one is free."""
    row = await conn.fetchrow(
        NEXT_BEST, now, order.currency, order.mentor_id, order.mentee_id, order.price_minor
    )
    if row is None:
        return None
    return Suggestion(
        offering_id=row["offering_id"], mentor_id=row["mentor_id"], starts_at=row["next_free_at"]
    )


async def list_mentors(conn: Connection, after: UUID | None, limit: int) -> list[PersonId]:
    """Return who ever made an offering, in the order of ids."""
    rows = await conn.fetch(LIST_MENTORS, after, limit)
    return [PersonId(row["mentor_id"]) for row in rows]


def _openings(row: asyncpg.Record) -> Openings:
    starts_at = row["next_free_at"]
    return Openings(
        mentor_id=PersonId(row["mentor_id"]),
        version=row["version"],
        next_free=Opening(starts_at, OfferingId(row["offering_id"])) if starts_at else None,
        look_again_at=row["look_again_at"],
    )
