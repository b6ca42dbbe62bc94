"""Events per second from Kafka into effect, beside a bare consumer that inserts a row for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from bench.rounds import Work
from bench.topics import own_topics
from bench.world import World
from services.booking.events import ears
from services.booking.store.people import NOTE_PERSON
from shared.bus import RECORDS_PER_POLL, Broker, Consumer, Producer
from shared.clock import SystemBusinessClock, monotonic_seconds
from shared.contracts.envelope import enclose
from shared.contracts.profiles import PersonRegistered
from shared.ids import new_id
from shared.inbox import Arrival, Inbox
from shared.outbox import Record

TOPIC = PersonRegistered.topic
GROUP = "booking"
COUNT = "SELECT count(*) FROM people"
HANDLE_SECONDS = 120.0
POLL_MS = 200
Batches = dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


@dataclass
class _Watched:
    """Passes records on; knows when the first came and when all are done."""

    inbox: Inbox
    expected: int
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = 0.0
    ended: float = 0.0

    async def receive(self, arrival: Arrival) -> str:
        """Hand a record to the inbox."""
        self.started = self.started or monotonic_seconds()
        outcome = await self.inbox.receive(arrival)
        self.expected -= 1
        if not self.expected:
            self.ended = monotonic_seconds()
            self.stopping.set()
        return outcome


async def handle(world: World, servers: str, count: int) -> Work:
    """Let booking hear of that many people."""
    async with own_topics(servers, TOPIC) as broker:
        await _publish(broker, count)
        before = await world.count(COUNT)
        inbox = Inbox(world.pool, ears(), SystemBusinessClock())
        watched = _Watched(inbox, count)
        consumer = Consumer(broker, GROUP, [TOPIC], watched)
        async with asyncio.timeout(HANDLE_SECONDS):
            await consumer.run(watched.stopping)
        return Work(await world.count(COUNT) - before, watched.ended - watched.started)


async def insert_bare(world: World, servers: str, count: int) -> Work:
    """Let a bare consumer insert that many people, partitions side by side as ours does."""
    async with own_topics(servers, TOPIC) as broker:
        await _publish(broker, count)
        before = await world.count(COUNT)
        client = AIOKafkaConsumer(
            broker.full_name(TOPIC),
            bootstrap_servers=servers,
            group_id=broker.topic_prefix + GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await client.start()
        try:
            async with asyncio.timeout(HANDLE_SECONDS):
                seconds = await _insert_all(client, world, count)
        finally:
            await client.stop()
        return Work(await world.count(COUNT) - before, seconds)


async def _insert_all(client: AIOKafkaConsumer, world: World, count: int) -> float:
    started, ended = 0.0, 0.0
    while count:
        batches = await cast(
            "Awaitable[Batches]",
            client.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL),
        )
        if not batches:
            continue
        started = started or monotonic_seconds()
        await asyncio.gather(*(_insert(world, records) for records in batches.values()))
        ended = monotonic_seconds()
        count -= sum(map(len, batches.values()))
        await client.commit()
    return ended - started


async def _insert(world: World, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
    for record in records:
        fact = PersonRegistered.model_validate_json(record.value or b"")
        await world.pool.execute(
            NOTE_PERSON, fact.person_id, fact.version, fact.verified, fact.mentor_state
        )


async def _publish(broker: Broker, count: int) -> None:
    """Fill the topic with facts about people nobody has heard of."""
    producer = Producer(broker)
    try:
        await producer.send_all([_fact_about_somebody() for _ in range(count)])
    finally:
        await producer.close()


def _fact_about_somebody() -> Record:
    fact = PersonRegistered(version=1, person_id=uuid4(), verified=False, mentor_state="none")
    event = enclose(fact, event_id=new_id(), source="/services/profiles", time=datetime.now(UTC))
    return Record(fact.topic, event.subject.encode(), event.value(), event.headers())
