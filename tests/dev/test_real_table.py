"""The real rows of the table under the launcher: engines, simulators and topics, killed in turn."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from dev.environment import Site
from dev.home import Home
from dev.launcher import launched, only_launcher
from dev.marketplace import site_of
from dev.running import Running
from dev.status import Status, status_of
from dev.table import table
from shared.contracts.topics import TOPICS
from tests.engines import engine_folder

ROWS = ("postgres", "kafka", "topics", "stripe", "mail")
SERVERS = ("postgres", "kafka", "stripe", "mail")
DEADLINE_SECONDS = 60.0

pytestmark = pytest.mark.xdist_group("real_table")


@pytest.fixture(scope="module")
async def site() -> AsyncGenerator[Site]:
    """Give the site of a home in which the rows that need no service run."""
    with engine_folder() as folder:
        home = Home(folder / "home")
        home.create()
        async with only_launcher(home):
            site = site_of(home, renew_taken_ports=True)
            rows = [row for row in table(site) if row.name in ROWS]
            async with launched(home, rows, quiet=True):
                yield site


def health(status: Status) -> dict[str, str]:
    return {each["name"]: each["health"] for each in status["processes"]}


async def test_the_engines_are_ready_for_the_services(site: Site):
    """A service's role can log in, and the topics of the contracts are there."""
    connection = await asyncpg.connect(site.database_url("booking_app"))
    assert await connection.fetchval("SELECT current_schema()") == "booking"
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=site.kafka_bootstrap)
    await admin.start()
    assert {topic.name for topic in TOPICS} <= set(await admin.list_topics())
    await admin.close()


async def test_status_shows_what_runs(site: Site):
    """The handle has its fields; what was not started is down."""
    status = await status_of(site.home)
    by_name = {each["name"]: each for each in status["processes"]}
    assert {name: by_name[name]["health"] for name in SERVERS} == dict.fromkeys(SERVERS, "ok")
    assert by_name["booking-api"]["health"] == "down"
    assert by_name["booking-api"]["pid"] is None
    assert status["postgres"] == by_name["postgres"]
    assert status["kafka"] == by_name["kafka"]
    for name in SERVERS:
        assert set(by_name[name]) == {"name", "pid", "url", "health", "log"}
        assert by_name[name]["log"] == str(site.home.log(name))


@pytest.mark.parametrize("name", SERVERS)
async def test_a_killed_process_is_back_with_its_data(site: Site, name: str):
    """Kill -9 of an engine or a simulator: it answers again at the same address."""
    before = Running.read(site.home.running).processes[name]
    os.kill(before.pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while Running.read(site.home.running).processes[name].pid == before.pid:
            await asyncio.sleep(0.02)
        while health(await status_of(site.home))[name] != "ok":
            await asyncio.sleep(0.05)
    await test_the_engines_are_ready_for_the_services(site)
