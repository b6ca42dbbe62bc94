"""P3, P4, P6 and P7 on real Kafka and PostgreSQL: outages delay work and lose none of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.kafka import Kafka
from dev.postgres import Postgres
from shared.bus import Broker, Consumer, Producer
from shared.clock import FixedClock
from shared.db import Pool, open_pool, transaction
from shared.errors import Unfinished, is_transient
from shared.inbox import Inbox
from shared.migrate import migrate
from shared.outbox import Announcer, Relay
from shared.process import Supervisor
from tests.engines import Database, EngineProcess, KafkaServer, postgres_server
from tests.shared.conftest import (
    INSTANT,
    MIGRATIONS,
    SCHEMA,
    Counted,
    Reader,
    eventually,
    raise_counter,
)

PARTITIONS = 4
COUNTERS = 8
WRITER_SCHEMA = "profiles"
HEAL_SECONDS = 60.0
HANDLED = "SELECT count(*) FROM inbox"


async def _create_topic(broker: Broker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await admin.start()
    try:
        name = broker.full_name(Counted.topic)
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    finally:
        await admin.close()


class Marketplace:
    """A speaker with its relay and a listener with its inbox, each in a schema of its own."""

    def __init__(self, broker: Broker, writer: Pool, listener: Pool) -> None:
        self.broker = broker
        self.writer = writer
        self.listener = listener
        self.reader = Reader()
        self.supervisor = Supervisor()
        self.producer = Producer(broker)
        self.announcer = Announcer(WRITER_SCHEMA)
        self.handled = 0

    def start_relay(self) -> None:
        """Run the relay under supervision."""
        relay = Relay(WRITER_SCHEMA, self.writer, self.producer, asyncio.Event())
        self.supervisor.start("relay", relay.run)

    def start_consumer(self, supervisor: Supervisor | None = None) -> None:
        """Run one member of the consumer group under supervision."""
        inbox = Inbox(self.listener, self.reader.ears, FixedClock(INSTANT))
        consumer = Consumer(self.broker, SCHEMA, [Counted.topic], inbox)
        (supervisor or self.supervisor).start("consumer", consumer.run)

    async def write(self, changes: int) -> None:
        """Raise counters in turn, each in its own transaction."""
        for number in range(changes):
            async with transaction(self.writer) as conn:
                await raise_counter(conn, self.announcer, f"counter-{number % COUNTERS}")

    async def heard_all(self) -> bool:
        """Return whether the listener saw all that was committed, each once and in order."""
        told = await self.writer.fetch("SELECT key, version FROM counters")
        for row in told:
            seen = await self.listener.fetchval(
                "SELECT seen FROM counters WHERE key = $1", row["key"]
            )
            if seen is None or len(seen) < row["version"]:
                return False
            assert seen == list(range(1, row["version"] + 1)), row["key"]
        return True

    async def stop(self) -> None:
        """Stop everything within the deadlines."""
        await asyncio.wait_for(self.supervisor.stop(), 20)
        await self.producer.close()


@asynccontextmanager
async def _marketplace(
    broker: Broker, writer_url: str, listener_url: str
) -> AsyncGenerator[Marketplace]:
    pools = [await open_pool(url, process="test") for url in (writer_url, listener_url)]
    made = Marketplace(broker, *pools)
    try:
        yield made
    finally:
        await made.stop()
        for pool in pools:
            pool.terminate()


@pytest.fixture
async def schemas(database: Callable[..., Awaitable[Database]]) -> Database:
    """Give a database where writer and listener have the kit's tables and counters."""
    made = await database(migrated=False)
    for schema in (WRITER_SCHEMA, SCHEMA):
        await migrate(made.owner_url(schema), MIGRATIONS, schema)
    return made


@pytest.fixture
async def market(
    schemas: Database, kafka: KafkaServer, topic_prefix: str
) -> AsyncGenerator[Marketplace]:
    """Give a running speaker and listener on the shared broker."""
    broker = Broker(kafka.bootstrap, topic_prefix)
    await _create_topic(broker)
    urls = schemas.app_url(WRITER_SCHEMA), schemas.app_url(SCHEMA)
    async with _marketplace(broker, *urls) as made:
        made.start_relay()
        made.start_consumer()
        yield made


async def test_facts_travel_from_commit_to_effect_in_order(market: Marketplace) -> None:
    """P2, P3, P4 together: what was committed takes effect once, in order."""
    await market.write(200)
    await eventually(market.heard_all, seconds=HEAL_SECONDS, what="hearing all")


async def test_members_that_come_and_go_change_nothing(market: Marketplace) -> None:
    """P3, case 9: a group is rebalanced in the middle of work; effects stay once and in order."""
    writing = asyncio.create_task(market.write(600))
    for _ in range(2):
        passing = Supervisor()
        market.start_consumer(passing)
        await eventually(lambda: _more(market), seconds=HEAL_SECONDS, what="progress")
        await passing.stop()
    await writing
    await eventually(market.heard_all, seconds=HEAL_SECONDS, what="hearing all")


async def _more(market: Marketplace) -> bool:
    """Return whether the listener handled something since this was last asked."""
    before, market.handled = market.handled, await market.listener.fetchval(HANDLED)
    return market.handled > before


async def _written(market: Marketplace) -> bool:
    return bool(await market.writer.fetchval("SELECT EXISTS (SELECT 1 FROM counters)"))


async def test_backends_killed_in_the_middle_lose_nothing(
    market: Marketplace, schemas: Database
) -> None:
    """P7: connections of relay, inbox and pool are cut again and again; all is heard once."""
    superuser = await open_pool(schemas.superuser_url, process="killer")
    writing = asyncio.create_task(_write_through_trouble(market, 150))
    for _ in range(4):
        await eventually(lambda: _through_cuts(lambda: _more(market)), what="progress")
        await superuser.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    await writing
    await superuser.close()
    await eventually(
        lambda: _through_cuts(market.heard_all), seconds=HEAL_SECONDS, what="hearing all"
    )


async def _through_cuts(check: Callable[[], Awaitable[bool]]) -> bool:
    """Ask again later when the connection that asks was itself cut."""
    try:
        return await check()
    except Exception as error:
        if not is_transient(error):
            raise
        return False


async def _write_through_trouble(market: Marketplace, changes: int) -> None:
    written = 0
    async with asyncio.timeout(HEAL_SECONDS):
        while written < changes:
            try:
                await market.write(1)
                written += 1
            except Exception:
                await asyncio.sleep(0.02)


async def test_kafka_away_delays_facts_and_loses_none(
    schemas: Database, own_kafka: EngineProcess[Kafka], topic_prefix: str
) -> None:
    """P6, case 11: the broker is killed twice under work; commits go on, all drains in order."""
    broker = Broker(own_kafka.engine.bootstrap, topic_prefix)
    await _create_topic(broker)
    urls = schemas.app_url(WRITER_SCHEMA), schemas.app_url(SCHEMA)
    async with _marketplace(broker, *urls) as market:
        market.start_relay()
        market.start_consumer()
        for _ in range(2):
            await market.write(40)
            await own_kafka.kill()
            await market.write(40)
            await own_kafka.start()
        await eventually(market.heard_all, seconds=HEAL_SECONDS, what="hearing all")


async def test_a_producer_without_a_broker_gives_up_by_its_deadline(
    own_kafka: EngineProcess[Kafka],
) -> None:
    """P6: neither sending nor closing hangs while the broker is away."""
    broker = Broker(own_kafka.engine.bootstrap)
    await _create_topic(broker)
    await own_kafka.kill()
    producer = Producer(broker, send_seconds=2.0)
    async with asyncio.timeout(30):
        with pytest.raises(Unfinished):
            await producer.send_all([])
        await producer.close()


async def test_postgres_killed_and_started_again_loses_nothing(
    own_postgres: EngineProcess[Postgres], kafka: KafkaServer, topic_prefix: str
) -> None:
    """P7: the server is killed (SIGKILL) under work; all that was committed is heard once."""
    database = Database(postgres_server(own_postgres), "mentorium")
    for schema in (WRITER_SCHEMA, SCHEMA):
        await migrate(database.owner_url(schema), MIGRATIONS, schema)
    broker = Broker(kafka.bootstrap, topic_prefix)
    await _create_topic(broker)
    urls = database.app_url(WRITER_SCHEMA), database.app_url(SCHEMA)
    async with _marketplace(broker, *urls) as market:
        market.start_relay()
        market.start_consumer()
        for _ in range(2):
            writing = asyncio.create_task(_write_through_trouble(market, 60))
            await eventually(lambda: _written(market), what="a commit")
            await own_postgres.kill()
            await own_postgres.start()
            await writing
        await eventually(market.heard_all, seconds=HEAL_SECONDS, what="hearing all")
