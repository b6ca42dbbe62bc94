"""The databases the command line works on: one service's with its rights, or all to read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from ops.config import CannotOperate
from shared.contracts.topics import Service
from shared.db import Connection, open_pool, transaction

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What says that a database cannot be worked on now."""


@asynccontextmanager
async def service_database(url: str) -> AsyncGenerator[Connection]:
    """Lend a connection in a transaction; raises `CannotOperate` when the database is away."""
    try:
        async with (
            await open_pool(url, process="ops", largest=1) as pool,
            transaction(pool) as conn,
        ):
            yield conn
    except AWAY as error:
        raise _cannot(error) from error


@asynccontextmanager
async def reading(url: str) -> AsyncGenerator[Connection]:
    """Lend a connection of the reading role; raises `CannotOperate` when the database is away."""
    try:
        async with await open_pool(url, process="ops", largest=1) as pool, pool.acquire() as conn:
            yield conn
    except AWAY as error:
        raise _cannot(error) from error


async def look_into(conn: Connection, service: Service) -> None:
    """Let unqualified names mean a service's own, until the transaction ends."""
    await conn.execute("SELECT set_config('search_path', $1, true)", f"{service}, extensions")


def _cannot(error: BaseException) -> CannotOperate:
    return CannotOperate(f"database: {type(error).__name__} {error}")
