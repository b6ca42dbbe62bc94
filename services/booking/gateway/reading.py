"""Reading feeds in a process of its own, which is ended when a feed keeps it busy for too long.

A thread could not be ended, and the libraries may count instances for hours. The process is kept
for the next feed, reads one at a time, may use so much memory, and knows none of our secrets: it
starts with an empty environment and is told the text, the zone and the window through a pipe.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.booking.domain.calendars import Failure, FeedUnusable, Reading
from services.booking.slots import Interval
from shared.clock import from_epoch_seconds, to_epoch_seconds

READ_SECONDS = 15.0
ANSWER_BYTES = 1024 * 1024
HOUSE = Path(__file__).parents[3]
READER = "services.booking.gateway.reader"


class Reader:
    """The process that reads; started when there is something to read, and again when it ended."""

    def __init__(self, seconds: float = READ_SECONDS) -> None:
        """Give each feed so many seconds."""
        self.seconds = seconds
        self._turn = asyncio.Lock()
        self._process: Process | None = None

    async def read(self, content: bytes, zone: str, window: Interval) -> Reading:
        """Return what a feed says about a window; raises `FeedUnusable`."""
        question = {
            "bytes": len(content),
            "zone": zone,
            "window": [to_epoch_seconds(window.starts_at), to_epoch_seconds(window.ends_at)],
        }
        async with self._turn:
            answer = await self._ask(json.dumps(question).encode() + b"\n" + content)
        return _reading(answer)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, question: bytes) -> dict[str, Any]:
        answered = False
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self._converse(question)
                answered = True
                return answer
        except (TimeoutError, OSError, ValueError):
            # It takes too long, or took too much memory and is gone.
            raise FeedUnusable(Failure.TOO_COMPLEX) from None
        finally:
            # A process that still owes an answer would give it to the next question.
            if not answered:
                await self.close()

    async def _converse(self, question: bytes) -> dict[str, Any]:
        if self._process is None or self._process.returncode is not None:
            self._process = await _start()
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise BrokenPipeError
        process.stdin.write(question)
        await process.stdin.drain()
        return json.loads(await process.stdout.readline())


async def _start() -> Process:
    # A group of its own: what a terminal sends to ours does not end it in the middle.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", READER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
        cwd=HOUSE, env={}, limit=ANSWER_BYTES, start_new_session=True,
    )  # fmt: skip


def _reading(answer: dict[str, Any]) -> Reading:
    if failure := answer.get("failure"):
        raise FeedUnusable(Failure(failure))
    busy = tuple(Interval(*map(from_epoch_seconds, pair)) for pair in answer["busy"])
    refresh = answer["refresh"]
    return Reading(busy, None if refresh is None else timedelta(seconds=refresh))
