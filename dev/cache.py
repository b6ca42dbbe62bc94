"""The per-user cache of downloaded engine files, shared by every checkout of one person."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

_LOCK_POLL_SECONDS = 0.1


def cache_folder() -> Path:
    """Return the cache folder (XDG Base Directory), made when it is absent."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "mentorium"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class LockHeld(RuntimeError):
    """Another process kept a lock file longer than we were willing to wait; says which file."""


@asynccontextmanager
async def locked(path: Path, seconds: float) -> AsyncGenerator[None]:
    """Hold the lock file `path`; raises `LockHeld` after `seconds`.

    The kernel drops the lock with the process that held it, so a crash leaves nothing behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take(handle, path, seconds)
        yield
    finally:
        os.close(handle)


async def _take(handle: int, path: Path, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not _try_lock(handle):
                await asyncio.sleep(_LOCK_POLL_SECONDS)
    except TimeoutError as late:
        raise LockHeld(f"{path} is held by another process") from late


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
