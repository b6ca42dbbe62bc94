"""When a marketplace is at rest, and how the clock walks from one due instant to the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.clock import ClockFixed, advance, parse_instant, parse_span
from dev.ports import LOOPBACK, free_ports
from ops.rest import ALL_SERVICES, Marketplace, NotAtRest, Watch, wait_for_rest
from shared.clock import ClockMovedBack, FileBusinessClock
from shared.contracts.topics import TOPICS
from tests.engines import Database, KafkaServer

VIEWS = """
CREATE TABLE work (kind text, subject text, since timestamptz);
CREATE VIEW in_flight AS SELECT kind, subject, since FROM work;
CREATE TABLE timers (kind text, subject text, due_at timestamptz);
CREATE VIEW due AS SELECT kind, subject, due_at FROM timers;
"""
FOUND_SECONDS = 60.0
READER_TOPIC = "payments.payouts"
"""Read by notifications alone."""


@pytest.fixture
async def own(database: Callable[..., Awaitable[Database]]) -> Database:
    """Give a database in which every service has the two views over tables of the test."""
    own = await database(migrated=False)
    for service in ALL_SERVICES:
        await run(own, service, VIEWS)
    return own


@pytest.fixture
async def market(own: Database, kafka: KafkaServer, topic_prefix: str) -> Marketplace:
    """Give a marketplace of that database and of topics of this test's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic_prefix + t.name, t.partitions, 1) for t in TOPICS])
    await admin.close()
    return Marketplace(own.ops_url, kafka.bootstrap, topic_prefix)


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    FileBusinessClock.create(tmp_path / "clock")
    return tmp_path / "clock"


@pytest.fixture
def clock(clock_file: Path) -> FileBusinessClock:
    return FileBusinessClock(clock_file)


async def run(own: Database, service: str, statement: str, *values: object) -> None:
    owner = await asyncpg.connect(own.owner_url(service))
    try:
        await owner.execute(statement, *values)
    finally:
        await owner.close()


async def add_timer(own: Database, service: str, due_at: datetime) -> None:
    await run(own, service, "INSERT INTO timers VALUES ('hold', 'x', $1)", due_at)


async def publish(kafka: KafkaServer, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, b"{}", key=b"k")
    await producer.stop()


async def read_all(kafka: KafkaServer, topic: str, group: str) -> None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, group_id=group,
        auto_offset_reset="earliest", enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    await consumer.getone()
    await consumer.commit()
    await consumer.stop()


async def it_says(market: Marketplace, clock: FileBusinessClock, *words: str) -> None:
    """Look until exactly these words are said; a slow machine may at first not get to look."""
    async with asyncio.timeout(FOUND_SECONDS), Watch(market) as watch:
        while await watch.what_goes_on(clock) != list(words):
            await asyncio.sleep(0.05)


async def test_an_idle_marketplace_is_at_rest(market: Marketplace, clock: FileBusinessClock):
    """Nothing in flight, due or unread."""
    await wait_for_rest(market, clock, FOUND_SECONDS)


async def test_work_in_flight_and_overdue_timers_are_named(
    market: Marketplace, own: Database, clock: FileBusinessClock
):
    """Each kind of work is counted by service; a timer ahead is not work yet."""
    await run(own, "booking", "INSERT INTO work VALUES ('outbox', '1'), ('outbox', '2')")
    await add_timer(own, "payments", clock.now() - timedelta(seconds=1))
    await add_timer(own, "payments", clock.now() + timedelta(hours=1))
    await it_says(market, clock, "2 × booking outbox", "1 × payments hold due")
    with pytest.raises(NotAtRest, match="booking outbox"):
        await wait_for_rest(market, clock, 0.5)


async def test_a_fact_before_its_reader_is_not_rest(
    market: Marketplace, kafka: KafkaServer, clock: FileBusinessClock
):
    """A reader that has never read counts from the first record; committing it brings rest."""
    topic = market.topic_prefix + READER_TOPIC
    await publish(kafka, topic)
    await it_says(market, clock, "notifications has 1 facts before it")
    await read_all(kafka, topic, f"{market.topic_prefix}notifications")
    await wait_for_rest(market, clock, FOUND_SECONDS)


async def test_what_cannot_be_looked_at_is_not_rest(own: Database, clock: FileBusinessClock):
    """A broker or a database that is away is said, not raised and not taken for rest."""
    (nobody,) = free_ports(1)
    without_kafka = Marketplace(own.ops_url, f"{LOOPBACK}:{nobody}")
    away = f"postgresql://ops_reader@{LOOPBACK}:{nobody}/mentorium"
    for market in (without_kafka, Marketplace(away, f"{LOOPBACK}:{nobody}")):
        async with Watch(market) as watch:
            (word,) = await watch.what_goes_on(clock)
        assert "cannot be looked at" in word


@asynccontextmanager
async def simulator(answers: dict[str, object]) -> AsyncGenerator[str]:
    """Give the address of a server that answers like the simulator's control."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(answers[request.match_info["what"]])

    app = web.Application()
    app.router.add_get("/_sim/{what}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        await runner.cleanup()


async def test_the_simulator_has_its_say(
    market: Marketplace, own: Database, clock: FileBusinessClock
):
    """Its work delays rest, and its next timer counts beside those of the services."""
    now = clock.now()
    answers: dict[str, object] = {
        "rest": {"resting": False},
        "due": {"next": (now + timedelta(hours=2)).isoformat()},
    }
    await add_timer(own, "booking", now + timedelta(hours=3))
    async with simulator(answers) as url:
        both = Marketplace(own.ops_url, market.kafka_servers, market.topic_prefix, url)
        await it_says(both, clock, "the Stripe simulator is working")
        async with Watch(both) as watch:
            assert await watch.next_due(now) == now + timedelta(hours=2)
            answers |= {"rest": {"resting": True}, "due": {"next": None}}
            await watch.wait_for_rest(clock, FOUND_SECONDS)
            assert await watch.next_due(now) == now + timedelta(hours=3)


async def test_a_connection_that_broke_is_made_anew(
    market: Marketplace, own: Database, clock: FileBusinessClock
):
    """A watcher outlives a database that hung up on it: at the next look it is back."""
    async with Watch(market) as watch:
        await watch.wait_for_rest(clock, FOUND_SECONDS)
        await own_backends_end(own)
        (word,) = await watch.what_goes_on(clock)
        assert "cannot be looked at" in word
        await watch.wait_for_rest(clock, FOUND_SECONDS)


async def own_backends_end(own: Database) -> None:
    """End every session in the test's database, as a server does that is restarted."""
    superuser = await asyncpg.connect(own.superuser_url)
    try:
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await superuser.close()


@asynccontextmanager
async def worker(own: Database, service: str, clock: FileBusinessClock, follows: timedelta):
    """Run what a service does: take a due timer, note its instant, plan one more after it."""

    async def work() -> None:
        connection = await asyncpg.connect(own.owner_url(service))
        await connection.execute("CREATE TABLE done (due_at timestamptz, seen_at timestamptz)")
        while True:
            rows = await connection.fetch(
                "DELETE FROM timers WHERE due_at <= $1 RETURNING kind, due_at", clock.now()
            )
            for row in rows:
                if row["kind"] == "hold":
                    await connection.execute(
                        "INSERT INTO timers VALUES ('next', 'x', $1)", row["due_at"] + follows
                    )
                await connection.execute(
                    "INSERT INTO done VALUES ($1, $2)", row["due_at"], clock.now()
                )
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()


async def test_advancing_stops_at_each_due_instant(
    market: Marketplace, own: Database, clock_file: Path, clock: FileBusinessClock
):
    """A timer, and the one it plans in turn, each happen at their own instant and in order."""
    begin = clock.now()
    await add_timer(own, "booking", begin + timedelta(hours=1))
    await add_timer(own, "booking", begin + timedelta(hours=3))
    said: list[str] = []
    async with worker(own, "booking", clock, timedelta(minutes=30)):
        await advance(market, clock_file, begin + timedelta(days=1), said.append)
    connection = await asyncpg.connect(own.owner_url("booking"))
    done = await connection.fetch("SELECT due_at, seen_at FROM done ORDER BY seen_at")
    await connection.close()
    hours = [(row["due_at"] - begin) / timedelta(hours=1) for row in done]
    assert hours == [1, 1.5, 3, 3.5]
    late = max(row["seen_at"] - row["due_at"] for row in done)
    assert late < timedelta(minutes=1)
    assert len(said) == 5
    assert clock.now() >= begin + timedelta(days=1)


async def test_the_clock_does_not_go_back(market: Marketplace, clock_file: Path):
    """An instant before the present one is refused and changes nothing."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with pytest.raises(ClockMovedBack):
        await advance(market, clock_file, yesterday, print)


async def test_the_clock_does_not_move_with_a_live_key(
    market: Marketplace, clock_file: Path, monkeypatch: pytest.MonkeyPatch
):
    """Real money follows real time."""
    monkeypatch.setenv("PAYMENTS_STRIPE_KEY", "sk_live_x")
    with pytest.raises(ClockFixed):
        await advance(market, clock_file, datetime.now(UTC) + timedelta(days=1), print)


def test_spans_and_instants_are_read_as_people_write_them():
    """Days, hours, minutes in one word; an instant without an offset is UTC."""
    assert parse_span("3d") == timedelta(days=3)
    assert parse_span("1d12h30m") == timedelta(days=1, hours=12, minutes=30)
    assert parse_instant("2027-01-02T03:04") == datetime(2027, 1, 2, 3, 4, tzinfo=UTC)
    assert parse_instant("2027-01-02T03:04+02:00") == datetime(2027, 1, 2, 1, 4, tzinfo=UTC)
    for wrong in ("", "3", "d", "3x", "3d!", "-3d"):
        with pytest.raises(ValueError, match="span of time"):
            parse_span(wrong)
