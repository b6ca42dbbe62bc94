"""What processes print: one log file each, and a common console with coloured prefixes."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

_CHUNK_BYTES = 64 * 1024
_LARGEST_LOG_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 3_000
_NAME_WIDTH = 20
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_turns = count()


class Output:
    """Takes the lines of one process to its log file and, unless quiet, to the console."""

    def __init__(self, name: str, path: Path, *, quiet: bool) -> None:
        """Append to `path`; a log that has grown large is first set aside as `<name>.log.1`."""
        self.path = path
        self._quiet = quiet
        self._prefix = _prefix(name)
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))

    async def copy(self, child: asyncio.subprocess.Process) -> None:
        """Copy what the child prints until it closes its output."""
        if child.stdout is None:
            return
        unfinished = b""
        with self.path.open("ab", buffering=0) as log:
            while chunk := await child.stdout.read(_CHUNK_BYTES):
                log.write(chunk)
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                for line in lines:
                    self._show(line.decode(errors="replace"))

    def note(self, text: str) -> None:
        """Write a line of our own about the process."""
        with self.path.open("a") as log:
            log.write(f"launcher: {text}\n")
        self._show(text)

    def tail(self) -> str:
        """Return the end of the log file."""
        if not self.path.exists():
            return ""
        return self.path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()

    def _show(self, line: str) -> None:
        if not self._quiet:
            sys.stdout.write(f"{self._prefix}{line}\n")
            sys.stdout.flush()


def _prefix(name: str) -> str:
    padded = f"{name:>{_NAME_WIDTH}} | "
    if not sys.stdout.isatty():
        return padded
    return f"\x1b[{_COLOURS[next(_turns) % len(_COLOURS)]}m{padded}\x1b[0m"
