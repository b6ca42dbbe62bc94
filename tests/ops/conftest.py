"""A schema of the kit alone, a pool on it, and the settings of the command line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.contracts.topics import Service
from shared.db import Pool, open_pool
from shared.migrate import migrate
from tests.engines import Database

MakeDatabase = Callable[..., Awaitable[Database]]
SERVICE: Service = "notifications"
KIT_AND_NO_MORE = Path(__file__).parents[1] / "shared" / "migrations"


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
