"""Entries of the waitlist, in the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.booking.domain.orders import Answer, OrderState
from services.booking.domain.waitlist import Entry, EntryId
from services.booking.slots import Interval
from shared.db import Connection
from shared.ids import OfferingId, OrderId, PersonId

INSERT_ENTRY = """
INSERT INTO waitlist (entry_id, offering_id, mentor_id, person_id, starts_from, until, answers)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
WAITING_FOR = """
SELECT entry_id, offering_id, mentor_id, person_id, starts_from, until, answers, left_at, order_id,
       NULL::text AS offer
FROM waitlist
WHERE mentor_id = $1 AND order_id IS NULL AND left_at IS NULL AND until > $2
ORDER BY entry_id
LIMIT $3
"""
WAITS_OF = """
SELECT w.entry_id, w.offering_id, w.mentor_id, w.person_id, w.starts_from, w.until, w.answers,
       w.left_at, w.order_id, o.state AS offer
FROM waitlist AS w
LEFT JOIN orders AS o ON o.order_id = w.order_id
WHERE w.person_id = $1 AND w.left_at IS NULL AND w.until > $2
  AND (w.order_id IS NULL OR o.state = 'offered')
ORDER BY w.entry_id
"""
LIST_OF_PERSON = """
SELECT w.entry_id, w.offering_id, w.mentor_id, w.person_id, w.starts_from, w.until, w.answers,
       w.left_at, w.order_id, o.state AS offer
FROM waitlist AS w
LEFT JOIN orders AS o ON o.order_id = w.order_id
WHERE w.person_id = $1 AND ($2::uuid IS NULL OR w.entry_id < $2)
  AND ($3::uuid IS NULL OR w.entry_id = $3)
ORDER BY w.entry_id DESC
LIMIT $4
"""
PLACE = """
SELECT count(*) FROM waitlist
WHERE mentor_id = $1 AND offering_id = $2 AND order_id IS NULL AND left_at IS NULL
  AND starts_from < $4 AND until > $3 AND entry_id <= $5
"""
NOTE_OFFER = """
UPDATE waitlist SET order_id = $2
WHERE entry_id = $1 AND order_id IS NULL AND left_at IS NULL
RETURNING entry_id
"""
LEAVE = """
UPDATE waitlist SET left_at = $3
WHERE entry_id = $1 AND person_id = $2 AND order_id IS NULL AND left_at IS NULL
RETURNING entry_id
"""
OTHERS_COME_FIRST = """
SELECT EXISTS (
    SELECT 1 FROM waitlist AS w
    INNER JOIN unnest($3::timestamptz[]) AS wish (starts_at)
        ON w.starts_from <= wish.starts_at AND wish.starts_at < w.until
    WHERE w.mentor_id = $1 AND w.person_id <> $2 AND w.order_id IS NULL AND w.left_at IS NULL
      AND w.offering_id = $4
      AND EXISTS (SELECT 1 FROM openings_to_do AS t WHERE t.mentor_id = $1)
)
"""


async def insert_entry(conn: Connection, entry: Entry) -> None:
    """Keep a new entry."""
    await conn.execute(
        INSERT_ENTRY,
        entry.entry_id,
        entry.offering_id,
        entry.mentor_id,
        entry.person_id,
        entry.window.starts_at,
        entry.window.ends_at,
        [[given.question, given.answer] for given in entry.answers],
    )


async def waiting_for(
    conn: Connection, mentor_id: PersonId, now: datetime, at_most: int
) -> list[Entry]:
    """Return who waits for a mentor, in the order of arrival."""
    return [_entry(row) for row in await conn.fetch(WAITING_FOR, mentor_id, now, at_most)]


async def waits_of(conn: Connection, person_id: PersonId, now: datetime) -> list[Entry]:
    """Return what a person waits for; an offer that is not answered is still waited for."""
    return [_entry(row) for row in await conn.fetch(WAITS_OF, person_id, now)]


async def list_of_person(
    conn: Connection, person_id: PersonId, after: UUID | None, limit: int
) -> list[Entry]:
    """Return every entry a person made, newest first."""
    rows = await conn.fetch(LIST_OF_PERSON, person_id, after, None, limit)
    return [_entry(row) for row in rows]


async def read_entry(conn: Connection, person_id: PersonId, entry_id: EntryId) -> Entry | None:
    """Return one of a person's entries."""
    rows = await conn.fetch(LIST_OF_PERSON, person_id, None, entry_id, 1)
    return _entry(rows[0]) if rows else None


async def place(conn: Connection, entry: Entry) -> int:
    """Return the place of a waiting entry among those who wait for some of the same time."""
    window = entry.window
    return int(
        await conn.fetchval(
            PLACE,
            entry.mentor_id,
            entry.offering_id,
            window.starts_at,
            window.ends_at,
            entry.entry_id,
        )
    )


async def note_offer(conn: Connection, entry_id: EntryId, order_id: OrderId) -> bool:
    """Keep what was offered to an entry; return whether it still waited."""
    return await conn.fetchval(NOTE_OFFER, entry_id, order_id) is not None


async def leave(conn: Connection, entry_id: EntryId, person_id: PersonId, now: datetime) -> bool:
    """Take an entry off the list; return whether it still waited."""
    return await conn.fetchval(LEAVE, entry_id, person_id, now) is not None


async def others_come_first(
    conn: Connection,
    mentor_id: PersonId,
    offering_id: OfferingId,
    person_id: PersonId,
    starts: Sequence[datetime],
) -> bool:
    """Return whether time was freed that others wait for, and nobody has looked yet."""
    return bool(await conn.fetchval(OTHERS_COME_FIRST, mentor_id, person_id, starts, offering_id))


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(
        entry_id=EntryId(row["entry_id"]),
        offering_id=OfferingId(row["offering_id"]),
        mentor_id=PersonId(row["mentor_id"]),
        person_id=PersonId(row["person_id"]),
        window=Interval(row["starts_from"], row["until"]),
        answers=tuple(Answer(*given) for given in row["answers"]),
        has_left=row["left_at"] is not None,
        order_id=OrderId(row["order_id"]) if row["order_id"] else None,
        offer=OrderState(row["offer"]) if row["offer"] else None,
    )
