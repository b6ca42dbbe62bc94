"""The transactional outbox: a fact and its row commit together, and the fact leaves in order.

`announce` writes the fact in the caller's transaction, after the aggregate's row is locked, so that
ids of one aggregate grow in commit order. One relay per service is active (a session-level advisory
lock); it takes the oldest rows that are there, never "those after the last id", because a lower id
may commit later. It deletes a row only after Kafka acknowledged it: a relay that dies in between
sends the same event ids again, in the same order, and every reader's inbox knows them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import asyncpg

from shared.contracts.envelope import TRACE_HEADER, TYPE_HEADER, Fact, enclose
from shared.db import Connection, Pool, connection, ring, try_lock, unlock_all
from shared.ids import new_id
from shared.log import logger
from shared.telemetry import EVENTS_PUBLISHED, SpanKind, begin, current_traceparent, tracing

BATCH = 500
POLL_SECONDS = 0.5
TAKE_OVER_POLL_SECONDS = 0.5
MAX_VALUE_BYTES = 512 * 1024

INSERT = "INSERT INTO outbox (event_id, topic, key, headers, value) VALUES ($1, $2, $3, $4, $5)"
INSERT_ABOUT_ORDER = """
WITH told AS (
    INSERT INTO order_facts (order_id, event_id, type, happened_at) VALUES ($6, $1, $7, $8)
)
INSERT INTO outbox (event_id, topic, key, headers, value) VALUES ($1, $2, $3, $4, $5)
"""
OLDEST = "SELECT id, topic, key, headers, value FROM outbox ORDER BY id LIMIT $1"
DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

_log = logger("outbox")


class FactTooLarge(ValueError):
    """A fact does not fit into a Kafka record; the transaction that made it fails."""


@dataclass(frozen=True)
class Record:
    """One Kafka record on its way out; the topic is without the prefix."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Sender(Protocol):
    """Whoever hands records to Kafka: all acknowledged when it returns, or it raises."""

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send in order and wait for every acknowledgement."""
        ...


def bell_of(service: str) -> str:
    """Return the name of the bell that wakes the relay of a service."""
    return f"{service}_outbox"


class Announcer:
    """Writes facts of one service into its outbox."""

    def __init__(self, service: str) -> None:
        self._source = f"/services/{service}"
        self._bell = bell_of(service)

    async def announce(self, conn: Connection, *facts: Fact, at: datetime) -> None:
        """Announce facts in the order given, as part of the caller's transaction.

        `at` is the business instant of what happened. Raises `FactTooLarge`.
        """
        trace = current_traceparent()
        for fact in facts:
            event = enclose(
                fact, event_id=new_id(), source=self._source, time=at, traceparent=trace
            )
            if len(event.data) > MAX_VALUE_BYTES:
                raise FactTooLarge(event.type)
            headers = [[name, raw.decode()] for name, raw in event.headers()]
            row = (event.event_id, fact.topic, event.subject, headers, event.value())
            # A purchase's facts are remembered after they have left: operators ask for its story.
            if order_id := getattr(fact, "order_id", None):
                await conn.execute(INSERT_ABOUT_ORDER, *row, order_id, type(fact).__name__, at)
            else:
                await conn.execute(INSERT, *row)
        if facts:
            await ring(conn, self._bell)


class Relay:
    """Carries committed facts to Kafka; one is active per service, the others stand by."""

    def __init__(self, service: str, pool: Pool, sender: Sender, bell: asyncio.Event) -> None:
        self._lock_name = f"{service}:relay"
        self._pool = pool
        self._sender = sender
        self._bell = bell

    async def run(self, stopping: asyncio.Event) -> None:
        """Be the active relay as soon as nobody else is, until `stopping` is set.

        Raises when the database or Kafka fails; whoever runs it runs it again. The lock lives on
        the connection that reads, so a relay that lost the lock cannot read on.
        """
        async with connection(self._pool) as conn:
            try:
                # Inside: the server may have given a lock whose answer never came.
                while not stopping.is_set() and not await try_lock(conn, self._lock_name):
                    await _pause(stopping, TAKE_OVER_POLL_SECONDS)
                _log.info("relay_active")
                while not stopping.is_set():
                    self._bell.clear()
                    if not await self.carry(conn):
                        await _either(stopping, self._bell, POLL_SECONDS)
            finally:
                await unlock_all(conn)

    async def carry(self, conn: Connection) -> int:
        """Publish one batch of the oldest facts; return how many there were."""
        rows = await conn.fetch(OLDEST, BATCH)
        if not rows:
            return 0
        records = [record_of(row) for row in rows]
        began = time.time_ns()
        await self._sender.send_all(records)
        await conn.execute(DELETE, [row["id"] for row in rows])
        for record in records:
            _tell(record, began)
        return len(rows)


def _tell(record: Record, began: int) -> None:
    """Count a fact that left, and show its way to Kafka in the trace of its cause."""
    headers = dict(record.headers)
    EVENTS_PUBLISHED.labels(record.topic, headers.get(TYPE_HEADER, b"").decode()).inc()
    if tracing():
        cause = headers.get(TRACE_HEADER, b"").decode()
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": record.topic,
        }
        begin(f"send {record.topic}", SpanKind.PRODUCER, cause, attributes, began).end()


def record_of(row: asyncpg.Record) -> Record:
    """Return the record that a row of the outbox stands for."""
    return Record(
        topic=row["topic"],
        key=row["key"].encode(),
        value=row["value"],
        headers=[(name, text.encode()) for name, text in row["headers"]],
    )


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


async def _either(stopping: asyncio.Event, bell: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(bell.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
