"""A small table of processes for the tests of the launcher.

`python -m tests.dev.fakes HOME` is a launcher of it, to be killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from dev.children import Command
from dev.home import REPOSITORY, Home
from dev.launcher import cancelled_by_signals, launched, only_launcher
from dev.ports import LOOPBACK
from dev.table import Kind, Process, answers_ok

_SERVER = Path(__file__).with_name("fake_server.py")


def journal_of(home: Home) -> Path:
    return home.root / "journal"


def fake_server(home: Home, name: str, *needs: str) -> Process:
    """Return a row whose server keeps its port and writes to the home's journal."""
    port = home.ports([name], renew_taken=False)[name]
    argv = (sys.executable, str(_SERVER), name, str(port), str(journal_of(home)))

    async def prepare() -> Command:
        return Command(argv, {}, REPOSITORY)

    async def ready() -> bool:
        return await answers_ok(f"http://{LOOPBACK}:{port}/readyz")

    return Process(name, needs, prepare, ready, f"http://{LOOPBACK}:{port}")


def fake_one_shot(name: str, code: int, *needs: str) -> Process:
    """Return a row that says a word and ends with `code`."""

    async def prepare() -> Command:
        program = f"import sys; print('{name} speaking'); sys.exit({code})"
        return Command((sys.executable, "-c", program), {}, REPOSITORY)

    async def ready() -> bool:
        return True

    return Process(name, needs, prepare, ready, kind=Kind.ONE_SHOT)


def fake_table(home: Home) -> tuple[Process, ...]:
    """Return database <- prepared <- api, and another server that needs nothing."""
    return (
        fake_server(home, "api", "prepared"),
        fake_one_shot("prepared", 0, "database"),
        fake_server(home, "database"),
        fake_server(home, "other"),
    )


async def _launch(folder: str) -> None:
    home = Home(Path(folder))
    home.create()
    table = fake_table(home)
    async with cancelled_by_signals(), only_launcher(home), launched(home, table, quiet=True):
        (home.root / "all-ready").touch()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_launch(sys.argv[1]))
