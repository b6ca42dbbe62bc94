"""P17, P18: two versions side by side under load; no request fails, and nothing happens twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from dev.client import Caller, Person, until
from dev.journey import Purchase, new_person, operator
from dev.marketplace import Marketplace
from dev.seeding import buy_some_slot
from tests.engines import engine_folder
from tests.journeys.conftest import money_lines, open_stall, verified
from tests.journeys.rolling import (
    Balanced,
    Balancer,
    Instance,
    NextVersion,
    PlainCaller,
    balanced,
    end_of_this_version,
    next_version,
    ready_at,
)

pytestmark = pytest.mark.journey

SAMPLE = ("booking",)
ALL = ("profiles", "booking", "payments", "notifications")
BUYERS_IN_A_SAMPLE = 3
BUYERS = 8


@dataclass
class Load:
    """People who buy one session after another, asking once for everything."""

    bought: list[tuple[Person, Purchase]] = field(default_factory=list[tuple[Person, Purchase]])
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def buy_on(self, person: Person, offering_id: str, number: int) -> None:
        """Search, buy and look for news until told to stop; whatever fails ends it."""
        while not self._stop.is_set():
            await person.get("profiles", "/v1/mentors")
            purchase = await buy_some_slot(person, offering_id, number + 7 * len(self.bought))
            await person.get("notifications", "/v1/me/feed/unread")
            self.bought.append((person, purchase))

    async def goes_on(self) -> None:
        """Return when one more session has been bought than now."""
        before = len(self.bought)

        async def more() -> bool | None:
            return len(self.bought) > before or None

        await until(more, "another purchase")

    def stop(self) -> None:
        """Let everybody finish what they have begun."""
        self._stop.set()


async def _buyers(caller: Caller, plain: Caller, count: int) -> list[tuple[Person, str]]:
    """Return people who ask once, each with the offering of a mentor of their own."""
    stalls = [await open_stall(caller, f"Mentor {number}") for number in range(count)]
    people: list[tuple[Person, str]] = []
    for number in range(count):
        person = await new_person(caller, f"Roller {number}", wants="mentee", zone="UTC")
        person.caller = plain
        people.append((person, stalls[number].offering_id))
    return people


async def _roll(
    market: Marketplace,
    version: NextVersion,
    balancers: dict[str, Balancer],
    load: Load,
    services: tuple[str, ...],
) -> None:
    """Bring the next version one process at a time, let both work, and take it back."""
    newer: list[Instance] = []
    for service in services:
        for role in ("api", "worker"):
            # The first is early: it waits for the migrations of its version.
            instance = await version.start(service, role)
            newer.append(instance)
            if role == "api":
                await version.migrate(service)
            balancer = balancers.get(f"{service}-{role}") or balancers["worker"]
            balancer.backends.append(instance.url)
            await ready_at(balancer, instance.url)
            await end_of_this_version(market, f"{service}-{role}")
            await load.goes_on()
    for instance in newer:
        assert await instance.end() == 0, instance.log.read_text()
        await load.goes_on()


async def _deploy(
    market: Marketplace,
    caller: Caller,
    folder: Path,
    services: tuple[str, ...],
    buyers: int,
) -> None:
    async with AsyncExitStack() as ends:
        version = await ends.enter_async_context(next_version(market, folder, services))
        names = [f"{service}-api" for service in services]
        balancers = {
            name: await ends.enter_async_context(balanced(market.url(name))) for name in names
        }
        # Nobody asks a worker for anything; only its readiness is looked at.
        first_worker = market.url(f"{services[0]}-worker")
        balancers["worker"] = await ends.enter_async_context(balanced(first_worker))
        http = await ends.enter_async_context(aiohttp.ClientSession())
        plain = PlainCaller(Balanced(market, balancers), http)
        people = await _buyers(caller, plain, buyers)
        load = Load()
        async with asyncio.TaskGroup() as group:
            for number, (person, offering_id) in enumerate(people):
                group.create_task(load.buy_on(person, offering_id, number))
            await _roll(market, version, balancers, load, services)
            load.stop()
        await _nothing_failed_and_nothing_doubled(market, caller, balancers, load)
        assert_both_versions_served(balancers, version)


async def _nothing_failed_and_nothing_doubled(
    market: Marketplace, caller: Caller, balancers: dict[str, Balancer], load: Load
) -> None:
    assert [failure for each in balancers.values() for failure in each.failures] == []
    await market.rest()
    overseer = await operator(caller)
    assert len({purchase.order_id for _, purchase in load.bought}) == len(load.bought)
    for _, purchase in load.bought:
        assert (await money_lines(overseer, purchase.order_id))["charge"] == 12_000
    await verified(market)


def assert_both_versions_served(balancers: dict[str, Balancer], version: NextVersion) -> None:
    """See that the balancers had requests answered by this version and by the next."""
    newer = {instance.url for instance in version.instances}
    for name, balancer in balancers.items():
        if name != "worker":
            assert balancer.served.keys() & newer, name
            assert balancer.served.keys() - newer, name


async def test_a_rolling_deploy_is_not_noticed(market: Marketplace, caller: Caller) -> None:
    """A sample: the API and the worker of booking give way to the next version, and come back."""
    with engine_folder() as folder:
        await _deploy(market, caller, folder, SAMPLE, BUYERS_IN_A_SAMPLE)


@pytest.mark.long
async def test_all_services_are_deployed_under_load(market: Marketplace, caller: Caller) -> None:
    """Every API and worker gives way to the next version and comes back, while people buy."""
    with engine_folder() as folder:
        await _deploy(market, caller, folder, ALL, BUYERS)
