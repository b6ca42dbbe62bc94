"""A plan that ends at once while its sessions are being booked, in another transaction."""

from __future__ import annotations

import asyncio

import pytest

from tests.payments.conftest import World
from tests.payments.shop import LIST, Shop
from tests.payments.study import MONTH, SESSIONS, UNIT, Study
from tests.payments.test_credits import DEADLINE_SECONDS, WAITING

UNDETERMINED = "SELECT count(*) FROM operations WHERE state = 'undetermined'"


async def waiting(world: World, how_many: int) -> None:
    """Wait until so many transactions wait for a lock."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await world.pool.fetchval(WAITING) < how_many:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("booked", [1, SESSIONS])
async def test_what_is_booked_while_a_plan_ends_at_once_is_not_paid_back(
    world: World, booked: int
) -> None:
    """The answer waits for the booking and gives back what that has left, all or nothing of it."""
    study = Study(await Shop(world).open())
    await study.subscribe()
    async with world.pool.acquire() as conn, conn.transaction():
        # The booking has its credits by then, and cannot write its sessions yet.
        await conn.execute("LOCK TABLE sessions IN SHARE MODE")
        holding = asyncio.ensure_future(study.shop.hold(*[LIST] * booked))
        await waiting(world, 1)
        ending = asyncio.ensure_future(study.do("end", {"at": "now", "shown_minor": MONTH}))
        await waiting(world, 2)
    await holding
    assert (await ending)["state"] == "ended"
    assert await world.pool.fetchval(UNDETERMINED) == 0
    back = [each["amount"] for each in await study.stripes("refund")]
    assert back == ([MONTH - UNIT] if booked == 1 else [])
    assert not any(await study.shop.left())
    await study.check()
