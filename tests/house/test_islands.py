"""Each service alone: installed with its own extra only, and with nobody else's folder there.

What it runs with here is what its image has: `test_an_image_holds_its_own_part_alone` says so.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import aiohttp
import pytest

from dev.children import Command, ProgramFailed, kill, run_to_end, spawn
from dev.environment import Site
from dev.home import Home
from dev.ports import LOOPBACK, free_ports
from dev.table import PORT_NAMES, answers_ok
from tests.engines import Database, engine_folder
from tests.house.sources import REPOSITORY, present_services

pytestmark = pytest.mark.long

UV = Path(sys.executable).with_name("uv")
LOCKED = ("pyproject.toml", "uv.lock")
TEST_ROOMS = (
    "simulators", "dev", "deploy/postgres",
    "tests/__init__.py", "tests/conftest.py", "tests/engines.py",
)  # fmt: skip
"""What the tests of every service stand on; the launcher and the simulators use no service."""
INSTALL_SECONDS = 300.0
START_SECONDS = 40.0
TESTS_SECONDS = 900.0
POLL_SECONDS = 0.05
THEIRS = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "UV_PROJECT")
"""Variables that would lead back to the environment these tests run in."""
OUTSIDE = {name: value for name, value in os.environ.items() if not name.startswith(THEIRS)}


@dataclass(frozen=True)
class Island:
    """A folder with one service and what it stands on, and a virtual environment of its own."""

    service: str
    folder: Path

    async def settle(self, *rooms: str, install: tuple[str, ...]) -> None:
        """Copy the kit, the service and these rooms; install the base and what is said."""
        own = ("shared", "services/__init__.py", f"services/{self.service}")
        for room in (*LOCKED, *own, *rooms):
            _copy(room, self.folder)
        await self.run(str(UV), "sync", "--frozen", "--no-default-groups", *install)

    def python(self, *words: str, env: dict[str, str] | None = None) -> Command:
        """Return a command of the island's own interpreter."""
        program = str(self.folder / ".venv" / "bin" / "python")
        return Command((program, "-m", *words), OUTSIDE if env is None else env, self.folder)

    async def run(self, *argv: str) -> None:
        """Run a program here; raises `ProgramFailed` with what it printed."""
        await run_to_end(Command(argv, OUTSIDE, self.folder), INSTALL_SECONDS)

    def told(self, url: str, owner_url: str) -> dict[str, str]:
        """Return the whole environment that the launcher would give the service."""
        home = Home(self.folder / "home")
        home.create()
        site = Site(home, dict.fromkeys(PORT_NAMES, 1), "/vendor", {})
        name = self.service.upper()
        return site.environment(self.service) | {
            f"{name}_DATABASE_URL": url, f"{name}_MIGRATE_DATABASE_URL": owner_url
        }  # fmt: skip

    @asynccontextmanager
    async def api(self, env: dict[str, str]) -> AsyncGenerator[str]:
        """Run the API; give its address, and expect an orderly end."""
        (port,) = free_ports(1)
        with self._log.open("wb") as output:
            command = self.python(f"services.{self.service}", "api", "--port", str(port), env=env)
            process = await spawn(command, output.fileno())
        try:
            yield f"http://{LOOPBACK}:{port}"
            process.send_signal(command.stop_signal)
            async with asyncio.timeout(START_SECONDS):
                assert await process.wait() == 0, self.said()
        finally:
            await kill(process)

    def said(self) -> str:
        """Return what the API has printed."""
        return self._log.read_text()

    async def until(self, happened: Callable[[], Awaitable[bool]]) -> None:
        """Wait until it is so; fail by the deadline with what the API has printed."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await happened():
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            pytest.fail(f"not within {START_SECONDS} s:\n{self.said()}")

    @property
    def _log(self) -> Path:
        return self.folder / "log"


@pytest.fixture(params=present_services())
async def island(request: pytest.FixtureRequest) -> AsyncGenerator[Island]:
    """Give an empty island for each service; PostgreSQL's account can enter it."""
    with engine_folder() as folder:
        yield Island(str(request.param), folder)


async def test_a_service_starts_with_its_own_extra_alone(
    island: Island, database: Callable[..., Awaitable[Database]]
):
    """It makes its schema, waits while the database is away, and answers when it is there."""
    service = island.service
    await island.settle(install=("--extra", service))
    own = await database(migrated=False)
    away = f"postgresql://{service}_app@{LOOPBACK}:{free_ports(1)[0]}/none"
    told = island.told(own.app_url(service), own.owner_url(service))

    async def waits() -> bool:
        return "database_away" in island.said()

    await run_to_end(island.python(f"services.{service}", "migrate", env=told), START_SECONDS)
    async with island.api(told) as url:
        await island.until(lambda: answers_ok(f"{url}/readyz"))
        async with aiohttp.ClientSession(url) as client:
            assert (await client.get("/livez")).status == 200
            paths = (await (await client.get("/openapi.json")).json())["paths"]
            assert paths
    async with island.api(island.told(away, away)) as url:
        await island.until(waits)
        assert not await answers_ok(f"{url}/readyz")


async def test_a_service_passes_its_tests_with_the_others_absent(island: Island):
    """Engines, simulators and its own tests are all that is added; the long sweeps are not run."""
    rooms = (*TEST_ROOMS, f"tests/{island.service}")
    extra = ("--extra", island.service, "--group", "engines", "--group", "test")
    await island.settle(*rooms, install=extra)
    present = {path.name for path in (island.folder / "services").iterdir() if path.is_dir()}
    assert present == {island.service}
    await run_to_end(
        island.python("pytest", "-m", "not long", f"tests/{island.service}"), TESTS_SECONDS
    )


async def test_without_its_extra_a_service_does_not_start(island: Island):
    """The control: an island has nothing of the environment in which these tests run."""
    await island.settle(install=())
    told = island.told("postgresql://nowhere/", "postgresql://nowhere/")
    with pytest.raises(ProgramFailed, match="No module named"):
        await run_to_end(
            island.python(f"services.{island.service}", "migrate", env=told), START_SECONDS
        )


def _copy(room: str, island: Path) -> None:
    source, goal = REPOSITORY / room, island / room
    goal.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        copytree(source, goal, ignore=ignore_patterns("__pycache__"))
    else:
        copy(source, goal)
