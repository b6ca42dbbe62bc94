"""A warm start leaves out what is done already, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from dev.environment import Site
from dev.home import REPOSITORY, Home
from dev.launcher import launched
from dev.supervisor import NotStarted
from dev.table import PORT_NAMES, Process, table
from shared.migrate import MigrationChanged, is_migrated, migrate
from tests.dev.fakes import fake_one_shot
from tests.engines import Database, KafkaServer

MIGRATIONS = REPOSITORY / "services" / "booking" / "migrations"
FORGET = "DELETE FROM booking.migrations WHERE name LIKE 'booking/0001%'"
ALTER = "UPDATE booking.migrations SET checksum = 'another' WHERE name LIKE 'booking/0001%'"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def failing(*, done: bool) -> Process:
    """Return a one-shot that fails when it is started."""

    async def is_done() -> bool:
        return done

    return replace(fake_one_shot("doomed", 3), done=is_done)


async def test_a_one_shot_with_nothing_to_do_is_not_started(home: Home) -> None:
    """It would fail, and does when there is something to do."""
    async with launched(home, [failing(done=True)], quiet=True):
        assert "doomed speaking" not in home.log("doomed").read_text()
    with pytest.raises(NotStarted):
        async with launched(home, [failing(done=False)], quiet=True):
            pass


@pytest.mark.parametrize("change", [FORGET, ALTER])
async def test_a_schema_is_up_to_date_or_is_migrated(
    database: Callable[..., Awaitable[Database]], change: str
) -> None:
    """One migration forgotten, or applied with other content: then its process must look."""
    own = await database("booking")
    url = own.owner_url("booking")
    assert await is_migrated(url, MIGRATIONS, "booking")
    assert await migrate(url, MIGRATIONS, "booking") == []
    root = await asyncpg.connect(own.superuser_url)
    try:
        await root.execute(change)
    finally:
        await root.close()
    assert not await is_migrated(url, MIGRATIONS, "booking")
    with pytest.raises((MigrationChanged, asyncpg.DuplicateTableError)):
        await migrate(url, MIGRATIONS, "booking")


async def test_an_empty_schema_is_not_up_to_date(
    database: Callable[..., Awaitable[Database]],
) -> None:
    """Nor is a server that cannot be reached."""
    own = await database(migrated=False)
    assert not await is_migrated(own.owner_url("booking"), MIGRATIONS, "booking")
    assert not await is_migrated("postgresql://127.0.0.1:1/none", MIGRATIONS, "booking")


async def test_topics_are_made_when_they_are_absent(
    home: Home, kafka: KafkaServer, topic_prefix: str
) -> None:
    """The row runs once, and has nothing to do afterwards."""
    given = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap, "KAFKA_TOPIC_PREFIX": topic_prefix}
    site = Site(home, home.ports(PORT_NAMES), "/vendor", given)
    (row,) = (each for each in table(site) if each.name == "topics")
    assert row.done is not None
    assert not await row.done()
    async with launched(home, [row], quiet=True):
        assert await row.done()
