"""A schema with the kit's tables and one of counters, and facts about the counters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid5

import pytest

from shared.contracts.envelope import Event, Fact, enclose
from shared.contracts.topics import TOPICS
from shared.db import Connection, Pool, open_pool
from shared.errors import Missing
from shared.ids import new_id
from shared.inbox import Arrival, Ears, Heard
from shared.migrate import migrate
from shared.outbox import Announcer, Record
from tests.engines import Database

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA = "booking"
INSTANT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NAMESPACE = UUID("5f0c1c1e-3f0a-7000-8000-000000000000")
COUNT = """
INSERT INTO counters AS c (key, version, total, seen) VALUES ($1, $2, $3, ARRAY[$2::bigint])
ON CONFLICT (key) DO UPDATE SET version = $2, total = c.total + $3, seen = c.seen || $2::bigint
"""


class Counted(Fact):
    """A counter rose; stands for any fact about an aggregate."""

    topic: ClassVar[str] = TOPICS[0].name
    key_field: ClassVar[str] = "counter"

    counter: str
    amount: int = 1


class PoisonedCounter(Exception):
    """What a mistake of ours looks like to the inbox."""


class Reader:
    """A service that counts what it hears; `poison` are versions it chokes on, by counter."""

    def __init__(self) -> None:
        self.ears = Ears()
        self.poison: set[tuple[str, int]] = set()
        self.needs: dict[str, str] = {}
        self.failing_with: Exception | None = None
        self.ears.on(Counted)(self.count)

    async def count(self, conn: Connection, heard: Heard[Counted]) -> None:
        """Add to the counter, unless told to fail."""
        fact = heard.fact
        if self.failing_with:
            raise self.failing_with
        await conn.execute(COUNT, fact.counter, fact.version, fact.amount)
        if (fact.counter, fact.version) in self.poison:
            raise PoisonedCounter
        needed = self.needs.get(fact.counter)
        if needed and not await conn.fetchval("SELECT 1 FROM counters WHERE key = $1", needed):
            raise Missing(f"counter:{needed}")


class Recorder:
    """A sender that keeps what it was given; may fail after a number of batches."""

    def __init__(self) -> None:
        self.batches: list[list[Record]] = []
        self.fail_after_sending = False

    async def send_all(self, records: list[Record]) -> None:  # type: ignore[override]
        """Keep the records; die after taking them when told to."""
        self.batches.append(list(records))
        if self.fail_after_sending:
            raise ConnectionError("died after the broker's answer")

    @property
    def records(self) -> list[Record]:
        """All records in the order they were sent."""
        return [record for batch in self.batches for record in batch]


def event_of(counter: str, version: int, amount: int = 1) -> Event:
    """Return the one event that says this."""
    return enclose(
        Counted(counter=counter, version=version, amount=amount),
        event_id=uuid5(NAMESPACE, f"{counter}:{version}"),
        source="/services/profiles",
        time=INSTANT,
    )


def arrival_of(counter: str, version: int, amount: int = 1) -> Arrival:
    """Return the event as a Kafka record that just came."""
    event = event_of(counter, version, amount)
    return Arrival(Counted.topic, counter, event.headers(), event.value())


async def raise_counter(conn: Connection, announcer: Announcer, counter: str) -> int:
    """Raise a counter as commands do: lock, change, announce; return the version."""
    version = await conn.fetchval(
        """INSERT INTO counters AS c (key, version, total) VALUES ($1, 1, 1)
        ON CONFLICT (key) DO UPDATE SET version = c.version + 1, total = c.total + 1
        RETURNING version""",
        counter,
    )
    await announcer.announce(conn, Counted(counter=counter, version=version), at=INSTANT)
    return int(version)


async def eventually(
    check: Callable[[], Awaitable[bool]], *, seconds: float = 30.0, what: str = "it"
) -> None:
    """Wait until `check` holds; fail by the deadline."""
    try:
        async with asyncio.timeout(seconds):
            while not await check():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"{what} did not happen within {seconds} s")


@pytest.fixture
async def kit_database(database: Callable[..., Awaitable[Database]]) -> Database:
    """Give a database whose schema `booking` holds the kit's tables and the counters."""
    made = await database(migrated=False)
    await migrate(made.owner_url(SCHEMA), MIGRATIONS, SCHEMA)
    return made


@pytest.fixture
async def pool(kit_database: Database) -> AsyncGenerator[Pool]:
    """Give a pool of the runtime role on that database."""
    made = await open_pool(kit_database.app_url(SCHEMA), process="test")
    yield made
    await asyncio.wait_for(made.close(), 10)


@pytest.fixture
def announcer() -> Announcer:
    """Give an announcer that speaks for the schema's service."""
    return Announcer(SCHEMA)


def fresh_counter() -> str:
    """Return a key nobody used."""
    return str(new_id())
