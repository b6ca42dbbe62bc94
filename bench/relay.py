"""Events per second from the outbox to Kafka, beside aiokafka alone sending the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer

from bench.rounds import Work
from bench.topics import count_records
from bench.world import World
from shared.bus import LINGER_MS, Broker, Producer
from shared.clock import monotonic_seconds
from shared.db import connection
from shared.outbox import OLDEST, Record, Relay, record_of

TOPIC = "booking.orders"
COUNT = "SELECT count(*) FROM outbox"
MULTIPLY = """
INSERT INTO outbox (event_id, topic, key, headers, value)
SELECT gen_random_uuid(), o.topic, gen_random_uuid()::text, o.headers, o.value
FROM (SELECT topic, headers, value FROM outbox WHERE topic = $2 ORDER BY id LIMIT 1) AS o
CROSS JOIN generate_series(1, $1)
"""
EMPTY = "DELETE FROM outbox"


class Outbox:
    """An outbox to be filled with copies of one real fact, and the topic it goes to."""

    def __init__(self, world: World, broker: Broker) -> None:
        """Work on the outbox of `world`; topics of `broker` exist."""
        self._world = world
        self._broker = broker

    async def refill(self, count: int) -> None:
        """Leave exactly that many facts in the outbox, each of a key of its own."""
        async with connection(self._world.pool) as conn, conn.transaction():
            (number,) = self._world.reserve_holds(1)
            await conn.execute(EMPTY)
            await self._world.hold(conn, number)
            await conn.execute(MULTIPLY, count - 1, TOPIC)

    async def carry(self, count: int) -> Work:
        """Let the relay carry everything to Kafka."""
        await self.refill(count)
        producer = Producer(self._broker)
        relay = Relay("booking", self._world.pool, producer, asyncio.Event())
        before = await count_records(self._broker, TOPIC)
        try:
            await producer.send_all([])  # Connected, like a relay that has been running.
            async with connection(self._world.pool) as conn:
                started = monotonic_seconds()
                while await relay.carry(conn):
                    pass
                seconds = monotonic_seconds() - started
        finally:
            await producer.close()
        return Work(await count_records(self._broker, TOPIC) - before, seconds)

    async def send_raw(self, count: int) -> Work:
        """Let aiokafka send the same records from memory, then forget them."""
        await self.refill(count)
        records = await self._records(count)
        before = await count_records(self._broker, TOPIC)
        client = AIOKafkaProducer(
            bootstrap_servers=self._broker.servers,
            enable_idempotence=True,
            acks="all",
            linger_ms=LINGER_MS,
        )
        await client.start()
        try:
            started = monotonic_seconds()
            await _send(client, self._broker.full_name(TOPIC), records)
            seconds = monotonic_seconds() - started
        finally:
            await client.stop()
        await self._world.pool.execute(EMPTY)
        return Work(await count_records(self._broker, TOPIC) - before, seconds)

    async def _records(self, count: int) -> Sequence[Record]:
        rows: list[asyncpg.Record] = await self._world.pool.fetch(OLDEST, count)
        return [record_of(row) for row in rows]


async def _send(client: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> None:
    for record in records:
        await client.send(topic, value=record.value, key=record.key, headers=list(record.headers))
    await client.flush()
