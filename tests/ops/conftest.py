"""A schema of the kit alone, a pool on it, and the launcher's table of a marketplace at rest."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from dev.environment import Site
from dev.home import Home
from dev.table import PORT_NAMES, Process, table
from shared.contracts.topics import Service
from shared.db import Pool, open_pool
from shared.migrate import migrate
from tests.engines import Database

MakeDatabase = Callable[..., Awaitable[Database]]
SERVICE: Service = "notifications"
KIT_AND_NO_MORE = Path(__file__).parents[1] / "shared" / "migrations"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Give a marketplace of development that nobody starts."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.create()
    return Site(home, dict.fromkeys(PORT_NAMES, 1), "/vendor", {})


@pytest.fixture(scope="module")
def rows(site: Site) -> dict[str, Process]:
    """Give the launcher's table by name."""
    return {row.name: row for row in table(site)}


@pytest.fixture
async def kit_database(database: MakeDatabase) -> Database:
    """Give a database in which one service has the kit's tables."""
    own = await database(migrated=False)
    await migrate(own.owner_url(SERVICE), KIT_AND_NO_MORE, SERVICE)
    return own


@pytest.fixture
async def pool(kit_database: Database) -> AsyncGenerator[Pool]:
    """Give a pool as the runtime role of that service."""
    made = await open_pool(kit_database.app_url(SERVICE), process="test")
    yield made
    await made.close()
