"""What every test may ask for: the engines, a database of its own, topics of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from dev.kafka import Kafka
from dev.postgres import Postgres
from tests.engines import (
    Database,
    Databases,
    EngineProcess,
    KafkaServer,
    PostgresServer,
    embedded_kafka,
    embedded_postgres,
    engine_folder,
    run_kafka,
    run_postgres,
    running,
)

STACKS = ("embedded", "containers", "external")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of engines."""
    parser.addoption(
        "--stack", choices=STACKS, default=STACKS[0], help="which engines the tests run on"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep in one process what shares a marketplace or a browser, however many run.

    First, because pytest-xdist reads the groups in a hook of the same name.
    """
    for item in items:
        shared = next(
            (kind for kind in ("journey", "browser") if item.get_closest_marker(kind)), ""
        )
        if shared:
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> str:
    """Give the name of the engines the tests run on: one of `STACKS`."""
    return str(request.config.getoption("--stack"))


@pytest.fixture(scope="session")
async def postgres(stack: str) -> AsyncGenerator[PostgresServer]:
    """Give the PostgreSQL server that all tests share; not durable, so nobody kills it."""
    async with run_postgres(stack) as server:
        yield server


@pytest.fixture(scope="session")
async def kafka(stack: str) -> AsyncGenerator[KafkaServer]:
    """Give the Kafka broker that all tests share."""
    async with run_kafka(stack) as server:
        yield server


@pytest.fixture(scope="session")
async def databases(postgres: PostgresServer) -> AsyncGenerator[Databases]:
    """Give the maker of databases; tests ask for `database` instead."""
    maker = Databases(postgres)
    yield maker
    await maker.close()


@pytest.fixture
async def database(databases: Databases) -> AsyncGenerator[Callable[..., Awaitable[Database]]]:
    """Give a function like `Databases.create`, whose databases are dropped when the test ends."""
    async with AsyncExitStack() as ends:

        async def create(*services: str, migrated: bool = True) -> Database:
            made = await databases.create(*services, migrated=migrated)
            ends.push_async_callback(databases.drop, made.name)
            return made

        yield create


@pytest.fixture
def topic_prefix() -> str:
    """Give a prefix that makes topics and consumer groups this test's own on the shared broker."""
    return f"test-{secrets.token_hex(4)}."


@pytest.fixture
async def own_postgres() -> AsyncGenerator[EngineProcess[Postgres]]:
    """Give a running durable PostgreSQL of this test's own, to be killed and started again.

    Roles are set up in its database `mentorium`; nothing is migrated.
    """
    with engine_folder() as folder:
        async with running(embedded_postgres(folder, durable=True)) as own:
            await own.engine.set_up_roles()
            yield own


@pytest.fixture
async def own_kafka() -> AsyncGenerator[EngineProcess[Kafka]]:
    """Give a running Kafka broker of this test's own, to be killed and started again."""
    with engine_folder() as folder:
        async with running(embedded_kafka(folder)) as own:
            yield own
