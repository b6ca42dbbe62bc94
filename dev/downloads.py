"""Downloads of locked files: several at once, resumed, verified, kept; one process at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from dev.cache import locked

_AT_ONCE = 8
_TRIES = 4
_BACK_OFF_SECONDS = 0.2
_CHUNK_BYTES = 256 * 1024
_FILE_DEADLINE_SECONDS = 300.0
_SILENCE_SECONDS = 30.0
_LOCK_DEADLINE_SECONDS = 900.0


@dataclass(frozen=True)
class LockedFile:
    """A file named by a lock: where it comes from, where it goes and what it must contain."""

    url: str
    path: Path
    algorithm: str
    digest: bytes

    @property
    def partial(self) -> Path:
        """Where the bytes are kept until they are all there and verified."""
        return self.path.with_name(self.path.name + ".part")

    def is_here(self) -> bool:
        """Whether the file has been downloaded; only verified files get their final name."""
        return self.path.exists()

    def accept(self) -> bool:
        """Give the finished download its final name if it is what the lock says, else drop it."""
        with self.partial.open("rb") as content:
            found = hashlib.file_digest(content, self.algorithm).digest()
        if found != self.digest:
            self.partial.unlink()
            return False
        self.partial.replace(self.path)
        return True


class DownloadFailed(RuntimeError):
    """A locked file could not be had; says which, why, and what to do about it."""


async def fetch_all(files: Sequence[LockedFile], folder: Path, title: str) -> None:
    """Bring every file that is absent; raises `DownloadFailed`.

    Two processes that ask at the same moment download once: the second waits for the first.
    """
    if all(file.is_here() for file in files):
        return
    async with locked(folder / "download.lock", _LOCK_DEADLINE_SECONDS):
        absent = [file for file in files if not file.is_here()]
        with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn()) as progress:
            bar = progress.add_task(f"{title} ({len(absent)} files)", total=None)
            await _fetch_side_by_side(absent, lambda count: progress.advance(bar, count))


async def _fetch_side_by_side(files: Sequence[LockedFile], report: Callable[[int], None]) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)
    limits = aiohttp.ClientTimeout(total=_FILE_DEADLINE_SECONDS, sock_read=_SILENCE_SECONDS)

    async def fetch(file: LockedFile) -> None:
        async with slots:
            await _fetch(session, file, report)

    try:
        async with (
            aiohttp.ClientSession(timeout=limits, trust_env=True) as session,
            asyncio.TaskGroup() as group,
        ):
            for file in files:
                group.create_task(fetch(file))
    except* DownloadFailed as failed:
        raise failed.exceptions[0] from None


async def _fetch(
    session: aiohttp.ClientSession, file: LockedFile, report: Callable[[int], None]
) -> None:
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(_BACK_OFF_SECONDS * 2**attempt)
        try:
            await _receive(session, file, report)
            if file.accept():
                return
            reason = "its content is not what the lock file says"
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
    raise DownloadFailed(
        f"{file.url} could not be downloaded: {reason}. Check the network and try again (what has"
        " arrived is kept), or name a mirror in MENTORIUM_MAVEN_URL or MENTORIUM_NPM_URL."
    )


async def _receive(
    session: aiohttp.ClientSession, file: LockedFile, report: Callable[[int], None]
) -> None:
    """Append what is missing to the partial file, from the start where resuming is refused."""
    here = file.partial.stat().st_size if file.partial.exists() else 0
    async with session.get(file.url, headers={"Range": f"bytes={here}-"} if here else {}) as answer:
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # Everything had arrived before; the check of the content decides.
        answer.raise_for_status()
        resumed = answer.status == HTTPStatus.PARTIAL_CONTENT
        with file.partial.open("ab" if resumed else "wb") as part:
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                part.write(chunk)
                report(len(chunk))
