"""What booking does by itself: what is due, and keeping what others look at up to date."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from services.booking.commands.holds import expire_next_hold
from services.booking.commands.moves import lapse_next_move
from services.booking.commands.openings import audit, look_at_next
from services.booking.commands.orders import ACTIONS, complete_next_session
from services.booking.domain.terms import Terms
from shared.clock import BusinessClock
from shared.db import Connection, Pool, in_transaction
from shared.deeds import Clerk
from shared.process import Loop

POLL_SECONDS = 0.3
AUDIT_POLL_SECONDS = 2.0
BATCH = 100

Turn = Callable[[Connection], Awaitable[bool]]


async def expire_holds(pool: Pool, clock: BusinessClock) -> int:
    """Expire holds that lapsed, the oldest first, each by itself; return how many."""
    return await _repeat(pool, lambda conn: expire_next_hold(conn, now=clock.now()))


async def complete_sessions(pool: Pool, clock: BusinessClock) -> int:
    """Complete sessions whose mentee said nothing, the oldest first; return how many."""
    return await _repeat(pool, lambda conn: complete_next_session(conn, now=clock.now()))


async def lapse_moves(pool: Pool, clock: BusinessClock) -> int:
    """End proposed moves that nobody answered, the oldest first; return how many."""
    return await _repeat(pool, lambda conn: lapse_next_move(conn, now=clock.now()))


async def keep_openings(pool: Pool, clock: BusinessClock, terms: Terms) -> int:
    """Find the next free start of mentors whose time changed; return of how many."""
    return await _repeat(pool, lambda conn: look_at_next(conn, terms=terms, now=clock.now()))


async def audit_openings(pool: Pool, clock: BusinessClock, terms: Terms) -> int:
    """Compare a few of the next free starts with the truth; it is never busy."""
    await in_transaction(pool, lambda conn: audit(conn, terms=terms, now=clock.now()))
    return 0


def loops(pool: Pool, clock: BusinessClock, terms: Terms) -> Sequence[Loop]:
    """Return the loops of the worker."""
    return (
        Loop("expire_holds", lambda: expire_holds(pool, clock), POLL_SECONDS),
        Loop("complete_sessions", lambda: complete_sessions(pool, clock), POLL_SECONDS),
        Loop("lapse_moves", lambda: lapse_moves(pool, clock), POLL_SECONDS),
        Loop("keep_openings", lambda: keep_openings(pool, clock, terms), POLL_SECONDS),
        Loop("audit_openings", lambda: audit_openings(pool, clock, terms), AUDIT_POLL_SECONDS),
        Loop("do_deeds", Clerk(pool, ACTIONS, clock).step, POLL_SECONDS),
    )


async def _repeat(pool: Pool, turn: Turn) -> int:
    for done in range(BATCH):
        if not await in_transaction(pool, turn):
            return done
    return BATCH
