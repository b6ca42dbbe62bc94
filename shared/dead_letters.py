"""Dead letters: events a service could not handle, and what an operator does with them.

The head of a key is parked; later events of the key wait behind it. A *replay* hands the head back
to the service's worker with its tries forgotten; a *discard* gives the event up: it is marked as
handled, so that no copy of it takes effect later, and what waited behind it goes on. Both are
deeds (`shared.deeds`) and logged with them. Sealed content and secrets are never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from shared.clock import BusinessInstant
from shared.contracts.topics import facts_by_type
from shared.db import Connection
from shared.deeds import Deed, Details
from shared.errors import NotFound
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
WHERE state = 'parked' AND event_id = $1
FOR UPDATE
"""
READY = """
UPDATE kept_events SET state = 'ready', attempts = 0, waits_for = NULL, next_try_at = now()
WHERE event_id = $1
"""
GIVE_UP = "DELETE FROM kept_events WHERE event_id = $1"
CLAIM = "INSERT INTO inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING"
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


async def dead_letters(conn: Connection, *, every_state: bool = False) -> list[DeadLetter]:
    """Return the parked events, oldest first; with `every_state` all that is kept."""
    states = EVERY_STATE if every_state else PARKED
    return [_letter(row) for row in await conn.fetch(KEPT, states, None, LISTED_AT_MOST)]


async def dead_letter(conn: Connection, event_id: UUID) -> DeadLetter:
    """Return one kept event; raises `NotFound` when there is none."""
    row = await conn.fetchrow(KEPT, EVERY_STATE, event_id, 1)
    if row is None:
        raise NotFound
    return _letter(row)


async def replay(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Hand the parked event that the deed is about back to the worker; raises `NotFound`."""
    del now
    row = await _parked(conn, deed)
    await conn.execute(READY, row["event_id"])
    return _said_of(row)


async def discard(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Give the parked event that the deed is about up for ever; raises `NotFound`."""
    del now
    row = await _parked(conn, deed)
    await conn.execute(GIVE_UP, row["event_id"])
    await conn.execute(CLAIM, row["event_id"])
    return _said_of(row)


async def _parked(conn: Connection, deed: Deed) -> asyncpg.Record:
    row = await conn.fetchrow(PARKED_FOR_UPDATE, UUID(deed.subject))
    if row is None:
        raise NotFound
    return row


def _said_of(row: asyncpg.Record) -> Details:
    kind = dict(row["headers"]).get("ce_type")
    return {"topic": row["topic"], "key": row["key"], "type": kind, "error": row["error"]}


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
