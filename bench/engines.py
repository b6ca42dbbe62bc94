"""The engines a benchmark runs on: durable, as in production, started for it and gone after it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.home import Home
from dev.launcher import launched
from dev.marketplace import site_of
from dev.postgres import Postgres
from dev.table import postgres_of, table
from shared.migrate import migrate

_ENGINES = ("postgres", "kafka")
_SERVICES = Path(__file__).parents[1] / "services"

NewDatabase = Callable[[str], Awaitable[str]]
"""Makes a database in which a service is migrated; returns the address of its runtime role."""


@dataclass(frozen=True)
class Engines:
    """PostgreSQL by its databases, Kafka by its address."""

    kafka: str
    new_database: NewDatabase


@asynccontextmanager
async def engines() -> AsyncGenerator[Engines]:
    """Give engines of our own; raises what starting them raises."""
    home = Home(Path(tempfile.mkdtemp(prefix="mentorium-bench-")))
    site = site_of(home)
    rows = [row for row in table(site) if row.name in _ENGINES]
    postgres = postgres_of(home, site.ports["postgres"])
    made = 0

    async def new_database(service: str) -> str:
        nonlocal made
        made += 1
        return await _migrated(postgres, f"bench_{made}", service)

    try:
        async with launched(home, rows, quiet=True):
            yield Engines(site.kafka_bootstrap, new_database)
    finally:
        home.remove()


async def _migrated(postgres: Postgres, name: str, service: str) -> str:
    await postgres.set_up_roles(name)
    await migrate(
        postgres.url(f"{service}_owner", name), _SERVICES / service / "migrations", service
    )
    return postgres.url(f"{service}_app", name)
