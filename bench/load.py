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
    """What came back: how many of each status, how long all took, the last body."""

    statuses: Mapping[int, int]
    seconds: float
    body: bytes


@dataclass
class _Tally:
    statuses: Counter[int] = field(default_factory=Counter[int])
    body: bytes = b""


def request(
    method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
) -> bytes:
    """Return a request as it goes over the wire."""
    content = json.dumps(body).encode() if body is not None else b""
    lines = {"Host": "bench", "Content-Type": "application/json", **headers}
    if body is not None:
        lines["Content-Length"] = str(len(content))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def fire(url: str, requests: Sequence[bytes]) -> Answers:
    """Send all requests over `CONNECTIONS` connections, each waiting for its answers."""
    tally, waiting = _Tally(), iter(requests)
    started = monotonic_seconds()
    async with asyncio.timeout(LOAD_SECONDS):
        await asyncio.gather(*(_client(url, waiting, tally) for _ in range(CONNECTIONS)))
    return Answers(tally.statuses, monotonic_seconds() - started, tally.body)


async def _client(url: str, waiting: Iterator[bytes], tally: _Tally) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for each in waiting:
            writer.write(each)
            head = await reader.readuntil(_HEAD_END)
            tally.statuses[int(head[9:12])] += 1
            tally.body = await reader.readexactly(_length(head))
    finally:
        writer.close()
        await writer.wait_closed()


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH))
