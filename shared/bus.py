"""Kafka under supervision: every call has a deadline and a client that stands still is replaced.

aiokafka's producer can hang for ever while the broker is away, and a consumer can stop silently
after a rebalance; so a producer that misses its deadline is thrown away and built anew, and a
watchdog compares a consumer's progress with its lag. Offsets are committed only after the effects
are, so what is read twice finds itself in the inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from shared.clock import monotonic_seconds
from shared.errors import Unfinished, is_transient
from shared.inbox import Arrival
from shared.log import logger
from shared.outbox import Record
from shared.telemetry import CLIENT_REBUILDS, CONSUMER_LAG

START_SECONDS = 15.0
STOP_SECONDS = 5.0
SEND_SECONDS = 15.0
COMMIT_SECONDS = 10.0
LINGER_MS = 5
POLL_MS = 500
RECORDS_PER_POLL = 200
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 2_000
POLL_INTERVAL_MS = 120_000
STANDSTILL_SECONDS = 20.0
WATCH_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0

RawRecord = ConsumerRecord[bytes | None, bytes | None]
_log = logger("bus")


class Stuck(Unfinished):
    """A Kafka client made no progress although there was work; it is replaced."""


Result = TypeVar("Result")
_abandoned: set[asyncio.Future[Any]] = set()


async def bounded(call: Coroutine[object, object, Result], seconds: float) -> Result:
    """Return what a client's call returns; raises `TimeoutError` at the deadline, come what may.

    A call that does not even end when it is cancelled is left to itself: waiting for that end is
    how a client that hangs would hang us. A call that the client cancels by itself raises `Stuck`;
    let through, that cancellation would end whoever called, without a word.
    """
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise TimeoutError
        if task.cancelled():
            raise Stuck("the client gave up its own call")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            _abandoned.add(task)
            task.add_done_callback(_forget)


def _forget(task: asyncio.Future[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # Nobody else will look at it.


@dataclass(frozen=True)
class Broker:
    """Where Kafka is; topics of this marketplace begin with `topic_prefix` (mostly empty)."""

    servers: str
    topic_prefix: str = ""
    client_id: str = "mentorium"

    def full_name(self, topic: str) -> str:
        """Return a topic's name on the broker."""
        return self.topic_prefix + topic

    def short_name(self, full_name: str) -> str:
        """Return a topic's name in the table of topics."""
        return full_name.removeprefix(self.topic_prefix)


class Producer:
    """Sends records in order and answers when all are acknowledged, or raises by the deadline."""

    def __init__(self, broker: Broker, *, send_seconds: float = SEND_SECONDS) -> None:
        self._broker = broker
        self._send_seconds = send_seconds
        self._client: AIOKafkaProducer | None = None

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send in order; raises `Unfinished` when Kafka is away, after dropping the client."""
        try:
            await bounded(self._send(records), self._send_seconds)
        except (KafkaError, Stuck, TimeoutError, OSError) as error:
            CLIENT_REBUILDS.labels("producer").inc()
            await self.close()
            raise Unfinished(f"kafka: {type(error).__name__}") from error

    async def _send(self, records: Sequence[Record]) -> None:
        client = await self._connected()
        waits: list[Awaitable[object]] = [
            await client.send(
                self._broker.full_name(record.topic),
                value=record.value,
                key=record.key,
                headers=list(record.headers),
            )
            for record in records
        ]
        await asyncio.gather(*waits)

    async def _connected(self) -> AIOKafkaProducer:
        if self._client is None:
            client = AIOKafkaProducer(
                bootstrap_servers=self._broker.servers,
                client_id=self._broker.client_id,
                enable_idempotence=True,
                acks="all",
                linger_ms=LINGER_MS,
                request_timeout_ms=int(self._send_seconds * 1000),
            )
            # Kept before it has started, so that a start that hangs is closed like any other.
            self._client = client
            await client.start()
        return self._client

    async def close(self) -> None:
        """Drop the client, waiting no longer than the deadline for what it still holds."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await bounded(client.stop(), STOP_SECONDS)


class Receiver(Protocol):
    """Whoever takes records in; raises only transient errors."""

    async def receive(self, arrival: Arrival) -> str:
        """Handle or keep one record."""
        ...


@dataclass
class _Paused:
    until: float
    pause_seconds: float


@dataclass
class Consumer:
    """Reads the topics of one service in one consumer group and hands records to its inbox.

    A transient failure pauses its partition alone: the record is read again after a growing pause,
    for ever, while the other partitions go on.
    """

    broker: Broker
    group: str
    topics: Sequence[str]
    receiver: Receiver
    watch_seconds: float = WATCH_SECONDS
    _paused: dict[TopicPartition, _Paused] = field(default_factory=dict)
    _progress_at: float = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping` is set; raises when the client fails, to be run again."""
        client = self._new_client()
        self._paused.clear()
        self._progress_at = monotonic_seconds()
        watchdog: asyncio.Task[None] | None = None
        try:
            await bounded(client.start(), START_SECONDS)
            watchdog = asyncio.create_task(self._watch(client))
            while not stopping.is_set():
                if watchdog.done():
                    watchdog.result()
                await self._turn(client, stopping)
        except (Stuck, KafkaError, TimeoutError) as error:
            CLIENT_REBUILDS.labels("consumer").inc()
            raise Unfinished(f"kafka: {type(error).__name__}") from error
        finally:
            if watchdog:
                watchdog.cancel()
            with suppress(Exception):
                await bounded(client.stop(), STOP_SECONDS)

    def _new_client(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *(self.broker.full_name(topic) for topic in self.topics),
            bootstrap_servers=self.broker.servers,
            client_id=self.broker.client_id,
            group_id=self.broker.topic_prefix + self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=POLL_INTERVAL_MS,
            max_partition_fetch_bytes=1024 * 1024,
        )

    async def _turn(self, client: AIOKafkaConsumer, stopping: asyncio.Event) -> None:
        self._resume_due(client)
        fetch = cast(
            "Coroutine[object, object, dict[TopicPartition, list[RawRecord]]]",
            client.getmany(timeout_ms=POLL_MS, max_records=RECORDS_PER_POLL),
        )
        batches = await bounded(fetch, STANDSTILL_SECONDS)
        done = await asyncio.gather(
            *(
                self._work_off(client, partition, records, stopping)
                for partition, records in batches.items()
            )
        )
        offsets = {
            partition: offset
            for partition, offset in zip(batches, done, strict=True)
            if offset is not None
        }
        if offsets:
            self._progress_at = monotonic_seconds()
            await self._commit(client, offsets)

    async def _work_off(
        self,
        client: AIOKafkaConsumer,
        partition: TopicPartition,
        records: Sequence[RawRecord],
        stopping: asyncio.Event,
    ) -> int | None:
        """Handle records of one partition in order; return the offset to go on from."""
        reached: int | None = None
        for record in records:
            if stopping.is_set():
                break
            try:
                await self.receiver.receive(self._arrival(record))
            except Exception as error:
                if not is_transient(error):
                    raise
                self._pause(client, partition, record.offset, error)
                break
            reached = record.offset + 1
            self._paused.pop(partition, None)
            self._progress_at = monotonic_seconds()
        return reached

    def _arrival(self, record: RawRecord) -> Arrival:
        return Arrival.of(
            self.broker.short_name(record.topic),
            record.key,
            [(name, bytes(raw)) for name, raw in record.headers],
            record.value,
        )

    def _pause(
        self, client: AIOKafkaConsumer, partition: TopicPartition, offset: int, error: Exception
    ) -> None:
        before = self._paused.get(partition)
        seconds = (
            min(before.pause_seconds * 2, LONGEST_PAUSE_SECONDS) if before else FIRST_PAUSE_SECONDS
        )
        self._paused[partition] = _Paused(monotonic_seconds() + seconds, seconds)
        _log.warning(
            "partition_paused",
            topic=partition.topic,
            partition=partition.partition,
            seconds=seconds,
            error=type(error).__name__,
        )
        with suppress(IllegalStateError):  # Revoked meanwhile: its new owner reads it again.
            client.seek(partition, offset)
            client.pause(partition)

    def _resume_due(self, client: AIOKafkaConsumer) -> None:
        now = monotonic_seconds()
        assigned = client.assignment()
        for partition, paused in list(self._paused.items()):
            if partition not in assigned:
                del self._paused[partition]
            elif paused.until <= now and partition in client.paused():
                client.resume(partition)
                self._progress_at = now

    async def _commit(self, client: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        mine = {tp: offset for tp, offset in offsets.items() if tp in client.assignment()}
        try:
            await bounded(client.commit(mine), COMMIT_SECONDS)
        except CommitFailedError:
            # A rebalance came between; the new owner reads again and the inbox knows the events.
            _log.info("commit_after_rebalance", group=self.group)

    async def _watch(self, client: AIOKafkaConsumer) -> None:
        """Show the lag; raise `Stuck` when a running partition has some and nothing moves."""
        while True:
            await asyncio.sleep(self.watch_seconds)
            await self._show_lag(client)
            if monotonic_seconds() - self._progress_at < STANDSTILL_SECONDS:
                continue
            if await self._lags(client):
                _log.error("consumer_stuck", group=self.group)
                raise Stuck(self.group)
            self._progress_at = monotonic_seconds()

    async def _show_lag(self, client: AIOKafkaConsumer) -> None:
        """Show how many records lie before this member; what cannot be asked stays as it was."""
        with suppress(KafkaError, IllegalStateError, TimeoutError, Stuck):
            lags = await bounded(_lag_of(client), COMMIT_SECONDS)
            CONSUMER_LAG.clear()
            for partition, lag in lags.items():
                topic = self.broker.short_name(partition.topic)
                CONSUMER_LAG.labels(topic, str(partition.partition)).set(lag)

    async def _lags(self, client: AIOKafkaConsumer) -> bool:
        """Return whether there is something to read that this member should be reading.

        A member without partitions looks at the whole group: it may be a spare one, or one that
        its group lost without a word.
        """
        mine = client.assignment()
        running = [tp for tp in mine or self._all_partitions(client) if tp not in client.paused()]
        return await bounded(self._any_behind(client, running), COMMIT_SECONDS)

    async def _any_behind(
        self, client: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
    ) -> bool:
        ends = cast("dict[TopicPartition, int]", await client.end_offsets(partitions))
        for partition in partitions:
            reached = cast("int | None", await client.committed(partition)) or 0
            if reached < ends[partition]:
                return True
        return False

    def _all_partitions(self, client: AIOKafkaConsumer) -> list[TopicPartition]:
        names = [self.broker.full_name(topic) for topic in self.topics]
        return [
            TopicPartition(name, number)
            for name in names
            for number in client.partitions_for_topic(name) or ()
        ]


async def _lag_of(client: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Return how many records a member has before it on each of its partitions."""
    mine = client.assignment()
    ends = cast("dict[TopicPartition, int]", await client.end_offsets(mine) if mine else {})
    reached = {tp: await client.position(tp) for tp in ends}
    return {tp: max(0, end - reached[tp]) for tp, end in ends.items()}
