"""`ops lag`: how far each reader has come, from the oldest record when it never committed."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ops.lag import progress
from ops.topics import create_topics
from shared.bus import Broker
from tests.engines import KafkaServer

SENT, TAKEN = 5, 2


async def test_lag_is_what_lies_between_the_reader_and_the_end(
    kafka: KafkaServer, topic_prefix: str
):
    """A reader that took two of five has three before it; one that never read has all five."""
    broker = Broker(kafka.bootstrap, topic_prefix)
    await create_topics(broker, 1)
    name = broker.full_name("booking.orders")
    await _send(kafka.bootstrap, name)
    await _take(kafka.bootstrap, name, group=f"{topic_prefix}payments")
    rows = await progress(broker, ("payments", "notifications"))
    lags = {(row.reader, row.partition): row.lag for row in rows if row.topic == "booking.orders"}
    assert lags["payments", 0] == SENT - TAKEN
    assert lags["notifications", 0] == SENT
    assert sum(row.lag for row in rows) == SENT - TAKEN + SENT


async def _send(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    for number in range(SENT):
        await producer.send_and_wait(topic, str(number).encode(), partition=0)
    await producer.stop()


async def _take(bootstrap: str, topic: str, group: str) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.commit({partition: TAKEN})
    await consumer.stop()
