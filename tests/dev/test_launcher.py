"""The launcher: order of start and stop, restart, orderly end, and what a killed one leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.children import Command, kill, spawn, start_time
from dev.home import REPOSITORY, Home
from dev.launcher import AlreadyRunning, launched, only_launcher
from dev.running import Running
from dev.supervisor import NotStarted
from tests.dev.fakes import fake_one_shot, fake_server, fake_table, journal_of

DEADLINE_SECONDS = 20.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


def journal(home: Home) -> list[str]:
    path = journal_of(home)
    return path.read_text().splitlines() if path.exists() else []


async def launcher_process(home: Home) -> asyncio.subprocess.Process:
    argv = (sys.executable, "-m", "tests.dev.fakes", str(home.root))
    output = asyncio.subprocess.DEVNULL
    process = await spawn(Command(argv, dict(os.environ), REPOSITORY), output)
    await until((home.root / "all-ready").exists)
    return process


async def test_what_is_needed_starts_first_and_stops_last(home: Home):
    """The api begins after its database and ends before it."""
    async with launched(home, fake_table(home), quiet=True):
        lines = journal(home)
        assert sorted(lines) == ["api begins", "database begins", "other begins"]
        assert lines.index("database begins") < lines.index("api begins")
    lines = journal(home)
    assert lines.index("api ends") < lines.index("database ends")
    assert "other ends" in lines


async def test_a_process_that_dies_is_started_again_on_its_port(home: Home):
    """After a kill the same name answers on the same address with another id."""
    row = fake_server(home, "api")
    async with launched(home, [row], quiet=True):
        first = Running.read(home.running).processes["api"].pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: Running.read(home.running).processes["api"].pid != first)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await row.ready():
                await asyncio.sleep(0.02)
        assert journal(home).count("api begins") == 2
    assert "ended with -9" in home.log("api").read_text()


async def test_a_one_shot_that_fails_is_named_with_its_words(home: Home):
    """Starting fails, says who and what it printed, and stops what had begun."""
    rows = (fake_server(home, "database"), fake_one_shot("migrate", 3, "database"))
    with pytest.raises(NotStarted, match=r"(?s)migrate ended with 3.*migrate speaking"):
        async with launched(home, rows, quiet=True):
            pass
    assert journal(home) == ["database begins", "database ends"]


async def test_one_home_has_one_launcher(home: Home):
    """A second launcher is refused while the first runs, and welcome afterwards."""
    async with only_launcher(home):
        with pytest.raises(AlreadyRunning, match="MENTORIUM_HOME"):
            async with only_launcher(home):
                pass
    async with only_launcher(home):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_in_order(home: Home, number: signal.Signals):
    """Ctrl-C and SIGTERM leave no process behind."""
    launcher = await launcher_process(home)
    pids = [each.pid for each in Running.read(home.running).processes.values()]
    launcher.send_signal(number)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await launcher.wait()
    assert [pid for pid in pids if start_time(pid)] == []
    assert journal(home).index("api ends") < journal(home).index("database ends")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
async def test_children_go_with_a_killed_launcher(home: Home):
    """Kill -9 of the launcher ends every child without a word."""
    launcher = await launcher_process(home)
    processes = Running.read(home.running).processes
    await kill(launcher)
    await until(lambda: not any(each.is_alive() for each in processes.values()))
    assert not any(line.endswith("ends") for line in journal(home))


async def test_leftovers_are_ended_at_the_next_start_and_strangers_are_not(home: Home):
    """A recorded process is killed; another that has since got a recorded id is not."""
    sleeper = Command((sys.executable, "-c", "import time; time.sleep(60)"), {}, Path("/"))
    leftover = await spawn(sleeper, asyncio.subprocess.DEVNULL)
    stranger = await spawn(sleeper, asyncio.subprocess.DEVNULL)
    running = Running()
    running.record(home.running, "api", leftover.pid)
    running.record(home.running, "web", stranger.pid)
    running.processes["web"].started = "earlier"
    running.record(home.running, "mail", leftover.pid)
    try:
        async with only_launcher(home) as ended:
            assert ended == ["api", "mail"]
        await until(lambda: leftover.returncode is not None)
        assert stranger.returncode is None
    finally:
        await kill(leftover)
        await kill(stranger)
