"""Topics of a benchmark's own on a shared broker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.bus import Broker
from shared.contracts.topics import PARTITIONS

ADMIN_DEADLINE_MS = 15_000
START_SECONDS = 30.0
Ends = dict[TopicPartition, int]


@asynccontextmanager
async def own_topics(servers: str, *topics: str) -> AsyncGenerator[Broker]:
    """Give a broker where these topics are new and empty; they are deleted afterwards."""
    broker = Broker(servers, f"bench-{secrets.token_hex(4)}.")
    names = [broker.full_name(topic) for topic in topics]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=ADMIN_DEADLINE_MS)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        yield broker
        await admin.delete_topics(names)
    finally:
        await admin.close()


async def count_records(broker: Broker, topic: str) -> int:
    """Return how many records a topic has ever taken."""
    return sum((await _ends(broker, topic)).values())


async def _ends(broker: Broker, topic: str) -> Ends:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.servers)
    async with asyncio.timeout(START_SECONDS):
        await consumer.start()
        try:
            name = broker.full_name(topic)
            return cast("Ends", await consumer.end_offsets(_partitions(name)))
        finally:
            await consumer.stop()


def _partitions(name: str) -> Sequence[TopicPartition]:
    return [TopicPartition(name, number) for number in range(PARTITIONS)]
