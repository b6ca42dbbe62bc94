"""The life of a process: tasks that fail begin anew, stopping has a deadline, clocks differ."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from shared.clock import ClockMovedBack, FileBusinessClock, move_clock_to, system_now
from shared.config import CommonSettings, SettingsMissing, load
from shared.db import Bells, open_pool
from shared.migrate import MigrationChanged, migrate, wait_until_migrated
from shared.process import Loop, Supervisor, turn
from tests.engines import Database
from tests.shared.conftest import MIGRATIONS, SCHEMA, eventually


async def test_a_task_that_fails_begins_anew() -> None:
    """One failure after another is logged and survived."""
    supervisor, runs = Supervisor(), 0

    async def shaky(stopping: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError
        await stopping.wait()

    supervisor.start("shaky", shaky)

    async def ran_three_times() -> bool:
        return runs == 3

    await eventually(ran_three_times)
    await asyncio.wait_for(supervisor.stop(), 5)


async def test_a_task_that_a_library_cancels_begins_anew() -> None:
    """A client that cancels its own call from within must not end the task without a word."""
    supervisor, runs = Supervisor(), 0

    async def cancelled_from_within(stopping: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            inner = asyncio.get_running_loop().create_future()
            inner.cancel()
            await inner
        await stopping.wait()

    supervisor.start("cancelled", cancelled_from_within)

    async def ran_three_times() -> bool:
        return runs == 3

    await eventually(ran_three_times)
    await asyncio.wait_for(supervisor.stop(), 5)


async def test_a_worker_turns_at_once_while_there_is_work_and_at_the_bell() -> None:
    """A full batch is followed at once; then the loop sleeps until the bell rings."""
    left, turns = 3, 0
    bells, stopping = Bells("postgresql://nowhere", process="test"), asyncio.Event()

    async def step() -> int:
        nonlocal left, turns
        turns += 1
        left = max(0, left - 1)
        return left

    running = asyncio.create_task(turn(Loop("work", step, 3600, "bell"), bells, stopping))

    async def drained() -> bool:
        return turns == 3

    await eventually(drained)
    bells.bell("bell").set()

    async def woken() -> bool:
        return turns == 4

    await eventually(woken)
    stopping.set()
    await asyncio.wait_for(running, 5)


def test_the_business_clock_moves_forward_only(tmp_path: Path) -> None:
    """All processes see the move; going back is refused; the system clock stays."""
    file = tmp_path / "clock"
    FileBusinessClock.create(file)
    mine, other = FileBusinessClock(file), FileBusinessClock(file)
    target = mine.now() + timedelta(days=3)
    move_clock_to(file, target)
    assert timedelta(0) <= other.now() - target < timedelta(minutes=1)
    assert system_now() < target
    with pytest.raises(ClockMovedBack):
        move_clock_to(file, target - timedelta(days=1))
    mine.close()
    other.close()


def test_a_setting_that_is_missing_is_named() -> None:
    """Who starts a process without its address or secret is told which variable to set."""

    class Needy(CommonSettings):
        mentorium_made_up_secret: str

    with pytest.raises(SettingsMissing, match="MENTORIUM_MADE_UP_SECRET"):
        load(Needy)


async def test_migrations_are_applied_once_and_never_rewritten(
    kit_database: Database, tmp_path: Path
) -> None:
    """A second run does nothing; a file changed after it was applied is an error."""
    url = kit_database.owner_url(SCHEMA)
    assert await migrate(url, MIGRATIONS, SCHEMA) == []
    first = next(iter(sorted(MIGRATIONS.glob("*.sql"))))
    (tmp_path / first.name).write_text(first.read_text() + "-- changed\n")
    with pytest.raises(MigrationChanged):
        await migrate(url, tmp_path, SCHEMA)


async def test_two_migrators_at_once_take_turns(kit_database: Database, tmp_path: Path) -> None:
    """Replicas that start together apply each file once."""
    for file in MIGRATIONS.glob("*.sql"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "0002_more.sql").write_text("CREATE TABLE more (id bigint PRIMARY KEY);")
    url = kit_database.owner_url(SCHEMA)
    done = await asyncio.gather(*(migrate(url, tmp_path, SCHEMA) for _ in range(4)))
    assert sorted(len(applied) for applied in done) == [0, 0, 0, 1]


async def test_a_process_that_is_early_waits_for_its_migrations(
    kit_database: Database, tmp_path: Path
) -> None:
    """A new version may be deployed together with its migrations; an old one never waits."""
    for file in MIGRATIONS.glob("*.sql"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "0002_later.sql").write_text("CREATE TABLE later (id bigint PRIMARY KEY);")
    pool = await open_pool(kit_database.app_url(SCHEMA), process="early")
    early = asyncio.create_task(wait_until_migrated(pool, tmp_path, SCHEMA))
    await asyncio.wait_for(wait_until_migrated(pool, MIGRATIONS, SCHEMA), 10)
    assert not early.done()
    await migrate(kit_database.owner_url(SCHEMA), tmp_path, SCHEMA)
    await asyncio.wait_for(early, 10)
    await asyncio.wait_for(wait_until_migrated(pool, MIGRATIONS, SCHEMA), 10)
    await pool.close()
