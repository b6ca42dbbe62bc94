"""Child processes that never outlive us: how they are started, stopped and, later, recognised."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_KILL_DEADLINE_SECONDS = 10.0
_START_TIME_FIELD = 18
"""Position of `starttime` in /proc/PID/stat after the state (proc(5): fields 22 and 3)."""


@dataclass(frozen=True)
class Command:
    """A program to run: arguments, whole environment, folder, account and how to ask it to end."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: Path = Path()
    account: str | None = None
    """The system account to run as; None is our own."""
    stop_signal: signal.Signals = signal.SIGTERM


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a child does before exec so that the kernel kills it when we are gone.

    The kernel sends the signal when the *thread* that forked ends, so children are started from
    the main thread. Elsewhere than on Linux there is no such request; the launcher clears
    leftovers at its next start instead.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # The parent ended before the request was made.
            os._exit(1)

    return before_exec


async def spawn(command: Command, output: int) -> asyncio.subprocess.Process:
    """Start `command` with both its outputs on file descriptor `output` (or a subprocess constant).

    It gets a session of its own, so that Ctrl-C in our terminal reaches us alone and we stop the
    children in order. Raises `OSError` when the program cannot be started.
    """
    account = pwd.getpwnam(command.account) if command.account else None
    return await asyncio.create_subprocess_exec(
        *command.argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(command.env),
        cwd=command.cwd,
        start_new_session=True,
        preexec_fn=_die_with_parent(),
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


async def run_to_end(command: Command, seconds: float) -> str:
    """Run `command` until it ends and return what it printed.

    Raises `ProgramFailed` with that, or on the deadline.
    """
    process = await spawn(command, asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError as late:
        raise ProgramFailed(f"{command.argv[0]} did not end within {seconds:g} s") from late
    finally:
        await kill(process)
    text = output.decode(errors="replace").strip()
    if process.returncode:
        raise ProgramFailed(f"{command.argv[0]} ended with {process.returncode}:\n{text}")
    return text


class ProgramFailed(RuntimeError):
    """A program that had to succeed ended with an error, or not in time; says which and how."""


async def stop(
    process: asyncio.subprocess.Process, stop_signal: signal.Signals, seconds: float
) -> None:
    """Ask the process to end, and kill it when it has not within `seconds`."""
    if process.returncode is not None:
        return
    process.send_signal(stop_signal)
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        await kill(process)


async def kill(process: asyncio.subprocess.Process) -> None:
    """End the process at once (SIGKILL) and wait until it is gone."""
    if process.returncode is None:
        process.kill()
    async with asyncio.timeout(_KILL_DEADLINE_SECONDS):
        await process.wait()


def start_time(pid: int) -> str | None:
    """Return a mark that tells this process from a later one with the same id; None if it is gone.

    Linux counts clock ticks since boot. Elsewhere the mark is what `ps` says.
    """
    if sys.platform != "linux":
        asked = ("ps", "-o", "lstart=", "-p", str(pid))
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip() or None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[_START_TIME_FIELD]
