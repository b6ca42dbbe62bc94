"""SQL for calls to Stripe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.calls import REQUESTS
from services.payments.domain.operations import Operation, key_of, pause_before
from services.payments.domain.requests import Request
from shared.clock import system_now
from shared.db import Connection
from shared.ids import new_id
from shared.telemetry import current_traceparent

LEASE = timedelta(seconds=30)
"""How long a worker has an operation for itself: longer than a call may take."""

INSERT_OPERATION = """
INSERT INTO operations (operation_id, kind, subject, generation, idempotency_key, parameters,
    state, planned_at, next_try_at, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7, $8, $9)
ON CONFLICT DO NOTHING RETURNING operation_id
"""
TAKE = """
UPDATE operations SET state = 'sent', attempts = attempts + 1,
    first_sent_at = COALESCE(first_sent_at, $1), lease_until = $2::timestamptz + $3::interval
WHERE operation_id = (
    SELECT operation_id FROM operations
    WHERE state IN ('planned', 'sent') AND next_try_at <= $2
      AND (lease_until IS NULL OR lease_until < $2)
    ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING operation_id, kind, generation, idempotency_key, parameters, attempts, planned_at,
    first_sent_at, look_first, look_only, traceparent
"""
LOCK_TAKEN = """
SELECT operation_id FROM operations
WHERE operation_id = $1 AND attempts = $2 AND state = 'sent' FOR UPDATE
"""
FINISH = """
UPDATE operations SET state = $2, outcome = $3, ended_at = $4, lease_until = NULL,
    look_only = false
WHERE operation_id = $1
"""
POSTPONE = """
UPDATE operations SET next_try_at = $2, lease_until = NULL, outcome = $3, generation = $4,
    idempotency_key = $5, look_first = $6
WHERE operation_id = $1
"""
AHEAD = """
SELECT operation_id FROM operations
WHERE kind = $1 AND subject = $2
  AND (state = 'undetermined' OR (state = 'planned' AND attempts = 0))
"""
HAS_OPEN = """
SELECT EXISTS (
    SELECT 1 FROM operations
    WHERE subject = $1 AND state IN ('planned', 'sent', 'undetermined')
)
"""
MAY_TELL = """
SELECT EXISTS (
    SELECT 1 FROM operations
    WHERE state IN ('planned', 'sent')
      AND (subject = $1 OR (kind = ANY($2::text[]) AND (outcome IS NOT NULL OR next_try_at < $3)))
)
"""
HIGHEST_GENERATION = "SELECT max(generation) FROM operations WHERE kind = $1 AND subject = $2"
LOCK_OPEN = """
SELECT kind, subject, state FROM operations
WHERE operation_id = $1 AND state IN ('planned', 'sent', 'undetermined') FOR UPDATE
"""
TRY_NOW = "UPDATE operations SET next_try_at = $2 WHERE operation_id = $1"
TAKE_UP_AGAIN = """
UPDATE operations SET state = 'sent', look_first = true, generation = $2, idempotency_key = $3,
    next_try_at = $4, lease_until = NULL, look_only = false
WHERE operation_id = $1
"""
LOOK_FOR = """
UPDATE operations SET state = 'sent', look_only = true, next_try_at = $2, lease_until = NULL
WHERE operation_id = $1 AND state = 'undetermined' AND kind = ANY($3::text[])
RETURNING subject
"""


async def add_operation(conn: Connection, request: Request, now: datetime) -> bool:
    """Write a call down, unless one of its kind is open for the subject; return whether new."""
    generation = 1 + await _count(conn, request)
    pause = timedelta(seconds=pause_before(request, generation))
    added = await conn.fetchval(
        INSERT_OPERATION,
        new_id(),
        request.kind,
        request.subject,
        generation,
        key_of(request.kind, request.subject, generation),
        request.model_dump(mode="json"),
        now,
        system_now() + pause,
        current_traceparent(),
    )
    return added is not None


async def _count(conn: Connection, request: Request) -> int:
    highest = await conn.fetchval(HIGHEST_GENERATION, request.kind, request.subject)
    return int(highest or 0)


async def ahead(conn: Connection, request: Request) -> UUID | None:
    """Return such a call that is certain to be made from now on.

    It is written down and not made yet, or waits for an operator who has it made again.
    """
    return await conn.fetchval(AHEAD, request.kind, request.subject)


async def take_operation(conn: Connection, now: datetime) -> Operation | None:
    """Take the operation whose turn it is, and mark it as sent."""
    row = await conn.fetchrow(TAKE, now, system_now(), LEASE)
    return _operation(row) if row else None


async def still_ours(conn: Connection, operation: Operation) -> bool:
    """Lock a taken operation; return whether nobody else took it since."""
    found = await conn.fetchval(LOCK_TAKEN, operation.operation_id, operation.attempts)
    return found is not None


async def finish_operation(
    conn: Connection, operation_id: UUID, state: str, outcome: dict[str, Any], now: datetime
) -> None:
    """Store how an operation ended."""
    await conn.execute(FINISH, operation_id, state, outcome, now)


async def postpone_operation(
    conn: Connection, operation: Operation, pause: timedelta, because: str, *, fresh_key: bool
) -> None:
    """Have an operation tried again later, with the same key unless that one is spent."""
    generation = operation.generation
    if fresh_key:
        generation = 1 + await _count(conn, operation.request)
    key = key_of(operation.request.kind, operation.request.subject, generation)
    await conn.execute(
        POSTPONE,
        operation.operation_id,
        system_now() + pause,
        {"because": because},
        generation,
        key,
        operation.look_first or fresh_key,
    )


async def has_open(conn: Connection, subject: str) -> bool:
    """Return whether a call about the subject has not ended."""
    return bool(await conn.fetchval(HAS_OPEN, subject))


async def may_tell(
    conn: Connection, subject: str, kinds: Sequence[str], due_before: datetime
) -> bool:
    """Return whether Stripe still has to answer a call about the subject, or a held up one.

    Held up is a call of these kinds that was tried in vain, or was due already at that time.
    """
    return bool(await conn.fetchval(MAY_TELL, subject, kinds, due_before))


async def try_again_now(conn: Connection, operation_id: UUID) -> str | None:
    """Have an open operation tried now; return its subject, or None when it is not open.

    An undetermined one is looked for and, if absent, sent with a fresh key; one that is being
    made keeps its lease.
    """
    row = await conn.fetchrow(LOCK_OPEN, operation_id)
    if row is None:
        return None
    subject: str = row["subject"]
    if row["state"] != "undetermined":
        await conn.execute(TRY_NOW, operation_id, system_now())
        return subject
    highest = await conn.fetchval(HIGHEST_GENERATION, row["kind"], row["subject"])
    key = key_of(row["kind"], row["subject"], highest + 1)
    await conn.execute(TAKE_UP_AGAIN, operation_id, highest + 1, key, system_now())
    return subject


async def look_for(conn: Connection, operation_id: UUID) -> str | None:
    """Have the effect of an undetermined call looked for; return its subject, or None."""
    kinds = [kind for kind, request in REQUESTS.items() if request.effect_once]
    return await conn.fetchval(LOOK_FOR, operation_id, system_now(), kinds)


def _operation(row: asyncpg.Record) -> Operation:
    return Operation(
        operation_id=row["operation_id"],
        request=REQUESTS[row["kind"]].model_validate(row["parameters"]),
        key=row["idempotency_key"],
        generation=row["generation"],
        attempts=row["attempts"],
        planned_at=row["planned_at"],
        first_sent_at=row["first_sent_at"],
        look_first=row["look_first"],
        look_only=row["look_only"],
        cause=row["traceparent"],
    )
