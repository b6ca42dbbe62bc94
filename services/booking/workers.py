"""What booking does by itself: expire holds, complete sessions, do what operators asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.booking.commands.holds import expire_next_hold
from services.booking.commands.orders import ACTIONS, complete_next_session
from shared.clock import BusinessClock
from shared.db import Connection, Pool, in_transaction
from shared.deeds import Clerk
from shared.process import Loop

POLL_SECONDS = 0.3
BATCH = 100

Turn = Callable[[Connection], Awaitable[bool]]


async def expire_holds(pool: Pool, clock: BusinessClock) -> int:
    """Expire holds that lapsed, the oldest first, each by itself; return how many."""
    return await _repeat(pool, lambda conn: expire_next_hold(conn, now=clock.now()))


async def complete_sessions(pool: Pool, clock: BusinessClock) -> int:
    """Complete sessions whose mentee said nothing, the oldest first; return how many."""
    return await _repeat(pool, lambda conn: complete_next_session(conn, now=clock.now()))


def loops(pool: Pool, clock: BusinessClock) -> Sequence[Loop]:
    """Return the loops of the worker."""
    return (
        Loop("expire_holds", lambda: expire_holds(pool, clock), POLL_SECONDS),
        Loop("complete_sessions", lambda: complete_sessions(pool, clock), POLL_SECONDS),
        Loop("do_deeds", Clerk(pool, ACTIONS, clock).step, POLL_SECONDS),
    )


async def _repeat(pool: Pool, turn: Turn) -> int:
    for done in range(BATCH):
        if not await in_transaction(pool, turn):
            return done
    return BATCH
