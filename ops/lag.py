"""How far every reader has come on every topic it listens to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ops.topics import REQUEST_MS, administering
from shared.bus import Broker
from shared.contracts.topics import Service, read_by

Offsets = dict[TopicPartition, int]


@dataclass(frozen=True)
class Progress:
    """One reader on one partition: the next record it will read, and the end of the partition."""

    reader: Service
    topic: str
    partition: int
    reached: int
    end: int

    @property
    def lag(self) -> int:
        """How many records the reader has before it."""
        return max(0, self.end - self.reached)


async def progress(broker: Broker, services: Sequence[Service]) -> list[Progress]:
    """Return the progress of each service on each partition; raises `CannotOperate`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.servers, request_timeout_ms=REQUEST_MS)
    async with administering(broker) as admin:
        try:
            await consumer.start()
            return await progress_of(admin, consumer, broker, services)
        finally:
            with suppress(Exception):
                await consumer.stop()


async def progress_of(
    admin: AIOKafkaAdminClient,
    consumer: AIOKafkaConsumer,
    broker: Broker,
    services: Sequence[Service],
) -> list[Progress]:
    """Return the progress of each service, asked through clients that are started."""
    every = sorted({each for service in services for each in _partitions(broker, service)})
    ends = cast("Offsets", await consumer.end_offsets(every))
    beginnings = cast("Offsets", await consumer.beginning_offsets(every))
    found: list[Progress] = []
    for service in services:
        committed = await admin.list_consumer_group_offsets(f"{broker.topic_prefix}{service}")
        for each in _partitions(broker, service):
            # A reader without a committed offset begins with the oldest record.
            reached = committed[each].offset if each in committed else beginnings[each]
            name = broker.short_name(each.topic)
            found.append(Progress(service, name, each.partition, reached, ends[each]))
    return found


def _partitions(broker: Broker, service: Service) -> list[TopicPartition]:
    return [
        TopicPartition(broker.full_name(topic.name), number)
        for topic in read_by(service)
        for number in range(topic.partitions)
    ]
