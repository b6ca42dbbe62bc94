"""Calendars that mentors keep elsewhere, and when these say that they are busy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from services.booking.domain.availability import NO_ZONE
from services.booking.domain.calendars import (
    ASK_AGAIN_AFTER,
    READ_AGAIN_AFTER,
    Calendar,
    CalendarId,
    Errand,
    Failure,
    Marks,
)
from services.booking.slots import Interval
from shared.clock import BusinessInstant, SystemInstant
from shared.db import Connection
from shared.ids import PersonId

BUSY_TIMES = """
SELECT b.starts_at, b.ends_at
FROM calendars AS c
INNER JOIN calendar_busy AS b ON b.calendar_id = c.calendar_id
WHERE c.mentor_id = $1 AND b.ends_at > $2 AND b.starts_at < $3
ORDER BY b.starts_at, b.ends_at
"""
INSERT_CALENDAR = """
INSERT INTO calendars (calendar_id, mentor_id, name, url, next_fetch_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (mentor_id, url) DO NOTHING
RETURNING calendar_id
"""
DELETE_CALENDAR = """
DELETE FROM calendars WHERE calendar_id = $1 AND mentor_id = $2 RETURNING calendar_id
"""
FETCH_SOON = """
UPDATE calendars SET
    next_fetch_at = LEAST(next_fetch_at, GREATEST($3::timestamptz, attempted_at + $4::interval))
WHERE mentor_id = $1 AND ($2::uuid IS NULL OR calendar_id = $2)
"""
LIST_CALENDARS = """
SELECT c.calendar_id, c.mentor_id, c.name, c.url, c.fetched_at, c.failure, c.failing_since,
    (SELECT count(*) FROM calendar_busy AS b WHERE b.calendar_id = c.calendar_id) AS busy_count
FROM calendars AS c
WHERE c.mentor_id = $1
ORDER BY c.calendar_id
"""
CLAIM = """
UPDATE calendars AS c SET lease_until = $2, attempted_at = $1
WHERE c.calendar_id IN (
    SELECT calendar_id FROM calendars
    WHERE next_fetch_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
    ORDER BY next_fetch_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING c.calendar_id, c.url, c.etag, c.last_modified, c.zone, c.parsed_at, c.lease_until,
    (SELECT a.zone FROM availability AS a WHERE a.mentor_id = c.mentor_id) AS home_zone
"""
NOTE_READING = """
UPDATE calendars SET
    etag = $3, last_modified = $4, zone = $5, refresh_seconds = $6, parsed_at = $7,
    fetched_at = $7, next_fetch_at = $8, failure = NULL, failing_since = NULL, failures = 0,
    lease_until = NULL
WHERE calendar_id = $1 AND lease_until = $2
RETURNING mentor_id
"""
NOTE_UNCHANGED = """
UPDATE calendars SET
    fetched_at = $3, next_fetch_at = $4::timestamptz + make_interval(secs => refresh_seconds),
    failure = NULL, failing_since = NULL, failures = 0, lease_until = NULL
WHERE calendar_id = $1 AND lease_until = $2
"""
LOCK_FAILURES = """
SELECT failures FROM calendars WHERE calendar_id = $1 AND lease_until = $2 FOR UPDATE
"""
NOTE_FAILURE = """
UPDATE calendars SET
    failure = $2, failing_since = COALESCE(failing_since, $3), failures = $4, next_fetch_at = $5,
    lease_until = NULL
WHERE calendar_id = $1
"""
READ_BUSY = """
SELECT starts_at, ends_at FROM calendar_busy WHERE calendar_id = $1 ORDER BY starts_at
"""
DELETE_BUSY = "DELETE FROM calendar_busy WHERE calendar_id = $1"
INSERT_BUSY = """
INSERT INTO calendar_busy (calendar_id, starts_at, ends_at)
SELECT $1, busy.starts_at, busy.ends_at
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS busy (starts_at, ends_at)
"""


async def busy_times(conn: Connection, mentor_id: PersonId, during: Interval) -> list[Interval]:
    """Return when a mentor's calendars say busy, as of the last time each could be read."""
    rows = await conn.fetch(BUSY_TIMES, mentor_id, during.starts_at, during.ends_at)
    return [_interval(row) for row in rows]


async def insert_calendar(
    conn: Connection, calendar_id: CalendarId, mentor_id: PersonId, name: str, url: str,
    now: SystemInstant,
) -> bool:  # fmt: skip
    """Keep a calendar that is read at once; return whether its address was new to the mentor."""
    return bool(await conn.fetchval(INSERT_CALENDAR, calendar_id, mentor_id, name, url, now))


async def delete_calendar(conn: Connection, calendar_id: CalendarId, mentor_id: PersonId) -> bool:
    """Forget a mentor's calendar and its busy times; return whether there was one."""
    return bool(await conn.fetchval(DELETE_CALENDAR, calendar_id, mentor_id))


async def fetch_soon(
    conn: Connection,
    mentor_id: PersonId,
    calendar_id: CalendarId | None = None,
    *,
    now: SystemInstant,
) -> None:
    """Let a mentor's calendar, or all of them, be read as soon as the server may be asked again."""
    await conn.execute(FETCH_SOON, mentor_id, calendar_id, now, ASK_AGAIN_AFTER)


async def list_calendars(conn: Connection, mentor_id: PersonId) -> list[Calendar]:
    """Return a mentor's calendars in the order they were added."""
    return [_calendar(row) for row in await conn.fetch(LIST_CALENDARS, mentor_id)]


async def claim(
    conn: Connection, now: SystemInstant, until: SystemInstant, window: Interval, limit: int
) -> list[Errand]:
    """Return calendars that are to be read, which nobody else reads until then."""
    return [_errand(row, window) for row in await conn.fetch(CLAIM, now, until, limit)]


async def note_reading(
    conn: Connection, errand: Errand, marks: Marks, refresh: timedelta, *, read_at: BusinessInstant,
    now: SystemInstant,
) -> PersonId | None:  # fmt: skip
    """Note that a calendar was read; return whose it is, or nothing if the errand was lost."""
    mentor_id = await conn.fetchval(
        NOTE_READING, errand.calendar_id, errand.lease_until, marks.etag, marks.last_modified,
        errand.zone, int(refresh.total_seconds()), read_at, now + refresh,
    )  # fmt: skip
    return PersonId(mentor_id) if mentor_id else None


async def note_unchanged(
    conn: Connection, errand: Errand, *, read_at: BusinessInstant, now: SystemInstant
) -> None:
    """Note that a calendar is as it was."""
    await conn.execute(NOTE_UNCHANGED, errand.calendar_id, errand.lease_until, read_at, now)


async def lock_failures(conn: Connection, errand: Errand) -> int | None:
    """Return how often in a row a calendar failed; nothing if the errand was lost."""
    return await conn.fetchval(LOCK_FAILURES, errand.calendar_id, errand.lease_until)


async def note_failure(
    conn: Connection, errand: Errand, failure: Failure, failures: int, *, since: BusinessInstant,
    next_fetch_at: datetime,
) -> None:  # fmt: skip
    """Note why a calendar could not be read; its busy times stay as they are."""
    await conn.execute(
        NOTE_FAILURE, errand.calendar_id, failure.value, since, failures, next_fetch_at
    )


async def replace_busy(conn: Connection, calendar_id: CalendarId, busy: Sequence[Interval]) -> bool:
    """Keep a calendar's busy times; return whether they differ from what was kept."""
    rows = await conn.fetch(READ_BUSY, calendar_id)
    if [_interval(row) for row in rows] == list(busy):
        return False
    await conn.execute(DELETE_BUSY, calendar_id)
    starts, ends = [each.starts_at for each in busy], [each.ends_at for each in busy]
    await conn.execute(INSERT_BUSY, calendar_id, starts, ends)
    return True


def _interval(row: asyncpg.Record) -> Interval:
    return Interval(row["starts_at"], row["ends_at"])


def _calendar(row: asyncpg.Record) -> Calendar:
    return Calendar(
        calendar_id=CalendarId(row["calendar_id"]),
        mentor_id=PersonId(row["mentor_id"]),
        name=row["name"],
        url=row["url"],
        fetched_at=row["fetched_at"],
        failure=Failure(row["failure"]) if row["failure"] else None,
        failing_since=row["failing_since"],
        busy_count=row["busy_count"],
    )


def _errand(row: asyncpg.Record, window: Interval) -> Errand:
    zone = row["home_zone"] or NO_ZONE
    parsed_at = row["parsed_at"]
    # What was read on other clocks, or too long ago for the end of the window, is read anew.
    lasts = row["zone"] == zone and window.starts_at - parsed_at < READ_AGAIN_AFTER
    return Errand(
        calendar_id=CalendarId(row["calendar_id"]),
        url=row["url"],
        marks=Marks(row["etag"], row["last_modified"]) if lasts else Marks(),
        zone=zone,
        window=window,
        lease_until=row["lease_until"],
    )
