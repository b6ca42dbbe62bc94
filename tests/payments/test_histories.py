"""Whatever happens, both books agree to the cent and each decision takes effect once (P8, P9)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from services.payments.gateway.line import Circuit, Pace
from tests.engines import Database
from tests.payments.checking import complaints
from tests.payments.conftest import UNLIMITED, open_world
from tests.payments.histories import CALL_SECONDS, History
from tests.payments.mortal import MortalGateway

PURCHASES, STEPS = 4, 22
FEWER_PURCHASES, FEWER_STEPS = 2, 12
SHORT_SEEDS = range(50)
LONG_SEEDS = range(1_000, 2_000)
SEEDS_PER_TEST = 20
NewDatabase = Callable[..., Awaitable[Database]]


@asynccontextmanager
async def history(
    database: NewDatabase, seed: int, purchases: int = PURCHASES, steps: int = STEPS
) -> AsyncGenerator[History]:
    """Give a world in which the history of a seed has happened."""
    made: list[MortalGateway] = []

    def gateway(address: str) -> MortalGateway:
        at_once = {"pace": Pace(UNLIMITED), "circuit": Circuit(first_rest_seconds=0.0)}
        made.append(MortalGateway("sk_test_payments", address, CALL_SECONDS, 0, **at_once))
        return made[0]

    async with open_world(await database("payments"), gateway) as world:
        happened = History(world, made[0], Random(seed))
        await happened.happen(purchases, steps)
        yield happened


async def check(database: NewDatabase, seed: int, *size: int) -> None:
    """Assert that nothing is wrong after the history of a seed."""
    async with history(database, seed, *size) as happened:
        found = await complaints(happened.world, happened.purchases)
    assert found == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SHORT_SEEDS)
async def test_both_books_agree_after_any_history(database: NewDatabase, seed: int) -> None:
    """Faults, deaths, lost and doubled notices: no cent and no decision is lost or doubled."""
    await check(database, seed, FEWER_PURCHASES, FEWER_STEPS)


@pytest.mark.long
@pytest.mark.parametrize("first", LONG_SEEDS[::SEEDS_PER_TEST])
async def test_both_books_agree_after_very_many_histories(
    database: NewDatabase, first: int
) -> None:
    """The same for a thousand histories, with more in each."""
    for seed in range(first, first + SEEDS_PER_TEST):
        await check(database, seed)
