"""The real process: facts in from Kafka, facts out to Kafka, timers, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.ports import free_ports
from shared.clock import system_now
from shared.contracts.booking import BookingExpired, BookingHeld, OfferingPublished, OrderFact
from shared.contracts.envelope import Fact, enclose, open_envelope
from shared.contracts.payments import PaymentSucceeded
from shared.contracts.topics import TOPICS, facts_by_type
from shared.ids import OrderId, new_id
from tests.booking.conftest import NOW, Marketplace
from tests.engines import Database, KafkaServer

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 40.0
POLL_SECONDS = 0.05


def environment(own: Database, kafka: KafkaServer, prefix: str) -> dict[str, str]:
    """Return what the launcher would tell the process."""
    return os.environ | {
        "BOOKING_DATABASE_URL": own.app_url("booking"),
        "BOOKING_MIGRATE_DATABASE_URL": own.owner_url("booking"),
        "BOOKING_WEB_URL": "https://web.test",
        "PROFILES_JWKS_URL": "http://127.0.0.1:9/never-answers",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": prefix,
    }


@asynccontextmanager
async def running(settings: dict[str, str], *arguments: str, log: Path) -> AsyncGenerator[None]:
    """Run booking, and expect that it ends with 0 when told to."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.booking", *arguments,
            cwd=ROOT, env=settings, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_SECONDS):
            assert await process.wait() == 0, f"see {log}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def make_topics(kafka: KafkaServer, prefix: str) -> None:
    """Make every topic booking reads or writes, for this test alone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + topic.name, 1, 1) for topic in TOPICS])
    finally:
        await admin.close()


async def say(kafka: KafkaServer, prefix: str, fact: Fact) -> None:
    """Put a fact of another service on its topic."""
    event = enclose(fact, event_id=new_id(), source="/services/payments", time=NOW)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(
            prefix + fact.topic, event.value(), event.subject.encode(), headers=event.headers()
        )
    finally:
        await producer.stop()


async def heard(kafka: KafkaServer, prefix: str, topic: str, number: int) -> list[Fact]:
    """Return the first facts on a topic; fail by the deadline."""
    consumer = AIOKafkaConsumer(
        prefix + topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            records = [await consumer.getone() for _ in range(number)]
    finally:
        await consumer.stop()
    events = [open_envelope(list(record.headers), record.value) for record in records]
    return [event.read(facts_by_type()[event.type]) for event in events]


async def in_state(market: Marketplace, order_id: OrderId, state: str) -> None:
    """Wait until an order is in a state; fail by the deadline."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while await market.pool.fetchval(
                "SELECT state FROM orders WHERE order_id = $1", order_id
            ) != state:  # fmt: skip
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        pytest.fail(f"the order was not {state} within {WAIT_SECONDS} s")


async def test_a_hold_lapses_by_itself_and_late_money_is_lost(
    market: Marketplace, own_database: Database, kafka: KafkaServer, topic_prefix: str,
    tmp_path: Path,
):  # fmt: skip
    """Held yesterday for a session of yesterday: what the process hears and does has an end."""
    await make_topics(kafka, topic_prefix)
    market.clock.instant = system_now() - timedelta(days=1)
    offering_id = await market.offer(await market.mentor())
    soon = (market.clock.instant + timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    lapsed = await market.hold(market.person().person_id, offering_id, soon)
    (port,) = free_ports(1)
    settings = environment(own_database, kafka, topic_prefix)
    async with running(settings, "all", "--port", str(port), log=tmp_path / "log"):
        await in_state(market, lapsed.order_id, "expired")
        told = await heard(kafka, topic_prefix, OrderFact.topic, 2)
        assert [type(fact) for fact in told] == [BookingHeld, BookingExpired]
        (offered,) = await heard(kafka, topic_prefix, OfferingPublished.topic, 1)
        assert isinstance(offered, OfferingPublished)
        paid = PaymentSucceeded(
            version=1, order_id=lapsed.order_id, mentor_id=lapsed.mentor_id,
            mentee_id=lapsed.mentee_id, amount_minor=12_000, currency="USD", paid_at=NOW,
        )  # fmt: skip
        await say(kafka, topic_prefix, paid)
        # The session has begun, so money that comes now cannot revive it.
        await in_state(market, lapsed.order_id, "lost")
        async with aiohttp.ClientSession(f"http://{HOST}:{port}") as client:
            assert (await client.get("/readyz")).status == 200
            assert (await client.get("/openapi.json")).status == 200
            assert (await client.get("/v1/orders")).status == 401


async def test_the_schema_is_made_by_the_owner_alone(
    database: Callable[..., Awaitable[Database]], kafka: KafkaServer, topic_prefix: str
):
    """`migrate` brings an empty schema up to date, and a second time changes nothing."""
    own = await database(migrated=False)
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.booking", "migrate",
            cwd=ROOT, env=environment(own, kafka, topic_prefix),
        )  # fmt: skip
        async with asyncio.timeout(WAIT_SECONDS):
            assert await process.wait() == 0
