"""The two clocks of the marketplace, as two types that cannot be mixed up.

The *business clock* rules holds, reminders, completion, release and payouts; in development it can
be moved forward. The *system clock* rules leases, back-off, tokens and signatures and never moves.
Every process of one marketplace reads the same business clock: a file with one number in it, the
offset to system time in microseconds (a signed 64-bit little-endian integer). Without a file the
business clock is the system clock.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NewType, Protocol

BusinessInstant = NewType("BusinessInstant", datetime)
"""An aware UTC instant of the business clock."""
SystemInstant = NewType("SystemInstant", datetime)
"""An aware UTC instant of the system clock."""

_OFFSET = struct.Struct("<q")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BusinessClock(Protocol):
    """Whatever can say what time it is for the business."""

    def now(self) -> BusinessInstant:
        """Return the present business instant (aware, UTC, microseconds)."""
        ...


def system_now() -> SystemInstant:
    """Return the present system instant (aware, UTC, microseconds)."""
    return SystemInstant(datetime.now(UTC))


class SystemBusinessClock:
    """The business clock of production: the system clock itself."""

    def now(self) -> BusinessInstant:
        """Return the present instant."""
        return BusinessInstant(datetime.now(UTC))


class FileBusinessClock:
    """A business clock that runs ahead of the system clock by the offset kept in a file."""

    def __init__(self, path: Path) -> None:
        """Open the file, which must exist (`create` makes it)."""
        self._path = path
        self._file = os.open(path, os.O_RDONLY)

    @staticmethod
    def create(path: Path) -> None:
        """Make the clock file with offset zero unless it is there already."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(_OFFSET.pack(0))

    def offset(self) -> timedelta:
        """Return how far the business clock runs ahead of the system clock."""
        (microseconds,) = _OFFSET.unpack(os.pread(self._file, _OFFSET.size, 0))
        return timedelta(microseconds=microseconds)

    def now(self) -> BusinessInstant:
        """Return the present business instant."""
        return BusinessInstant(datetime.now(UTC) + self.offset())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class FixedClock:
    """A business clock that stands where it was set; for tests and pure calculations."""

    def __init__(self, instant: datetime) -> None:
        """Stand at an aware instant."""
        self.instant = instant.astimezone(UTC)

    def now(self) -> BusinessInstant:
        """Return the instant it was set to."""
        return BusinessInstant(self.instant)


class ClockMovedBack(ValueError):
    """The business clock never goes back: facts that happened cannot unhappen."""


def move_clock_to(path: Path, instant: datetime) -> BusinessInstant:
    """Move the business clock kept in `path` forward to `instant`.

    Raises `ClockMovedBack` when the instant lies before the present business instant.
    """
    with _open_clock(path) as clock:
        if instant < clock.now():
            raise ClockMovedBack(f"the business clock already shows {clock.now().isoformat()}")
        ahead = instant.astimezone(UTC) - datetime.now(UTC)
    whole = round(ahead / timedelta(microseconds=1))
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, _OFFSET.pack(whole), 0)
    finally:
        os.close(handle)
    return BusinessInstant(instant.astimezone(UTC))


@contextmanager
def _open_clock(path: Path) -> Generator[FileBusinessClock]:
    clock = FileBusinessClock(path)
    try:
        yield clock
    finally:
        clock.close()


def business_clock(path: Path | None) -> BusinessClock:
    """Return the clock of this process: the one kept in `path`, or the system clock."""
    return FileBusinessClock(path) if path else SystemBusinessClock()


def to_epoch_seconds(instant: datetime) -> int:
    """Return whole seconds since 1970, the form Stripe and tokens use."""
    return int((instant - _EPOCH).total_seconds())


def from_epoch_seconds(seconds: int) -> datetime:
    """Return the aware UTC instant of whole seconds since 1970."""
    return _EPOCH + timedelta(seconds=seconds)


def monotonic_seconds() -> float:
    """Return a reading for measuring waits; it has no meaning of its own."""
    return time.monotonic()
