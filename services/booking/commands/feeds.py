"""A person's private calendar feed: made, ended, and read by whoever has its secret."""

from __future__ import annotations

from datetime import datetime

from services.booking.domain.feeds import (
    CANCELLED_FOR,
    ENTRIES_AT_MOST,
    READ_NOTED_EVERY,
    calendar,
    hash_of,
    new_token,
    window_of,
)
from services.booking.store import feeds
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId, SessionId


async def make_feed(conn: Connection, person_id: PersonId, *, now: datetime) -> str:
    """Return a new secret for a person's feed; the one before it shows nothing any more."""
    token = new_token()
    await feeds.save_feed(conn, person_id, hash_of(token), now)
    return token


async def read_calendar(conn: Connection, token: str, *, web_url: str, now: datetime) -> str:
    """Return the calendar that a secret shows; raises `NotFound` when it shows none."""
    person_id = await feeds.owner_of(conn, hash_of(token))
    if person_id is None:
        raise NotFound
    await feeds.note_reading(conn, person_id, now, now - READ_NOTED_EVERY)
    found = await feeds.entries_of(
        conn,
        person_id,
        window_of(now),
        cancelled_since=now - CANCELLED_FOR,
        limit=ENTRIES_AT_MOST,
    )
    return calendar(reversed(found), web_url)


async def read_entry(
    conn: Connection, person_id: PersonId, session_id: SessionId, *, web_url: str
) -> str:
    """Return a calendar with one of a person's sessions; raises `NotFound`."""
    entry = await feeds.entry_of(conn, person_id, session_id)
    if entry is None:
        raise NotFound
    return calendar([entry], web_url)
