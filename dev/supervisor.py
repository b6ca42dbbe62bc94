"""One process of the table, kept running: started, watched, started again when it dies, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from dev.children import Command, kill, spawn, stop
from dev.output import Output
from dev.table import Kind, Process
from shared.clock import monotonic_seconds

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_HEALTHY_SECONDS = 30.0
_ONE_SHOT_TRIES = 3
_OUTPUT_SECONDS = 2.0

Announce = Callable[[str, int], None]


class NotStarted(RuntimeError):
    """A process did not become ready; says which, why, and what its log ends with."""


class Supervisor:
    """Keeps one process of the table running from `start` until `stop`."""

    def __init__(self, process: Process, output: Output, announce: Announce) -> None:
        """Watch `process`; `announce` is told its name and id at each start."""
        self.process = process
        self._output = output
        self._announce = announce
        self._child: asyncio.subprocess.Process | None = None
        self._command: Command | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start the process and return when it is ready; raises `NotStarted`."""
        if self.process.kind is Kind.ONE_SHOT:
            await self._run_one_shot()
            return
        self._keeping = asyncio.create_task(self._keep_running())
        waiting = asyncio.create_task(self._wait_until_ready())
        try:
            await asyncio.wait({self._keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if self._keeping.done() and (problem := self._keeping.exception()):
                raise NotStarted(f"{self.process.name} cannot be started: {problem}") from problem
            await waiting
        finally:
            waiting.cancel()
        if self.process.set_up:
            await self.process.set_up()

    async def stop(self) -> None:
        """Ask the process to end, kill it when it does not, and no longer start it again."""
        self._stopping = True
        if self._child and self._command:
            await stop(self._child, self._command.stop_signal, STOP_SECONDS)
        if self._keeping:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError, OSError, RuntimeError):
                await self._keeping
        if self._child:
            await kill(self._child)

    async def _keep_running(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping:
            started = monotonic_seconds()
            code = await self._run_once()
            if self._stopping:
                return
            if monotonic_seconds() - started > _HEALTHY_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            self._output.note(f"ended with {code}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _run_one_shot(self) -> None:
        if self.process.done and await self.process.done():
            self._output.note("nothing to do")
            return
        code = 0
        for _ in range(_ONE_SHOT_TRIES):
            code = await self._run_once()
            if code == 0 or self._stopping:
                return
            await asyncio.sleep(_FIRST_PAUSE_SECONDS)
        raise NotStarted(self._explain(f"ended with {code}, {_ONE_SHOT_TRIES} times"))

    async def _run_once(self) -> int:
        self._command = await self.process.prepare()
        self._child = child = await spawn(self._command, asyncio.subprocess.PIPE)
        self._announce(self.process.name, child.pid)
        copying = asyncio.create_task(self._output.copy(child))
        try:
            return await child.wait()
        finally:
            # A grandchild may hold the pipe open after the child is gone.
            await asyncio.wait({copying}, timeout=_OUTPUT_SECONDS)
            copying.cancel()

    async def _wait_until_ready(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self.process.ready():
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise NotStarted(self._explain(f"was not ready in {READY_SECONDS:g} s")) from None

    def _explain(self, what: str) -> str:
        return f"{self.process.name} {what}; {self._output.path} ends:\n{self._output.tail()}"
