"""The record of what a launcher started, so that the next one can end what it had to leave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from dev.children import start_time
from dev.home import write_whole

_GONE_SECONDS = 10.0
_POLL_SECONDS = 0.02


class RunningProcess(BaseModel):
    """A process by its id and the mark of its start: ids are used again, marks are not."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether exactly this process still runs."""
        return start_time(self.pid) == self.started


class Running(BaseModel):
    """The processes of one launcher by name; the launcher itself is `launcher`."""

    processes: dict[str, RunningProcess] = {}

    @classmethod
    def read(cls, path: Path) -> Running:
        """Return what was recorded; nothing when there is no record."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def record(self, path: Path, name: str, pid: int) -> None:
        """Add a process that has just been started and write the record."""
        self.processes[name] = RunningProcess(pid=pid, started=start_time(pid) or "")
        write_whole(path, json.dumps(self.model_dump(), indent=2))

    async def end_leftovers(self) -> list[str]:
        """Kill every recorded process that still runs; return their names.

        Raises `TimeoutError` when one does not go.
        """
        alive = {name: each for name, each in self.processes.items() if each.is_alive()}
        for each in alive.values():
            with suppress(ProcessLookupError):  # It may have gone since.
                os.kill(each.pid, signal.SIGKILL)
        async with asyncio.timeout(_GONE_SECONDS):
            while any(each.is_alive() for each in alive.values()):
                await asyncio.sleep(_POLL_SECONDS)
        return sorted(alive)
