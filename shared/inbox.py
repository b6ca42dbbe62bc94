"""The inbox: each event takes effect once per service, in order per key, and poison stops nobody.

An event is claimed by its id in the transaction of its effect. What cannot be handled now is kept
in `kept_events` and everything later of the same topic and key queues up behind it:

- *deferred*: the handler raised `Missing`; tried again when `arrived` names the prerequisite, and
  with growing pauses in case that word was missed;
- *parked*: the handler failed `TRIES_BEFORE_PARKING` times for no transient reason; it waits for an
  operator's replay or discard (`ops dlq`);
- *behind*: an earlier event of the key is kept.

A transient error is not handled here: it reaches the bus, which pauses the partition and tries
again for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from shared.clock import BusinessClock, BusinessInstant, system_now
from shared.contracts.envelope import (
    TRACE_HEADER,
    Event,
    EventInvalid,
    Fact,
    Headers,
    open_envelope,
)
from shared.contracts.topics import facts_by_type
from shared.db import Connection, Pool, in_transaction
from shared.errors import Missing, is_transient
from shared.ids import EventId, new_id
from shared.log import logger, way_of
from shared.telemetry import EVENTS_HANDLED, HANDLING_SECONDS, SpanKind, Work, traced

TRIES_BEFORE_PARKING = 3
TAKE_UP_BATCH = 100
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
ERROR_TEXT_LIMIT = 500
KEY_LONGEST = 200
"""Characters of a key that count here; our own are ids, and an index takes no longer ones."""
KEEP_CLAIMS = timedelta(days=90)
"""Topics keep facts 30 days; a dead letter may be replayed for 60 more."""
PRUNE_BATCH = 5_000

CLAIM = "INSERT INTO inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING event_id"
CLAIM_IN_TURN = """
WITH known AS (
    SELECT EXISTS (SELECT 1 FROM inbox WHERE event_id = $1)
        OR EXISTS (SELECT 1 FROM kept_events WHERE event_id = $1) AS itself,
        EXISTS (SELECT 1 FROM kept_events WHERE topic = $2 AND key = $3) AS earlier
),
claimed AS (
    INSERT INTO inbox (event_id)
    SELECT $1 FROM known WHERE NOT known.itself AND NOT known.earlier
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM claimed) THEN 'claimed'
    WHEN known.earlier AND NOT known.itself THEN 'behind'
    ELSE 'duplicate'
END
FROM known
"""
KEEP = """
INSERT INTO kept_events (event_id, topic, key, headers, value, state, waits_for, error, attempts,
                         next_try_at)
SELECT $1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10
WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE event_id = $1)
ON CONFLICT (event_id) DO NOTHING
"""
ARRIVED = """
UPDATE kept_events SET state = 'ready', next_try_at = now()
WHERE waits_for = $1 AND state = 'deferred'
"""
NEXT_READY = """
SELECT k.seq, k.event_id, k.topic, k.key, k.headers, k.value, k.attempts
FROM kept_events AS k
WHERE k.state IN ('behind', 'deferred', 'ready') AND k.next_try_at <= now()
  AND NOT EXISTS (
      SELECT 1 FROM kept_events AS e WHERE e.topic = k.topic AND e.key = k.key AND e.seq < k.seq
  )
ORDER BY k.seq
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
FORGET_KEPT = "DELETE FROM kept_events WHERE seq = $1"
KEEP_AGAIN = """
UPDATE kept_events
SET state = $2, waits_for = $3, error = $4, attempts = $5, next_try_at = $6
WHERE seq = $1
"""
PRUNE = """
DELETE FROM inbox WHERE event_id IN (
    SELECT event_id FROM inbox WHERE handled_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""

_log = logger("inbox")
FactT = TypeVar("FactT", bound=Fact)


@dataclass(frozen=True)
class Heard(Generic[FactT]):
    """A fact as a handler gets it: what happened, its envelope, and the present instant."""

    fact: FactT
    event_id: EventId
    happened_at: datetime
    now: BusinessInstant


Handler = Callable[[Connection, Heard[FactT]], Awaitable[None]]


@dataclass
class Ears:
    """Which facts a service obeys; `on` adds a handler for one kind."""

    _handlers: dict[str, tuple[type[Fact], Handler[Fact]]] = field(default_factory=dict)

    def on(self, kind: type[FactT]) -> Callable[[Handler[FactT]], Handler[FactT]]:
        """Return a decorator that makes a function the one handler of a kind of fact."""

        def add(handler: Handler[FactT]) -> Handler[FactT]:
            if kind.type_name() in self._handlers:
                raise ValueError(f"{kind.type_name()} has a handler already")

            async def call(conn: Connection, heard: Heard[Fact]) -> None:
                if isinstance(heard.fact, kind):
                    await handler(
                        conn, Heard(heard.fact, heard.event_id, heard.happened_at, heard.now)
                    )

            self._handlers[kind.type_name()] = (kind, call)
            return handler

        return add

    def find(self, type_name: str) -> tuple[type[Fact], Handler[Fact]] | None:
        """Return the kind and the handler for a CloudEvents type, if this service obeys it."""
        return self._handlers.get(type_name)


@dataclass(frozen=True)
class Arrival:
    """A Kafka record as it came; the topic is without the prefix, the key as it can be kept."""

    topic: str
    key: str
    headers: Headers
    value: bytes | None

    @classmethod
    def of(cls, topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> Arrival:
        """Return a record whose key anybody may have written, so that it can be kept at least."""
        return cls(topic, _storable(key or b"")[:KEY_LONGEST], headers, value)

    def event_id(self) -> UUID:
        """Return the event's id, or a new one for a record that has none."""
        try:
            return UUID(dict(self.headers)["ce_id"].decode())
        except (KeyError, ValueError):
            return new_id()

    def handling(self) -> AbstractContextManager[Work]:
        """Continue the trace of what caused the event, for the time it is handled."""
        cause = dict(self.headers).get(TRACE_HEADER, b"").decode(errors="replace")
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": self.topic,
        }
        return traced(cause, f"process {self.topic}", SpanKind.CONSUMER, attributes)


async def arrived(conn: Connection, what: str) -> None:
    """Say, in the transaction that creates it, that the prerequisite `what` is there now."""
    await conn.execute(ARRIVED, what)


class Inbox:
    """Handles arrivals of one service, each exactly once."""

    def __init__(self, pool: Pool, ears: Ears, clock: BusinessClock) -> None:
        self._pool = pool
        self._ears = ears
        self._clock = clock

    async def receive(self, arrival: Arrival) -> str:
        """Handle one record from Kafka, or keep it; return what became of it.

        Raises only transient errors: nothing took effect, and the record comes again.
        """
        with HANDLING_SECONDS.labels(arrival.topic).time(), arrival.handling() as work:
            outcome = await self._receive(arrival)
            work.note("mentorium.outcome", outcome)
        EVENTS_HANDLED.labels(arrival.topic, outcome).inc()
        return outcome

    async def _receive(self, arrival: Arrival) -> str:
        error: Exception | None = None
        for _ in range(TRIES_BEFORE_PARKING):
            try:
                return await in_transaction(self._pool, lambda conn: self._take(conn, arrival))
            except Missing as missing:
                return await self._keep_aside(arrival, "deferred", missing)
            except Exception as failure:
                if is_transient(failure):
                    raise
                error = failure
        assert error is not None  # noqa: S101  The loop ran, so there is one.
        return await self._keep_aside(arrival, "parked", error)

    async def _take(self, conn: Connection, arrival: Arrival) -> str:
        # One statement: an event costs four round trips in all, its transaction included.
        claim = await conn.fetchval(CLAIM_IN_TURN, arrival.event_id(), arrival.topic, arrival.key)
        if claim == "behind":
            await self._keep(conn, arrival, "behind", None)
        return await self._obey(conn, arrival) if claim == "claimed" else str(claim)

    async def _obey(self, conn: Connection, arrival: Arrival) -> str:
        """Do what a claimed event asks for."""
        event = open_envelope(arrival.headers, arrival.value)
        found = self._ears.find(event.type)
        if found is None:
            return "ignored" if event.type in facts_by_type() else "unknown"
        kind, handler = found
        await handler(conn, self._heard(event, kind))
        return "handled"

    def _heard(self, event: Event, kind: type[FactT]) -> Heard[FactT]:
        return Heard(event.read(kind), EventId(event.event_id), event.time, self._clock.now())

    async def _keep_aside(self, arrival: Arrival, state: str, error: Exception) -> str:
        await in_transaction(self._pool, lambda conn: self._keep(conn, arrival, state, error))
        report = _log.info if state == "deferred" else _log.error
        report(f"event_{state}", topic=arrival.topic, key=arrival.key, error=_in_words(error))
        return state

    async def _keep(
        self, conn: Connection, arrival: Arrival, state: str, error: Exception | None
    ) -> None:
        await conn.execute(
            KEEP,
            arrival.event_id(),
            arrival.topic,
            arrival.key,
            [[_storable(name.encode()), _storable(raw)] for name, raw in arrival.headers],
            arrival.value,
            state,
            error.what if isinstance(error, Missing) else None,
            _in_words(error) if error else None,
            1,
            system_now() + timedelta(seconds=FIRST_PAUSE_SECONDS if state == "deferred" else 0),
        )

    async def take_up(self) -> int:
        """Try kept events that are at the head of their key and due; return how many were tried."""
        for tried in range(TAKE_UP_BATCH):
            if not await self._take_up_one():
                return tried
        return TAKE_UP_BATCH

    async def _take_up_one(self) -> bool:
        row: asyncpg.Record | None = None
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                row = await conn.fetchrow(NEXT_READY)
                if row is None:
                    return False
                arrival = _arrival_of(row)
                with arrival.handling():
                    if await conn.fetchval(CLAIM, row["event_id"]):
                        await self._obey(conn, arrival)
                await conn.execute(FORGET_KEPT, row["seq"])
        except Exception as error:
            if row is None or is_transient(error):
                raise
            await self._keep_again(row, error)
        return True

    async def _keep_again(self, row: asyncpg.Record, error: Exception) -> None:
        attempts = row["attempts"] + 1
        missing = error.what if isinstance(error, Missing) else None
        parked = missing is None and attempts >= TRIES_BEFORE_PARKING
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(attempts, 16), LONGEST_PAUSE_SECONDS)
        await self._pool.execute(
            KEEP_AGAIN,
            row["seq"],
            "parked" if parked else "deferred",
            missing,
            _in_words(error),
            attempts,
            system_now() + timedelta(seconds=pause),
        )
        _log.warning("event_kept", topic=row["topic"], key=row["key"], error=_in_words(error))

    async def prune(self) -> int:
        """Forget claims that no duplicate can follow any more; return how many."""
        done = await self._pool.execute(PRUNE, system_now() - KEEP_CLAIMS, PRUNE_BATCH)
        return int(done.split()[-1])


def _storable(raw: bytes) -> str:
    """Return bytes as a text that PostgreSQL takes: it holds no NUL and nothing but UTF-8."""
    return raw.decode(errors="replace").replace("\0", "\ufffd")


def _arrival_of(row: asyncpg.Record) -> Arrival:
    headers: Sequence[tuple[str, bytes]] = [(name, text.encode()) for name, text in row["headers"]]
    return Arrival(row["topic"], row["key"], headers, row["value"])


def _in_words(error: Exception) -> str:
    if isinstance(error, EventInvalid | Missing):
        return f"{type(error).__name__}: {error}"[:ERROR_TEXT_LIMIT]
    # The text of an unknown error may quote data; its kind and its way are enough to find it.
    return way_of(error)[0][:ERROR_TEXT_LIMIT]
