"""Connections go back to the pool without a reset: nobody leaves anything behind on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import asyncpg
import pytest

from shared.db import Pool, connection, open_pool, transaction, try_lock
from shared.outbox import Record, Relay
from tests.engines import Database

DEADLINE_SECONDS = 10.0
POLL_SECONDS = 0.02


class Nobody:
    """Takes records and keeps none."""

    async def send_all(self, records: Sequence[Record]) -> None:
        """Acknowledge everything."""


@pytest.fixture
async def pool(database: Callable[..., Awaitable[Database]]) -> AsyncGenerator[Pool]:
    """Give a pool of two connections."""
    own = await database("booking")
    opened = await open_pool(own.app_url("booking"), process="test", largest=2)
    yield opened
    await opened.close()


async def test_a_relay_that_stops_gives_its_lock_back(pool: Pool) -> None:
    """Another takes over although the connection of the first lives on in its pool."""
    stopping = asyncio.Event()
    relay = Relay("booking", pool, Nobody(), asyncio.Event())
    working = asyncio.create_task(relay.run(stopping))
    async with connection(pool) as other, asyncio.timeout(DEADLINE_SECONDS):
        while await try_lock(other, "booking:relay"):
            await other.execute("SELECT pg_advisory_unlock_all()")
            await asyncio.sleep(POLL_SECONDS)
        stopping.set()
        await working
        assert await try_lock(other, "booking:relay")
        await other.execute("SELECT pg_advisory_unlock_all()")


async def fail(pool: Pool) -> None:
    """Break a transaction that set something for itself."""
    async with transaction(pool) as conn:
        await conn.execute("SET LOCAL statement_timeout = '7s'")
        await conn.execute("SELECT 1 / 0")


async def test_a_failed_transaction_leaves_nothing_behind(pool: Pool) -> None:
    """Whoever borrows the connection next begins outside a transaction, with its own deadlines."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail(pool)
    async with connection(pool) as conn:
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SHOW statement_timeout") == "10s"
