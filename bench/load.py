"""A load of HTTP requests that costs little itself: prepared bytes over kept connections."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared.clock import monotonic_seconds

CONNECTIONS = 8
LOAD_SECONDS = 120.0
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Answers:
    """What came back: how many of each status, how long all and each took, the last body."""

    statuses: Mapping[int, int]
    seconds: float
    body: bytes
    waits: Sequence[float]


@dataclass
class _Tally:
    statuses: Counter[int] = field(default_factory=Counter[int])
    body: bytes = b""
    waits: list[float] = field(default_factory=list[float])


def request(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any] | bytes | None = None,
) -> bytes:
    """Return a request as it goes over the wire; a body of bytes stays as it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    lines = {"Host": "bench", "Content-Type": "application/json", **headers}
    if body is not None:
        lines["Content-Length"] = str(len(content))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def fire(url: str, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Answers:
    """Send all requests over a few connections, each waiting for its answers."""
    tally, waiting = _Tally(), iter(requests)
    started = monotonic_seconds()
    async with asyncio.timeout(LOAD_SECONDS):
        await asyncio.gather(*(_client(url, waiting, tally) for _ in range(connections)))
    seconds = monotonic_seconds() - started
    return Answers(tally.statuses, seconds, tally.body, tally.waits)


async def _client(url: str, waiting: Iterator[bytes], tally: _Tally) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for each in waiting:
            sent_at = monotonic_seconds()
            writer.write(each)
            head = await reader.readuntil(_HEAD_END)
            tally.statuses[int(head[9:12])] += 1
            tally.body = await reader.readexactly(_length(head))
            tally.waits.append(monotonic_seconds() - sent_at)
    finally:
        writer.close()
        await writer.wait_closed()


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
