"""What booking does by itself: what is due, and keeping what others look at up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.booking.commands import calendars
from services.booking.commands.holds import expire_next_hold
from services.booking.commands.moves import lapse_next_move
from services.booking.commands.openings import audit, look_at_next
from services.booking.commands.orders import ACTIONS, complete_next_session
from services.booking.domain.calendars import Errand, Failure, FeedUnusable, Finding
from services.booking.domain.terms import Terms
from services.booking.gateway.fetching import Fetcher
from services.booking.gateway.reading import Reader
from shared.clock import BusinessClock, system_now
from shared.db import Connection, Pool, in_transaction
from shared.deeds import Clerk
from shared.log import logger
from shared.process import Loop
from shared.telemetry import outside_call

POLL_SECONDS = 0.3
AUDIT_POLL_SECONDS = 2.0
CALENDARS_POLL_SECONDS = 1.0
BATCH = 100

Turn = Callable[[Connection], Awaitable[bool]]

_log = logger("booking")


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


@dataclass(frozen=True)
class Librarian:
    """Reads mentors' calendars: claims in one transaction, fetches outside, records in another."""

    pool: Pool
    clock: BusinessClock
    fetcher: Fetcher
    reader: Reader

    async def read_calendars(self) -> int:
        """Read a batch of the calendars whose turn it is; return how many."""

        async def claim(conn: Connection) -> list[Errand]:
            return await calendars.claim_calendars(conn, today=self.clock.now(), now=system_now())

        errands = await in_transaction(self.pool, claim)
        # Each is read to its end, whatever becomes of the others; then a mistake is told.
        done = await asyncio.gather(
            *(self._read(errand) for errand in errands), return_exceptions=True
        )
        for mistake in done:
            if mistake is not None:
                raise mistake
        return len(errands)

    async def _read(self, errand: Errand) -> None:
        with outside_call("calendar", "read") as call:
            found = await self._look(errand)
            call.outcome = found.value if isinstance(found, Failure) else "read"

        async def record(conn: Connection) -> None:
            now = system_now()
            await calendars.record(conn, errand, found, read_at=self.clock.now(), now=now)

        await in_transaction(self.pool, record)

    async def _look(self, errand: Errand) -> Finding | Failure | None:
        """Return what a calendar says now; nothing when it did not change."""
        told = {"calendar_id": str(errand.calendar_id)}
        try:
            feed = await self.fetcher.fetch(errand.url, errand.marks)
            if feed is None:
                return None
            reading = await self.reader.read(feed.content, errand.zone, errand.window)
            return Finding(reading, feed.marks)
        except FeedUnusable as unusable:
            _log.info("calendar_unusable", failure=unusable.failure.value, **told)
            return unusable.failure
        except Exception as mistake:
            # A mistake of ours in one calendar keeps no other waiting; its text may quote the
            # secret address, so only its kind is told.
            _log.error("calendar_not_read", error=type(mistake).__name__, **told)
            return Failure.EVENT_UNREADABLE

    def loop(self) -> Loop:
        """Return the loop that reads them."""
        return Loop("read_calendars", self.read_calendars, CALENDARS_POLL_SECONDS)


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
