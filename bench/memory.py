"""What processes weigh by their proportional set size: shared pages count once (proc(5))."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
_KIBIBYTES_PER_MEGABYTE = 1_000_000 / 1024
_PARENT_FIELD = 1
"""Position of the parent's id in /proc/PID/stat after the state."""


def megabytes_of(pid: int) -> float:
    """Return the proportional set size of a process in megabytes; 0 when it is gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / _KIBIBYTES_PER_MEGABYTE


def family_of(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and (parent := _parent_of(folder)) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        found.add(each := waiting.pop())
        waiting += children.get(each, [])
    return found


def _parent_of(folder: Path) -> int | None:
    try:
        stat = (folder / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[_PARENT_FIELD])
