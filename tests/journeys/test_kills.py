"""P7: any one process may be killed in the middle of journeys; all of them end right."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from datetime import datetime, timedelta

import pytest

from dev.client import Caller, Json, Person, until
from dev.journey import Purchase, buy, free_slots, new_person, operator
from dev.marketplace import Marketplace
from dev.seeding import buy_some_slot
from dev.status import status_of
from shared.clock import move_clock_to
from tests.journeys.conftest import Stall, money_lines, open_stall, verified

pytestmark = pytest.mark.journey

JOURNEYS = 20
JOURNEYS_IN_A_SAMPLE = 6
SAMPLE = ("booking-worker", "kafka", "payments-worker", "postgres")
ALL = (
    *SAMPLE, "stripe", "mail", "web", "profiles-api", "profiles-worker", "booking-api",
    "payments-api", "notifications-api", "notifications-worker",
)  # fmt: skip
LONG_AFTER = timedelta(days=12)


async def _kill(market: Marketplace, name: str) -> None:
    status = await status_of(market.site.home)
    process = next(each for each in status["processes"] if each["name"] == name)
    assert process["pid"] is not None
    os.kill(process["pid"], signal.SIGKILL)


async def _all_up(market: Marketplace) -> None:
    async def up() -> bool | None:
        status = await status_of(market.site.home)
        return True if all(each["health"] == "ok" for each in status["processes"]) else None

    await until(up, "every process being up again")


async def _journeys(caller: Caller, count: int) -> list[tuple[Person, Stall, Json]]:
    stalls = [await open_stall(caller, f"Mentor {number}") for number in range(2)]
    plans: list[tuple[Person, Stall, Json]] = []
    for number in range(count):
        person = await new_person(caller, f"Walker {number}", wants="mentee", zone="UTC")
        stall = stalls[number % 2]
        # Two hours apart, so that buffers keep the plans out of each other's way.
        slots = await free_slots(person, stall.offering_id)
        plans.append((person, stall, slots[8 + 4 * number]))
    return plans


async def _end_right(
    market: Marketplace, caller: Caller, victims: tuple[str, ...], count: int
) -> None:
    """Kill the victims one after another while people buy; see that every purchase ends right."""
    plans = await _journeys(caller, count)
    walking = [
        asyncio.create_task(buy(person, stall.offering_id, slot)) for person, stall, slot in plans
    ]
    witnesses = random.Random("".join(victims)).choices(plans, k=len(victims))
    for victim, (witness, _, _) in zip(victims, witnesses, strict=True):

        async def under_way(witness: Person = witness) -> bool | None:
            orders = await witness.get("booking", "/v1/orders")
            return True if orders["items"] else None

        await until(under_way, "a journey being under way")
        await _kill(market, victim)
    purchases = await asyncio.gather(*walking)
    await _all_up(market)
    await market.advance_by(LONG_AFTER)
    overseer = await operator(caller)
    for purchase in purchases:
        lines = await money_lines(overseer, purchase.order_id)
        assert lines["charge"] == 12_000, (victims, lines)
        assert abs(lines["transfer"]) == 10_200, (victims, lines)
    await verified(market)


async def test_killed_processes_lose_nothing(market: Marketplace, caller: Caller) -> None:
    """A sample: both engines and the workers that hold money and time, one after another."""
    await _end_right(market, caller, SAMPLE, JOURNEYS_IN_A_SAMPLE)


@pytest.mark.long
async def test_any_killed_process_loses_nothing_in_twenty_journeys(
    market: Marketplace, caller: Caller
) -> None:
    """Every process of the table, each killed while twenty people buy; all end right."""
    stalls = [await open_stall(caller, f"Mentor {number}") for number in range(4)]
    people = await asyncio.gather(
        *(new_person(caller, f"Buyer {n}", wants="mentee", zone="UTC") for n in range(JOURNEYS))
    )
    bought: list[Purchase] = []
    for turn, victim in enumerate(ALL):
        walking = [
            asyncio.create_task(
                buy_some_slot(person, stalls[n % len(stalls)].offering_id, turn * JOURNEYS + n)
            )
            for n, person in enumerate(people)
        ]
        await asyncio.wait(walking, return_when=asyncio.FIRST_COMPLETED)
        await _kill(market, victim)
        bought += await asyncio.gather(*walking)
        await _all_up(market)
    await _let_everything_end(market, max(purchase.ends_at for purchase in bought))
    overseer = await operator(caller)
    for purchase in bought:
        lines = await money_lines(overseer, purchase.order_id)
        assert (lines["charge"], abs(lines["transfer"])) == (12_000, 10_200), lines
    await verified(market)


async def _let_everything_end(market: Marketplace, last: datetime) -> None:
    """Jump over many due instants at once: workers catch up with all of them."""
    for after in (timedelta(hours=25), timedelta(hours=74), timedelta(days=7)):
        move_clock_to(market.site.home.clock, last + after)
        await market.rest()
