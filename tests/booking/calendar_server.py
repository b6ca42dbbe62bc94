"""A server of calendars on this machine, and names that lead where a test wants."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

HERE = "127.0.0.1"
EMPTY = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
SECRET = "private-7c1f0e"


def busy_at(*starts: str, more: str = "") -> str:
    """Return a calendar with events of an hour; a start is `20260306T140000Z` or without Z."""
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{start}\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
        for start in starts
    )
    return EMPTY.replace("END:VCALENDAR", f"{more}{events}END:VCALENDAR")


@dataclass
class CalendarServer:
    """Answers with `text`, or as `status` says; remembers what it was asked."""

    text: str = EMPTY
    status: int = 200
    etag: str | None = '"1"'
    location: str = ""
    redirects: int = 0
    asked: list[web.Request] = field(default_factory=list[web.Request])
    server: TestServer = field(init=False)

    def __post_init__(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self.server = TestServer(app, host=HERE)

    @property
    def port(self) -> int:
        assert self.server.port
        return self.server.port

    def url(self, host: str = HERE, scheme: str = "http") -> str:
        """Return the address of the calendar, under a name if one is given."""
        return f"{scheme}://{host}:{self.port}/{SECRET}/basic.ics"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.redirects >= len(self.asked):
            raise web.HTTPFound(self.location or self.url())
        if request.path == "/endless":
            return await self._endlessly(request)
        if self.etag and request.headers.get("If-None-Match") == self.etag:
            raise web.HTTPNotModified
        headers = {"ETag": self.etag} if self.etag else {}
        return web.Response(text=self.text, status=self.status, headers=headers)

    async def _endlessly(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"X-PADDING:" + b"x" * 1_000_000 + b"\r\n")
            await asyncio.sleep(0)


class Names(AbstractResolver):
    """Resolves every name to the next of several answers; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.resolved = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of this time; none means that the name is not known."""
        found = self._answers[min(self.resolved, len(self._answers) - 1)]
        self.resolved += 1
        if not found:
            raise OSError(None, "unknown")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is open."""
