"""A small table of processes for the tests of the launcher, which can also run as a program.

`python -m tests.dev.fakes serve NAME PORT JOURNAL` is one server: it answers /readyz and writes to
the journal when it begins and when it is asked to end. `python -m tests.dev.fakes launch HOME` is
a launcher of such servers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType

from dev.children import Command
from dev.home import REPOSITORY, Home
from dev.launcher import cancelled_by_signals, launched, only_launcher
from dev.ports import LOOPBACK
from dev.table import Kind, Process, answers_ok


def journal_of(home: Home) -> Path:
    return home.root / "journal"


def fake_server(home: Home, name: str, *needs: str) -> Process:
    """Return a row whose server keeps its port and writes to the home's journal."""
    port = home.ports([name], renew_taken=False)[name]
    words = ("serve", name, str(port), str(journal_of(home)))
    command = _command(*words)

    async def prepare() -> Command:
        return command

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


def _command(*words: str) -> Command:
    argv = (sys.executable, "-m", "tests.dev.fakes", *words)
    return Command(argv, dict(os.environ), REPOSITORY)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Stay silent."""


def _write(journal: str, line: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"{line}\n")


def _serve(name: str, port: str, journal: str) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        _write(journal, f"{name} ends")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    server = HTTPServer((LOOPBACK, int(port)), _Answer)
    _write(journal, f"{name} begins")
    server.serve_forever()


async def _launch(folder: str) -> None:
    home = Home(Path(folder))
    home.create()
    async with cancelled_by_signals(), only_launcher(home) as leftovers:
        _write(str(journal_of(home)), f"leftovers {leftovers}")
        async with launched(home, fake_table(home), quiet=True):
            _write(str(journal_of(home)), "all ready")
            await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(*sys.argv[2:])
    else:
        asyncio.run(_launch(sys.argv[2]))
