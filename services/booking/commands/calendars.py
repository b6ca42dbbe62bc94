"""What mentors do with calendars they keep elsewhere, and what becomes of reading these."""

from __future__ import annotations

from services.booking.domain.calendars import (
    CALENDARS_AT_MOST,
    HORIZON,
    LEASE,
    Calendar,
    CalendarId,
    CalendarKnown,
    Errand,
    Failure,
    Finding,
    TooManyCalendars,
    refresh_after,
    retry_after,
)
from services.booking.slots import Interval
from services.booking.store import calendars as store
from services.booking.store import people
from services.booking.store.openings import mark_openings
from shared.clock import BusinessInstant, SystemInstant
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId, new_id

BATCH = 8


async def add_calendar(
    conn: Connection, mentor_id: PersonId, name: str, url: str, *, now: SystemInstant
) -> Calendar:
    """Keep a calendar to be read at once; raises `TooManyCalendars` or `CalendarKnown`."""
    await people.take_turn(conn, mentor_id)
    if len(await store.list_calendars(conn, mentor_id)) >= CALENDARS_AT_MOST:
        raise TooManyCalendars
    calendar_id = CalendarId(new_id())
    if not await store.insert_calendar(conn, calendar_id, mentor_id, name, url, now):
        raise CalendarKnown
    return await _own(conn, calendar_id, mentor_id)


async def remove_calendar(conn: Connection, calendar_id: CalendarId, mentor_id: PersonId) -> None:
    """Forget a calendar of one's own and what it said; raises `NotFound`."""
    if not await store.delete_calendar(conn, calendar_id, mentor_id):
        raise NotFound
    await mark_openings(conn, mentor_id)


async def refresh_calendar(
    conn: Connection, calendar_id: CalendarId, mentor_id: PersonId, *, now: SystemInstant
) -> Calendar:
    """Let a calendar of one's own be read soon; raises `NotFound`."""
    await store.fetch_soon(conn, mentor_id, calendar_id, now=now)
    return await _own(conn, calendar_id, mentor_id)


async def claim_calendars(
    conn: Connection, *, today: BusinessInstant, now: SystemInstant
) -> list[Errand]:
    """Take the calendars that are to be read now; `today` is where their window begins."""
    window = Interval(today, today + HORIZON)
    return await store.claim(conn, now, SystemInstant(now + LEASE), window, BATCH)


async def record(
    conn: Connection,
    errand: Errand,
    found: Finding | Failure | None,
    *,
    read_at: BusinessInstant,
    now: SystemInstant,
) -> None:
    """Keep what came of an errand, nothing meaning that the calendar says what it said.

    What was removed meanwhile, or claimed by somebody else after the lease, is left alone.
    """
    match found:
        case Finding():
            await _record_finding(conn, errand, found, read_at=read_at, now=now)
        case Failure():
            await _record_failure(conn, errand, found, read_at=read_at, now=now)
        case None:
            await store.note_unchanged(conn, errand, read_at=read_at, now=now)


async def _record_finding(
    conn: Connection, errand: Errand, found: Finding, *, read_at: BusinessInstant,
    now: SystemInstant,
) -> None:  # fmt: skip
    refresh = refresh_after(found.reading.refresh)
    mentor_id = await store.note_reading(
        conn, errand, found.marks, refresh, read_at=read_at, now=now
    )
    if mentor_id and await store.replace_busy(conn, errand.calendar_id, found.reading.busy):
        await mark_openings(conn, mentor_id)


async def _record_failure(
    conn: Connection, errand: Errand, failure: Failure, *, read_at: BusinessInstant,
    now: SystemInstant,
) -> None:  # fmt: skip
    """Note why and when to try again; the busy times of the last reading stay."""
    failures = await store.lock_failures(conn, errand)
    if failures is not None:
        again = now + retry_after(failures + 1)
        await store.note_failure(
            conn, errand, failure, failures + 1, since=read_at, next_fetch_at=again
        )


async def _own(conn: Connection, calendar_id: CalendarId, mentor_id: PersonId) -> Calendar:
    for calendar in await store.list_calendars(conn, mentor_id):
        if calendar.calendar_id == calendar_id:
            return calendar
    raise NotFound
