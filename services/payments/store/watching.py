"""SQL for what operators look at: calls to Stripe, its notices, and whether it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.payments.domain.calls import REQUESTS
from shared.clock import system_now
from shared.db import Connection

LINE_FORGOTTEN_AFTER = timedelta(minutes=1)
"""A worker says every few seconds how it finds Stripe; one that is silent for so long is gone."""

OPERATIONS = """
SELECT operation_id, kind, subject, state, attempts, planned_at, first_sent_at, outcome
FROM operations
WHERE state = ANY($1::text[]) AND ($2::text IS NULL OR kind = $2)
  AND ($3::timestamptz IS NULL OR planned_at <= $3) AND ($4::uuid IS NULL OR operation_id < $4)
ORDER BY operation_id DESC LIMIT $5
"""
OPERATION = """
SELECT operation_id, kind, subject, state, attempts, planned_at, first_sent_at, outcome,
    (SELECT s.order_id FROM order_subjects AS s WHERE s.subject = o.subject LIMIT 1) AS order_id,
    parameters, idempotency_key, generation, next_try_at, ended_at, look_only
FROM operations AS o
WHERE operation_id = $1
"""
OPEN_CALLS = """
SELECT kind, state, count(*) AS calls, min(planned_at) AS oldest_at, max(attempts) AS most_attempts
FROM operations
WHERE state IN ('planned', 'sent', 'undetermined')
GROUP BY kind, state ORDER BY state DESC, kind
"""
LINES = "SELECT state, failures, since FROM stripe_lines WHERE told_at > $1 ORDER BY since"
TELL_LINE = """
INSERT INTO stripe_lines (caller_id, state, failures, since, told_at) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (caller_id) DO UPDATE SET
    state = excluded.state, failures = excluded.failures, told_at = excluded.told_at,
    since = CASE WHEN stripe_lines.state = excluded.state THEN stripe_lines.since
                 ELSE excluded.since END
"""
FORGET_LINES = "DELETE FROM stripe_lines WHERE told_at < $1"
WEBHOOKS = """
SELECT w.event_id, w.type, w.account_id, w.object_id, w.subject, w.created_at, w.received_at,
    w.state, w.attempts, w.operation_id, o.kind AS call, o.state AS call_state,
    (SELECT s.order_id FROM order_subjects AS s WHERE s.subject = w.subject LIMIT 1) AS order_id
FROM webhooks AS w LEFT JOIN operations AS o ON o.operation_id = w.operation_id
WHERE ($1::text IS NULL OR w.state = $1) AND ($2::text IS NULL OR w.type = $2)
  AND ($3::timestamptz IS NULL OR w.received_at <= $3)
  AND ($4::timestamptz IS NULL OR (w.received_at, w.event_id) < ($4, $5))
ORDER BY w.received_at DESC, w.event_id DESC LIMIT $6
"""
WEBHOOKS_BY_STATE = """
SELECT state, count(*) AS notices, min(received_at) AS oldest_at FROM webhooks
WHERE state IN ('waiting', 'unmatched')
GROUP BY state ORDER BY state
"""
EVENT_SOURCES = """
SELECT count(*) AS sources, min(COALESCE(read_at, read_until)) AS read_until FROM event_reads
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class ListedOperation:
    """One row as operators see it."""

    operation_id: UUID
    kind: str
    subject: str
    state: str
    attempts: int
    planned_at: datetime
    first_sent_at: datetime | None
    outcome: dict[str, Any] | None


@dataclass(frozen=True)
class WatchedOperation(ListedOperation):
    """A call with everything that is known of it; `next_try_at` is system time."""

    order_id: UUID | None
    parameters: dict[str, Any]
    idempotency_key: str
    generation: int
    next_try_at: datetime
    ended_at: datetime | None
    look_only: bool

    @property
    def takes_effect(self) -> bool:
        """Whether there is an effect to look for."""
        return REQUESTS[self.kind].effect_once


@dataclass(frozen=True)
class WatchedWebhook:
    """A notice and the call it led to; `received_at` is system time."""

    event_id: str
    type: str
    account_id: str | None
    object_id: str
    subject: str | None
    created_at: datetime
    received_at: datetime
    state: str
    attempts: int
    operation_id: UUID | None
    call: str | None
    call_state: str | None
    order_id: UUID | None


async def list_operations(
    conn: Connection,
    states: Sequence[str],
    kind: str | None,
    planned_before: datetime | None,
    before: UUID | None,
    limit: int,
) -> list[ListedOperation]:
    """Return a page of calls, newest first."""
    rows = await conn.fetch(OPERATIONS, list(states), kind, planned_before, before, limit)
    return [ListedOperation(**dict(row)) for row in rows]


async def load_operation(conn: Connection, operation_id: UUID) -> WatchedOperation | None:
    """Return everything about one call."""
    row = await conn.fetchrow(OPERATION, operation_id)
    return WatchedOperation(**dict(row)) if row else None


async def open_calls(conn: Connection) -> list[Row]:
    """Return how many calls have not ended, by kind and state, with the oldest of each."""
    return [dict(row) for row in await conn.fetch(OPEN_CALLS)]


async def lines(conn: Connection) -> list[Row]:
    """Return how each worker finds Stripe."""
    rows = await conn.fetch(LINES, system_now() - LINE_FORGOTTEN_AFTER)
    return [dict(row) for row in rows]


async def tell_line(conn: Connection, caller_id: UUID, state: str, failures: int) -> None:
    """Say how a worker finds Stripe, and forget the workers that are gone."""
    now = system_now()
    await conn.execute(TELL_LINE, caller_id, state, failures, now)
    await conn.execute(FORGET_LINES, now - LINE_FORGOTTEN_AFTER)


async def list_webhooks(
    conn: Connection,
    state: str | None,
    kind: str | None,
    received_before: datetime | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[WatchedWebhook]:
    """Return a page of notices, the newest first, with what each led to."""
    at, event_id = before or (None, None)
    rows = await conn.fetch(WEBHOOKS, state, kind, received_before, at, event_id, limit)
    return [WatchedWebhook(**dict(row)) for row in rows]


async def webhooks_by_state(conn: Connection) -> list[Row]:
    """Return how many notices wait or match nothing, with the oldest of each."""
    return [dict(row) for row in await conn.fetch(WEBHOOKS_BY_STATE)]


async def event_sources(conn: Connection) -> Row:
    """Return how many event lists are read, and until when the one that is furthest behind is."""
    row = await conn.fetchrow(EVENT_SOURCES)
    return dict(row) if row else {}
