"""The next free start of mentors: read where it is kept, beside finding it for each of them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import cycle, islice

from bench.rounds import Value, Work
from bench.world import MENTOR, OFFERING, World, numbered, numbered_sql
from services.booking.commands.openings import find_opening, look_at_next
from services.booking.domain.terms import Terms
from services.booking.store.openings import mark_openings
from shared.clock import monotonic_seconds
from shared.db import connection, in_transaction
from shared.ids import PersonId

KEEP = f"""
INSERT INTO openings (mentor_id, next_free_at, offering_id, version)
SELECT {numbered_sql(MENTOR, "i")}, $2, {numbered_sql(OFFERING, "i")}, 1
FROM generate_series(0, $1::int - 1) AS i
"""
READ = "SELECT mentor_id, next_free_at FROM openings WHERE mentor_id = ANY($1::uuid[])"
FORGET = "UPDATE openings SET next_free_at = NULL, offering_id = NULL WHERE mentor_id = ANY($1)"


async def keep(world: World, mentors: int) -> None:
    """Keep a next free start of that many mentors; the first of them are the world's own."""
    await world.pool.execute(KEEP, mentors, world.first_slot)
    await world.pool.execute("ANALYZE openings")


async def read(world: World, mentors: int) -> Work:
    """Read the next free starts of that many mentors."""
    wanted, started = _mentors(mentors), monotonic_seconds()
    async with connection(world.pool) as conn:
        assert len(await conn.fetch(READ, wanted)) == mentors
    return Work(mentors, monotonic_seconds() - started)


async def time_reads(world: World, mentors: int, rounds: int) -> Value:
    """Measure how long a read takes of so many that nobody would find them one by one."""
    milliseconds = [(await read(world, mentors)).seconds * 1_000 for _ in range(rounds)]
    name = f"next free starts, {mentors:,} at a time, kept"
    return Value("h", name, "ms", tuple(milliseconds))


async def find(world: World, count: int) -> Work:
    """Find as many next free starts as search would have to without the projection."""
    now, own = datetime.now(UTC), islice(cycle(_mentors(world.mentors)), count)
    started = monotonic_seconds()
    async with connection(world.pool) as conn:
        for mentor_id in own:
            opening, _ = await find_opening(conn, mentor_id, terms=Terms(), now=now)
            assert opening
    return Work(count, monotonic_seconds() - started)


async def time_looks(world: World, count: int, rounds: int) -> Value:
    """Measure how many mentors a worker looks at in a second, when each has something to tell."""
    rates: list[float] = []
    for _ in range(rounds):
        await world.pool.execute(FORGET, _mentors(count))
        async with connection(world.pool) as conn:
            await mark_openings(conn, *_mentors(count))
        rates.append(await _look(world, count))
    return Value("h", "looks at mentors whose time changed", "mentors/s", tuple(rates))


async def _look(world: World, count: int) -> float:
    now, started = datetime.now(UTC), monotonic_seconds()
    for _ in range(count):
        assert await in_transaction(
            world.pool, lambda conn: look_at_next(conn, terms=Terms(), now=now)
        )
    return count / (monotonic_seconds() - started)


def _mentors(count: int) -> list[PersonId]:
    return [PersonId(numbered(MENTOR, number)) for number in range(count)]
