"""The launcher: starts the table in the order of needs, side by side, and stops it in reverse."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from dev.cache import LockHeld, locked
from dev.home import Home
from dev.output import Output
from dev.running import Running
from dev.supervisor import NotStarted, Supervisor
from dev.table import Process

_LOCK_SECONDS = 2.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class AlreadyRunning(RuntimeError):
    """Another launcher keeps this home's marketplace; says what to do."""


class Launcher:
    """Runs processes of a home; started and stopped by `launched`."""

    def __init__(self, home: Home, table: Iterable[Process], *, quiet: bool) -> None:
        """Prepare to run `table`; unless `quiet`, what processes print is shown."""
        self._home = home
        self._running = Running()
        self._running.record(home.running, "launcher", os.getpid())
        self._supervisors = {
            process.name: Supervisor(
                process, Output(process.name, home.log(process.name), quiet=quiet), self._announce
            )
            for process in table
        }

    async def start(self) -> None:
        """Start everything; raises `NotStarted` with the first that fails."""
        ready = {name: asyncio.Event() for name in self._supervisors}
        try:
            async with asyncio.TaskGroup() as group:
                for supervisor in self._supervisors.values():
                    group.create_task(self._start_one(supervisor, ready))
        except* NotStarted as failed:
            raise failed.exceptions[0] from None

    async def stop(self) -> None:
        """Stop everything, each process after all that need it."""
        stopped = {name: asyncio.Event() for name in self._supervisors}
        async with asyncio.TaskGroup() as group:
            for supervisor in self._supervisors.values():
                group.create_task(self._stop_one(supervisor, stopped))

    async def _start_one(self, supervisor: Supervisor, ready: dict[str, asyncio.Event]) -> None:
        for need in supervisor.process.needs:
            await ready[need].wait()
        await supervisor.start()
        ready[supervisor.process.name].set()

    async def _stop_one(self, supervisor: Supervisor, stopped: dict[str, asyncio.Event]) -> None:
        own = supervisor.process.name
        for other in self._supervisors.values():
            if own in other.process.needs:
                await stopped[other.process.name].wait()
        await supervisor.stop()
        stopped[own].set()

    def _announce(self, name: str, pid: int) -> None:
        self._running.record(self._home.running, name, pid)


@asynccontextmanager
async def only_launcher(home: Home) -> AsyncGenerator[list[str]]:
    """Be the one launcher of a home; gives the names of the leftovers that were ended.

    Raises `AlreadyRunning`.
    """
    try:
        async with locked(home.lock, _LOCK_SECONDS):
            yield await Running.read(home.running).end_leftovers()
    except LockHeld:
        raise AlreadyRunning(
            f"the marketplace in {home.root} is running already: stop it with Ctrl-C where it was"
            " started, or set MENTORIUM_HOME to another folder"
        ) from None


@asynccontextmanager
async def launched(
    home: Home, table: Iterable[Process], *, quiet: bool
) -> AsyncGenerator[Launcher]:
    """Give the started marketplace; whatever happens inside, nothing is left running."""
    launcher = Launcher(home, table, quiet=quiet)
    try:
        await launcher.start()
        yield launcher
    finally:
        await launcher.stop()


@asynccontextmanager
async def cancelled_by_signals() -> AsyncGenerator[None]:
    """Turn Ctrl-C, SIGTERM and a closed terminal into the cancellation of this task, once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is None:
        raise RuntimeError("signals are turned into cancellation inside a task only")

    def cancel() -> None:
        for each in _STOP_SIGNALS:  # A second one must not break the orderly stop.
            loop.add_signal_handler(each, lambda: None)
        task.cancel()

    for each in _STOP_SIGNALS:
        loop.add_signal_handler(each, cancel)
    try:
        yield
    finally:
        for each in _STOP_SIGNALS:
            loop.remove_signal_handler(each)
