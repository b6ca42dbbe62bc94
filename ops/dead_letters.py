"""Dead letters: events a service could not handle, and what an operator does with them.

The head of a key is parked; later events of the key wait behind it. A *replay* hands the head back
to the service's worker with its tries forgotten; a *discard* gives the event up: it is marked as
handled, so that no copy of it takes effect later, and what waited behind it goes on. Both are
logged with a reason. Sealed content and secrets are never shown.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from ops.config import CannotOperate
from shared.contracts.topics import facts_by_type
from shared.db import Connection, open_pool, transaction
from shared.log import REDACTED, SECRET_FIELDS

KEPT = """
SELECT k.event_id, k.topic, k.key, k.headers, k.value, k.state, k.waits_for, k.error, k.attempts,
       k.kept_at,
       (SELECT count(*) FROM kept_events AS b
        WHERE b.topic = k.topic AND b.key = k.key AND b.seq > k.seq) AS behind
FROM kept_events AS k
WHERE k.state = ANY($1::text[]) AND ($2::uuid IS NULL OR k.event_id = $2)
ORDER BY k.seq
LIMIT $3
"""
PARKED_FOR_UPDATE = """
SELECT event_id, topic, key, headers, error FROM kept_events
WHERE state = 'parked' AND ($1::uuid IS NULL OR event_id = $1)
ORDER BY seq
FOR UPDATE
"""
READY = """
UPDATE kept_events SET state = 'ready', attempts = 0, waits_for = NULL, next_try_at = now()
WHERE event_id = $1
"""
GIVE_UP = "DELETE FROM kept_events WHERE event_id = $1"
CLAIM = "INSERT INTO inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING"
LOG = """
INSERT INTO dead_letter_log (event_id, topic, key, type, action, reason, error)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

LISTED_AT_MOST = 500
PARKED = ("parked",)
EVERY_STATE = ("parked", "deferred", "ready", "behind")


@dataclass(frozen=True)
class DeadLetter:
    """One kept event; `behind` is how many later events of its key wait for it."""

    event_id: UUID
    topic: str
    key: str
    type: str | None
    state: str
    waits_for: str | None
    error: str | None
    attempts: int
    kept_at: datetime
    behind: int
    headers: Mapping[str, str]
    data: object

    def summary(self) -> dict[str, object]:
        """Return what a list shows, ready for JSON."""
        return {
            "event_id": str(self.event_id),
            "topic": self.topic,
            "key": self.key,
            "type": self.type,
            "state": self.state,
            "waits_for": self.waits_for,
            "error": self.error,
            "attempts": self.attempts,
            "kept_at": self.kept_at.isoformat(),
            "behind": self.behind,
        }

    def whole(self) -> dict[str, object]:
        """Return everything that may be shown, ready for JSON."""
        return self.summary() | {"headers": dict(self.headers), "data": self.data}


@asynccontextmanager
async def service_database(url: str) -> AsyncGenerator[Connection]:
    """Lend a connection in a transaction; raises `CannotOperate` when the database is away."""
    try:
        async with (
            await open_pool(url, process="ops", largest=1) as pool,
            transaction(pool) as conn,
        ):
            yield conn
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise CannotOperate(f"database: {type(error).__name__} {error}") from error


async def dead_letters(conn: Connection, *, every_state: bool = False) -> list[DeadLetter]:
    """Return the parked events, oldest first; with `every_state` all that is kept."""
    states = EVERY_STATE if every_state else PARKED
    return [_letter(row) for row in await conn.fetch(KEPT, states, None, LISTED_AT_MOST)]


async def dead_letter(conn: Connection, event_id: UUID) -> DeadLetter:
    """Return one kept event; raises `CannotOperate` when there is none."""
    row = await conn.fetchrow(KEPT, EVERY_STATE, event_id, 1)
    if row is None:
        raise CannotOperate(f"no event {event_id} is kept here")
    return _letter(row)


async def replay(conn: Connection, event_id: UUID | None, reason: str) -> list[UUID]:
    """Hand one parked event, or all, back to the worker; raises `CannotOperate` for a wrong id."""
    rows = await _parked(conn, event_id)
    for row in rows:
        await conn.execute(READY, row["event_id"])
        await _log(conn, row, "replayed", reason)
    return [row["event_id"] for row in rows]


async def discard(conn: Connection, event_id: UUID, reason: str) -> None:
    """Give one parked event up for ever; raises `CannotOperate` for a wrong id."""
    (row,) = await _parked(conn, event_id)
    await conn.execute(GIVE_UP, event_id)
    await conn.execute(CLAIM, event_id)
    await _log(conn, row, "discarded", reason)


async def _parked(conn: Connection, event_id: UUID | None) -> list[asyncpg.Record]:
    rows = await conn.fetch(PARKED_FOR_UPDATE, event_id)
    if event_id and not rows:
        raise CannotOperate(f"no event {event_id} is parked here")
    return rows


async def _log(conn: Connection, row: asyncpg.Record, action: str, reason: str) -> None:
    kind = dict(row["headers"]).get("ce_type")
    await conn.execute(
        LOG, row["event_id"], row["topic"], row["key"], kind, action, reason, row["error"]
    )


def _letter(row: asyncpg.Record) -> DeadLetter:
    headers = cast("dict[str, str]", dict(row["headers"]))
    data = row["value"] if row["value"] is not None else headers.pop("data", "").encode()
    return DeadLetter(
        event_id=row["event_id"],
        topic=row["topic"],
        key=row["key"],
        type=headers.get("ce_type"),
        state=row["state"],
        waits_for=row["waits_for"],
        error=row["error"],
        attempts=row["attempts"],
        kept_at=row["kept_at"],
        behind=row["behind"],
        headers=headers,
        data=_showable(headers.get("ce_type"), data),
    )


def _showable(kind: str | None, data: bytes) -> object:
    """Return the event's data without secrets; a record that is none of ours may hold anything."""
    try:
        return _without_secrets(json.loads(data)) if kind in facts_by_type() else _measured(data)
    except ValueError:
        return _measured(data)


def _measured(data: bytes) -> str:
    return f"[{len(data)} bytes that are no fact of ours]"


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: REDACTED if key.lower() in SECRET_FIELDS else _without_secrets(part)
            for key, part in cast("dict[str, object]", value).items()
        }
    if isinstance(value, list):
        return [_without_secrets(part) for part in cast("list[object]", value)]
    return value
