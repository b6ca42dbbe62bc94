"""The sale of time: participations, which the database lets nobody sell twice.

All rows of a purchase are inserted by one statement in the order of person ids, and a conflict
makes a row not come back instead of an error: so competing inserts wait for one another in one
order and do not deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.booking.domain.availability import SoldTime
from services.booking.domain.orders import Seat
from services.booking.slots import Interval
from shared.db import Connection
from shared.ids import OfferingId, PersonId, SessionId

INSERT_SEATS = """
INSERT INTO participations (session_id, person_id, during, active)
SELECT seat.session_id, seat.person_id, tstzrange(seat.starts_at, seat.ends_at, '[)'), true
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
    AS seat (session_id, person_id, starts_at, ends_at)
ORDER BY seat.person_id, seat.starts_at
ON CONFLICT DO NOTHING
RETURNING person_id
"""
FREE_SEATS = """
UPDATE participations SET active = false WHERE session_id = ANY($1::uuid[]) AND active
"""
LOCK_LAPSED_OVERLAPS = """
SELECT o.order_id
FROM orders AS o
WHERE o.state IN ('requested', 'offered', 'held') AND o.expires_at <= $4 AND o.order_id IN (
    SELECT s.order_id
    FROM participations AS p
    INNER JOIN sessions AS s ON s.session_id = p.session_id
    INNER JOIN unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
        AS seat (person_id, starts_at, ends_at)
        ON p.person_id = seat.person_id
        AND p.during && tstzrange(seat.starts_at, seat.ends_at, '[)')
    WHERE p.active
)
ORDER BY o.order_id
FOR UPDATE
"""
TAKEN = """
SELECT DISTINCT seat.session_id, seat.person_id
FROM participations AS p
INNER JOIN unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
    AS seat (session_id, person_id, starts_at, ends_at)
    ON p.person_id = seat.person_id
    AND p.during && tstzrange(seat.starts_at, seat.ends_at, '[)')
WHERE p.active
"""
SOLD = """
SELECT s.session_id, o.offering_id, s.starts_at,
       lower(p.during) AS begins_at, upper(p.during) AS ends_at
FROM participations AS p
INNER JOIN sessions AS s ON s.session_id = p.session_id
INNER JOIN orders AS o ON o.order_id = s.order_id
WHERE p.person_id = $1 AND p.active AND p.during && tstzrange($2, $3, '[)')
  AND NOT (o.state IN ('requested', 'offered', 'held') AND o.expires_at <= $4)
"""


async def insert_seats(conn: Connection, seats: Sequence[Seat]) -> int:
    """Sell the time of the seats as far as it is free; return of how many it was."""
    return len(await conn.fetch(INSERT_SEATS, _sessions(seats), *_columns(seats)))


async def free_seats(conn: Connection, session_ids: Sequence[SessionId]) -> None:
    """Give back the time of sessions."""
    await conn.execute(FREE_SEATS, session_ids)


async def lock_lapsed_overlaps(
    conn: Connection, seats: Sequence[Seat], now: datetime
) -> list[UUID]:
    """Return the orders whose lapsed holds stand in the way, locked in the order of ids."""
    rows = await conn.fetch(LOCK_LAPSED_OVERLAPS, *_columns(seats), now)
    return [row["order_id"] for row in rows]


async def taken_people(conn: Connection, seats: Sequence[Seat]) -> set[PersonId]:
    """Return whose time overlaps something sold."""
    return {person_id for _, person_id in await _taken(conn, seats)}


async def taken_sessions(conn: Connection, seats: Sequence[Seat]) -> set[SessionId]:
    """Return the sessions for which somebody's time overlaps something sold."""
    return {session_id for session_id, _ in await _taken(conn, seats)}


async def sold(
    conn: Connection, person_id: PersonId, during: Interval, now: datetime
) -> list[SoldTime]:
    """Return what of a person's time is sold, without holds that anybody may free."""
    rows = await conn.fetch(SOLD, person_id, during.starts_at, during.ends_at, now)
    return [
        SoldTime(
            SessionId(row["session_id"]),
            OfferingId(row["offering_id"]),
            row["starts_at"],
            Interval(row["begins_at"], row["ends_at"]),
        )
        for row in rows
    ]


async def _taken(conn: Connection, seats: Sequence[Seat]) -> list[tuple[SessionId, PersonId]]:
    rows = await conn.fetch(TAKEN, _sessions(seats), *_columns(seats))
    return [(SessionId(row["session_id"]), PersonId(row["person_id"])) for row in rows]


def _sessions(seats: Sequence[Seat]) -> list[SessionId]:
    return [seat.session_id for seat in seats]


def _columns(seats: Sequence[Seat]) -> tuple[list[PersonId], list[datetime], list[datetime]]:
    return (
        [seat.person_id for seat in seats],
        [seat.during.starts_at for seat in seats],
        [seat.during.ends_at for seat in seats],
    )
