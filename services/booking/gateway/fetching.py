"""Fetching feeds from addresses that people gave us, without being led anywhere by them.

Where a connection goes is decided at the connection itself: `_Guard.open` is called with the very
address the socket will be connected to, whatever the name resolved to a moment ago, and for each
redirect again. Proxies of the environment are not used, for behind one we would see no address.
Nothing of ours is sent along: no cookie, no password, no Referer.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.booking.domain.calendars import (
    CalendarAddressRefused,
    Failure,
    FeedUnusable,
    Marks,
    Reach,
)

FETCH_SECONDS = 20.0
"""For everything: names, redirects, and the last byte."""
CONNECT_SECONDS = 5.0
LARGEST_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
REDIRECTS_AT_MOST = 3
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS = {
    "Accept": "text/calendar, */*;q=0.5",
    # What arrives is what is counted: nothing small unfolds into something large.
    "Accept-Encoding": "identity",
    "User-Agent": "Mentorium-Calendars/1",
}
OK, NOT_MODIFIED = 200, 304
FAILURE_OF_STATUS = {
    401: Failure.NOT_PERMITTED,
    403: Failure.NOT_PERMITTED,
    404: Failure.NOT_FOUND,
    410: Failure.NOT_FOUND,
}


@dataclass(frozen=True)
class Feed:
    """What a server sent, and how to ask it next time."""

    content: bytes
    marks: Marks


@dataclass
class _Guard:
    """Opens sockets to where `reach` allows; remembers that it refused one."""

    reach: Reach
    refused: bool = False

    def open(self, found: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Return a socket for an address; raises `OSError` for one that is not allowed."""
        family, kind, protocol, _, (address, port, *_rest) = found
        if not self.reach.allows(str(address), int(str(port))):
            self.refused = True
            raise OSError("not allowed")
        return socket.socket(family, kind, protocol)


@dataclass(frozen=True)
class Fetcher:
    """Fetches feeds; `resolver` is the system's unless one is given."""

    reach: Reach
    resolver: AbstractResolver | None = None
    seconds: float = FETCH_SECONDS

    async def fetch(self, url: str, marks: Marks) -> Feed | None:
        """Return a feed, or nothing when it is as `marks` say; raises `FeedUnusable`."""
        guard = _Guard(self.reach)
        try:
            async with asyncio.timeout(self.seconds), self._session(guard) as session:
                return await self._follow(session, url, marks)
        except TimeoutError:
            raise FeedUnusable(Failure.TIMED_OUT) from None
        except (aiohttp.ClientError, CalendarAddressRefused, ValueError, OSError) as error:
            # Their texts quote the address, so nothing of them is kept.
            raise FeedUnusable(_failure(error, guard)) from None

    def _session(self, guard: _Guard) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self.resolver,
            use_dns_cache=False,
            force_close=True,
            socket_factory=guard.open,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            trust_env=False,
            auto_decompress=False,
        )

    async def _follow(self, session: aiohttp.ClientSession, url: str, marks: Marks) -> Feed | None:
        for _ in range(REDIRECTS_AT_MOST + 1):
            self.reach.check(url)
            async with session.get(
                URL(url, encoded=True), headers=_asking(marks), allow_redirects=False
            ) as answer:
                if answer.status not in REDIRECTS:
                    return await _feed(answer)
                url = str(answer.url.join(URL(answer.headers.get("Location", ""))))
        raise FeedUnusable(Failure.TOO_MANY_REDIRECTS)


def _asking(marks: Marks) -> dict[str, str]:
    asked = {"If-None-Match": marks.etag, "If-Modified-Since": marks.last_modified}
    return {name: value for name, value in asked.items() if value}


async def _feed(answer: aiohttp.ClientResponse) -> Feed | None:
    if answer.status == NOT_MODIFIED:
        return None
    if answer.status != OK:
        raise FeedUnusable(FAILURE_OF_STATUS.get(answer.status, Failure.SERVER_FAILED))
    if (answer.content_length or 0) > LARGEST_BYTES:
        raise FeedUnusable(Failure.TOO_LARGE)
    content = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        content += chunk
        if len(content) > LARGEST_BYTES:
            raise FeedUnusable(Failure.TOO_LARGE)
    return Feed(bytes(content), Marks(_mark(answer, "ETag"), _mark(answer, "Last-Modified")))


def _mark(answer: aiohttp.ClientResponse, name: str) -> str | None:
    # Other bytes can neither be kept as text nor sent back as they came: then we do without.
    value = answer.headers.get(name, "")
    return value if value.isascii() and value.isprintable() else None


def _failure(error: Exception, guard: _Guard) -> Failure:
    if guard.refused or isinstance(error, CalendarAddressRefused):
        return Failure.ADDRESS_NOT_ALLOWED
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Failure.HOST_UNKNOWN
    if isinstance(error, aiohttp.ClientSSLError):
        return Failure.TLS_FAILED
    return Failure.UNREACHABLE
