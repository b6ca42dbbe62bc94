"""P2 and P3 at the outbox: a committed fact leaves, a rolled-back one never does, in order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest

from shared.contracts.envelope import open_envelope
from shared.db import Pool, connection, transaction
from shared.outbox import MAX_VALUE_BYTES, Announcer, FactTooLarge, Record, Relay
from shared.process import Supervisor
from tests.shared.conftest import (
    INSTANT,
    SCHEMA,
    Counted,
    Recorder,
    eventually,
    raise_counter,
)

WRITERS = 12
CHANGES_PER_WRITER = 40
COUNTERS = 5
SEED = 20260504
POLL_SECONDS = 0.1


class RolledBack(Exception):
    """A command that failed at the end."""


def _relay(pool: Pool, sender: Recorder) -> Relay:
    return Relay(SCHEMA, pool, sender, asyncio.Event())


async def _write(pool: Pool, announcer: Announcer, rng: random.Random) -> set[tuple[str, int]]:
    """Commit some changes and roll back others, each after a moment; return the committed."""
    committed: set[tuple[str, int]] = set()
    for _ in range(CHANGES_PER_WRITER):
        counter = f"counter-{rng.randrange(COUNTERS)}"
        try:
            async with transaction(pool) as conn:
                version = await raise_counter(conn, announcer, counter)
                await conn.execute("SELECT pg_sleep($1)", rng.random() * 0.004)
                if rng.random() < 0.3:
                    raise RolledBack
        except RolledBack:
            continue
        committed.add((counter, version))
    return committed


def _told(records: list[Record]) -> list[tuple[str, int]]:
    facts = [open_envelope(record.headers, record.value).read(Counted) for record in records]
    return [(fact.counter, fact.version) for fact in facts]


async def _outbox_is_empty(pool: Pool) -> bool:
    return not await pool.fetchval("SELECT EXISTS (SELECT 1 FROM outbox)")


async def test_every_committed_fact_leaves_and_no_other(pool: Pool, announcer: Announcer) -> None:
    """P2: under commits that overtake one another the relay loses none and invents none."""
    sender, stopping = Recorder(), asyncio.Event()
    relay = asyncio.create_task(_relay(pool, sender).run(stopping))
    rng = random.Random(SEED)
    done = await asyncio.gather(
        *(_write(pool, announcer, random.Random(rng.random())) for _ in range(WRITERS))
    )
    await eventually(lambda: _outbox_is_empty(pool), what="an empty outbox")
    stopping.set()
    await asyncio.wait_for(relay, 10)
    assert set(_told(sender.records)) == set().union(*done)


async def test_a_relay_that_follows_ids_would_lose_facts(pool: Pool, announcer: Announcer) -> None:
    """The control of P2: reading "after the last id" misses what commits late."""
    seen, last, writing = set[int](), 0, True

    async def follow() -> None:
        nonlocal last
        while writing:
            for row in await pool.fetch("SELECT id FROM outbox WHERE id > $1 ORDER BY id", last):
                seen.add(row["id"])
                last = row["id"]
            await asyncio.sleep(0)

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(_write(pool, announcer, random.Random(n)) for n in range(WRITERS)))
    writing = False
    await asyncio.wait_for(follower, 10)
    missed = await pool.fetchval(
        "SELECT count(*) FROM outbox WHERE id < $1 AND NOT id = ANY($2::bigint[])", last, list(seen)
    )
    assert missed > 0


async def test_facts_of_one_counter_leave_in_order_through_failover(
    pool: Pool, announcer: Announcer
) -> None:
    """P3: relays die and take over in the middle; each counter's versions still come in order."""
    sender, supervisor = Recorder(), Supervisor()
    for _ in range(3):
        supervisor.start("relay", _relay(pool, sender).run)
    writing = asyncio.gather(*(_write(pool, announcer, random.Random(n)) for n in range(WRITERS)))
    kills = 0
    while not writing.done():
        kills += await _kill_active_relay(pool)
        await asyncio.sleep(POLL_SECONDS)
    await writing
    await eventually(lambda: _outbox_is_empty(pool), what="an empty outbox")
    await supervisor.stop()
    assert kills > 0, "the relays were not disturbed"
    first_told: dict[str, list[int]] = defaultdict(list)
    for counter, version in dict.fromkeys(_told(sender.records)):
        first_told[counter].append(version)
    for counter, versions in first_told.items():
        assert versions == list(range(1, len(versions) + 1)), counter


async def _kill_active_relay(pool: Pool) -> int:
    return await pool.fetchval(
        """SELECT count(pg_terminate_backend(pid)) FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    )


async def test_a_relay_that_dies_after_the_answer_sends_the_same_ids_again(
    pool: Pool, announcer: Announcer
) -> None:
    """Case 6: nothing is lost between the broker's answer and our mark, and ids stay the same."""
    async with transaction(pool) as conn:
        for _ in range(3):
            await raise_counter(conn, announcer, "counter")
    sender = Recorder()
    sender.fail_after_sending = True
    async with connection(pool) as conn:
        with pytest.raises(ConnectionError):
            await _relay(pool, sender).carry(conn)
        sender.fail_after_sending = False
        assert await _relay(pool, sender).carry(conn) == 3
    first, second = sender.batches
    assert [dict(r.headers)["ce_id"] for r in first] == [dict(r.headers)["ce_id"] for r in second]
    assert _told(second) == [("counter", 1), ("counter", 2), ("counter", 3)]


async def test_only_one_relay_is_active(pool: Pool, announcer: Announcer) -> None:
    """Two relays never carry the same fact twice while both are well."""
    stopping, senders = asyncio.Event(), [Recorder(), Recorder()]
    relays = [asyncio.create_task(_relay(pool, sender).run(stopping)) for sender in senders]
    await asyncio.gather(*(_write(pool, announcer, random.Random(n)) for n in range(4)))
    await eventually(lambda: _outbox_is_empty(pool), what="an empty outbox")
    stopping.set()
    await asyncio.gather(*relays)
    assert sorted(bool(sender.records) for sender in senders) == [False, True]


async def test_a_fact_too_large_for_kafka_fails_its_own_command(
    pool: Pool, announcer: Announcer
) -> None:
    """A fact the relay could never send must not get into the outbox and stop it."""
    with pytest.raises(FactTooLarge):
        async with transaction(pool) as conn:
            await announcer.announce(
                conn, Counted(counter="x" * MAX_VALUE_BYTES, version=1), at=INSTANT
            )
    assert await _outbox_is_empty(pool)
