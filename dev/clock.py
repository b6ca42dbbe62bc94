"""Moving the business clock: from one due instant to the next, resting at each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.rest import Marketplace, Watch
from shared.clock import ClockMovedBack, FileBusinessClock, move_clock_to

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d+)([wdhms])")
_LIVE_KEYS = ("sk_live_", "rk_live_")


class ClockFixed(RuntimeError):
    """The clock cannot be moved because real money follows it."""


def parse_span(text: str) -> timedelta:
    """Return the span written as `3d`, `90m` or `1d12h`; raises `ValueError`."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no span of time: write it as 3d, 90m or 1d12h")
    return sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in parts), timedelta())


def parse_instant(text: str) -> datetime:
    """Return the instant written in ISO 8601; without an offset it is UTC; raises `ValueError`."""
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


async def advance(
    market: Marketplace, clock_file: Path, target: datetime, say: Callable[[str], None]
) -> None:
    """Move the clock to `target`, stopping at every instant at which something is due.

    At each stop it waits until the marketplace has come to rest, so that all happens in the order
    of the instants. Raises `ClockFixed`, `ClockMovedBack` and `NotAtRest`.
    """
    if os.environ.get("PAYMENTS_STRIPE_KEY", "").startswith(_LIVE_KEYS):
        raise ClockFixed("the clock is not moved while a live Stripe key is set")
    clock = FileBusinessClock(clock_file)
    try:
        async with Watch(market) as watch:
            await _advance(watch, clock_file, clock, target, say)
    finally:
        clock.close()


async def _advance(
    watch: Watch,
    clock_file: Path,
    clock: FileBusinessClock,
    target: datetime,
    say: Callable[[str], None],
) -> None:
    if target < clock.now():
        raise ClockMovedBack(f"the business clock already shows {clock.now().isoformat()}")
    await watch.wait_for_rest(clock)
    while (due := await watch.next_due(clock.now())) and due <= target:
        _move(clock_file, due, say)
        await watch.wait_for_rest(clock)
    _move(clock_file, target, say)
    await watch.wait_for_rest(clock)


def _move(clock_file: Path, instant: datetime, say: Callable[[str], None]) -> None:
    with suppress(ClockMovedBack):  # Real time passes meanwhile: the instant came by itself.
        say(f"clock {move_clock_to(clock_file, instant).isoformat()}")
