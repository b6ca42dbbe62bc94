"""Telling the present state again: every aggregate once, in batches, also after a failure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.clock import BusinessInstant, FixedClock
from shared.db import Connection, Pool
from shared.republish import Republisher, Told

TOPIC = "things.told"
THINGS = ["a", "b", "c", "d", "e"]
BATCH = 2
REQUEST = "INSERT INTO republish_requests (topic) VALUES ($1)"


async def run_until_done(republisher: Republisher) -> None:
    for _ in range(len(THINGS) + 1):
        if not await republisher.step():
            return
    raise AssertionError("the request does not end")


async def test_everything_is_told_once_in_batches(pool: Pool):
    """Batches follow one another by the cursor until the teller says there is no more."""
    told: list[str] = []

    async def tell(conn: Connection, after: str | None, now: BusinessInstant) -> Told:
        batch = [thing for thing in THINGS if after is None or thing > after][:BATCH]
        told.extend(batch)
        return Told(len(batch), batch[-1] if len(batch) == BATCH else None)

    await pool.execute(REQUEST, TOPIC)
    await run_until_done(Republisher(pool, {TOPIC: tell}, FixedClock(datetime.now(UTC))))
    assert told == THINGS
    row = await pool.fetchrow("SELECT announced, done_at FROM republish_requests")
    assert row is not None
    assert row["announced"] == len(THINGS)
    assert row["done_at"] is not None
    assert await pool.fetchval("SELECT count(*) FROM kit_in_flight") == 0


async def test_a_batch_that_fails_is_told_again_and_counts_as_in_flight(pool: Pool):
    """The cursor commits with the snapshots: what failed comes again, what was told does not."""
    written: list[str] = []
    failures = [ConnectionError("gone")]

    async def tell(conn: Connection, after: str | None, now: BusinessInstant) -> Told:
        batch = [thing for thing in THINGS if after is None or thing > after][:BATCH]
        if after is not None and failures:
            raise failures.pop()
        written.extend(batch)
        return Told(len(batch), batch[-1] if len(batch) == BATCH else None)

    republisher = Republisher(pool, {TOPIC: tell}, FixedClock(datetime.now(UTC)))
    await pool.execute(REQUEST, TOPIC)
    await republisher.step()
    with pytest.raises(ConnectionError):
        await republisher.step()
    assert await pool.fetchval("SELECT kind FROM kit_in_flight") == "republish"
    await run_until_done(republisher)
    assert written == THINGS
