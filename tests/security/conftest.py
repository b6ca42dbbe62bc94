"""The services as attackers meet them: over real HTTP, byte by byte where a client would not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from tests.profiles.conftest import house, market, operator, own

__all__ = ["house", "market", "operator", "own"]

ANSWER_SECONDS = 30.0
HEAD_LONGEST = 64 * 1024


@dataclass
class Wire:
    """A connection on which anything can be sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        """Send bytes; a server that has hung up is no error."""
        with suppress(ConnectionError):
            self.writer.write(content)
            await self.writer.drain()

    async def status(self) -> int:
        """Return the status of the next answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            line = await self.reader.readline()
        return int(line.split()[1])

    async def ended(self) -> bool:
        """Return once the server has ended the connection without a word."""
        async with asyncio.timeout(ANSWER_SECONDS):
            with suppress(ConnectionError):
                return await self.reader.read(1) == b""
        return True

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def connect(host: str, port: int) -> Wire:
    """Open a connection."""
    return Wire(*await asyncio.open_connection(host, port, limit=HEAD_LONGEST))
