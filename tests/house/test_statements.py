"""Every SQL constant is prepared against the schema that the migrations make."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from types import ModuleType

import asyncpg
import pytest

from tests.engines import Database
from tests.house.sources import broken, present_services, sources
from tests.house.test_text import is_sql

MakeDatabase = Callable[..., Awaitable[Database]]
OPS_IN_A_SCHEMA = ("ops.republish",)
"""Their statements run in the schema of any one service."""


@pytest.mark.parametrize("service", present_services())
async def test_statements_of_a_service_fit_its_schema(database: MakeDatabase, service: str):
    """Tables, columns, types and parameters of each statement of the store are there."""
    modules = [
        source.module
        for source in sources("services")
        if source.service == service and source.room == "store"
    ]
    own = await database(service)
    prepared, found = await _prepare(own.app_url(service), modules)
    assert not found, broken(f"services/{service}/store does not fit its migrations", found)
    assert prepared, f"services/{service}/store has no statement"


async def test_statements_of_the_kit_fit_the_kit_s_migrations(database: MakeDatabase):
    """The kit's tables are the same in every schema, so one is enough."""
    service = present_services()[0]
    own = await database(service)
    modules = [source.module for source in sources("shared")]
    prepared, found = await _prepare(own.app_url(service), [*modules, *OPS_IN_A_SCHEMA])
    assert not found, broken("shared does not fit shared/migrations", found)
    assert prepared > 20


async def test_a_statement_that_does_not_fit_is_noticed(database: MakeDatabase):
    """The control: a column that is not there."""
    own = await database(present_services()[0])
    wrong = ModuleType("wrong")
    vars(wrong)["WRONG"] = "SELECT no_such_column FROM outbox"
    _, found = await _prepare_constants(own.app_url(present_services()[0]), [wrong])
    assert "no_such_column" in found[0]


async def _prepare(url: str, names: list[str]) -> tuple[int, list[str]]:
    return await _prepare_constants(url, [importlib.import_module(name) for name in names])


async def _prepare_constants(url: str, modules: list[ModuleType]) -> tuple[int, list[str]]:
    """Return how many statements there were, and the ones PostgreSQL does not understand."""
    prepared, found = 0, list[str]()
    conn = await asyncpg.connect(url)
    try:
        for module in modules:
            for name, value in vars(module).items():
                if not (name.lstrip("_").isupper() and isinstance(value, str) and is_sql(value)):
                    continue
                prepared += 1
                try:
                    await conn.prepare(value)
                except asyncpg.PostgresError as error:
                    found.append(f"{module.__name__}.{name}: {error}")
    finally:
        await conn.close()
    return prepared, found
