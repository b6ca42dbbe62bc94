"""SQL for what Stripe tells us, and for how far its event lists were read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.payments.domain.requests import PLATFORM, ReadEvents
from services.payments.domain.seen import EventSeen
from shared.clock import system_now
from shared.db import Connection

INSERT_WEBHOOK = """
INSERT INTO webhooks (event_id, type, account_id, object_id, subject, created_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (event_id) DO NOTHING RETURNING event_id
"""
NEXT_WEBHOOK = """
SELECT event_id, type, account_id, object_id, subject, created_at, attempts, first_tried_at
FROM webhooks WHERE state = 'waiting' AND next_try_at <= $1
ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
END_WEBHOOK = """
UPDATE webhooks SET state = $2, attempts = attempts + 1, operation_id = $3 WHERE event_id = $1
"""
POSTPONE_WEBHOOK = """
UPDATE webhooks SET attempts = attempts + 1, next_try_at = $2,
    first_tried_at = COALESCE(first_tried_at, $3)
WHERE event_id = $1
"""
WAIT_AGAIN = """
UPDATE webhooks SET state = 'waiting', next_try_at = $2, received_at = $2,
    first_tried_at = NULL
WHERE event_id = $1 AND state = 'unmatched' RETURNING event_id
"""
# Whoever obeys one of them at this moment is waited for, and has then seen too little.
WAKE = """
UPDATE webhooks SET state = 'waiting', next_try_at = $2, first_tried_at = NULL,
    received_at = CASE WHEN state = 'unmatched' THEN $2 ELSE received_at END
WHERE subject = ANY($1::text[]) AND state IN ('waiting', 'unmatched')
RETURNING event_id
"""
ADD_EVENT_SOURCE = """
INSERT INTO event_reads (source, account_id, read_until, next_read_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (source) DO NOTHING
"""
NEXT_EVENT_SOURCE = """
SELECT source, account_id, read_until, COALESCE(read_at, read_until) AS read_at
FROM event_reads WHERE next_read_at <= $1
ORDER BY next_read_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
PLAN_NEXT_READ = "UPDATE event_reads SET next_read_at = $2 WHERE source = $1"
NOTE_READ = """
UPDATE event_reads SET read_until = GREATEST(read_until, $2), read_at = $3 WHERE source = $1
"""
FORGET_SOURCE = "DELETE FROM event_reads WHERE source = $1"
READ_NOW = "UPDATE event_reads SET next_read_at = LEAST(next_read_at, $1)"


@dataclass(frozen=True)
class EventSource:
    """An event list that is to be read, and when it last was (business time)."""

    request: ReadEvents
    read_at: datetime


@dataclass(frozen=True)
class Notice:
    """A stored webhook whose turn it is; `first_tried_at` is when it was first tried in vain."""

    event: EventSeen
    attempts: int
    first_tried_at: datetime | None


async def add_webhook(conn: Connection, event: EventSeen, state: str) -> bool:
    """Store what Stripe told us, once per event; return whether it is new."""
    new = await conn.fetchval(
        INSERT_WEBHOOK,
        event.event_id,
        event.type,
        event.account_id,
        event.object_id,
        event.subject,
        event.created_at,
        state,
    )
    return new is not None


async def next_webhook(conn: Connection) -> Notice | None:
    """Return and lock the stored webhook whose turn it is."""
    row = await conn.fetchrow(NEXT_WEBHOOK, system_now())
    if row is None:
        return None
    fields = dict(row)
    attempts, first_tried_at = fields.pop("attempts"), fields.pop("first_tried_at")
    return Notice(EventSeen.model_validate(fields), attempts, first_tried_at)


async def end_webhook(
    conn: Connection, event_id: str, state: str, operation_id: UUID | None = None
) -> None:
    """Mark a webhook as obeyed, by which call, or as ignored or unmatched."""
    await conn.execute(END_WEBHOOK, event_id, state, operation_id)


async def wait_again(conn: Connection, event_id: str) -> bool:
    """Have a webhook that matched nothing obeyed anew; return whether it is such a one."""
    return await conn.fetchval(WAIT_AGAIN, event_id, system_now()) is not None


async def wake(conn: Connection, subjects: Sequence[str]) -> bool:
    """Have webhooks about one of these obeyed now, also what matched nothing; return if any."""
    return bool(await conn.fetch(WAKE, subjects, system_now()))


async def postpone_webhook(conn: Connection, event_id: str, pause: timedelta) -> None:
    """Have a webhook tried again after a while of system time."""
    now = system_now()
    await conn.execute(POSTPONE_WEBHOOK, event_id, now + pause, now)


async def add_event_source(
    conn: Connection, account_id: str | None, since: datetime, first_read_at: datetime
) -> None:
    """Have an event list read from `since` on, unless it is read already."""
    source = account_id or PLATFORM
    await conn.execute(ADD_EVENT_SOURCE, source, account_id, since, first_read_at)


async def next_event_source(conn: Connection, now: datetime) -> EventSource | None:
    """Return and lock the event list that is to be read now."""
    row = await conn.fetchrow(NEXT_EVENT_SOURCE, now)
    if row is None:
        return None
    request = ReadEvents(account_id=row["account_id"], since=row["read_until"])
    return EventSource(request, row["read_at"])


async def plan_next_read(conn: Connection, source: str, at: datetime) -> None:
    """Say when an event list is to be read next."""
    await conn.execute(PLAN_NEXT_READ, source, at)


async def note_read(conn: Connection, source: str, until: datetime, now: datetime) -> None:
    """Remember how far an event list was read, and when."""
    await conn.execute(NOTE_READ, source, until, now)


async def forget_event_source(conn: Connection, source: str) -> None:
    """Read an event list no more."""
    await conn.execute(FORGET_SOURCE, source)


async def read_all_now(conn: Connection, now: datetime) -> int:
    """Have every event list read now; return how many there are."""
    done = await conn.execute(READ_NOW, now)
    return int(done.split()[-1])
