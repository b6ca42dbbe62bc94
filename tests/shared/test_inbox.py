"""P4 and P5 at the inbox: once per event, in order per key, and poison stops nobody else."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from shared.clock import FixedClock
from shared.contracts.envelope import open_envelope
from shared.db import Pool, transaction
from shared.inbox import Arrival, Inbox, arrived
from tests.shared.conftest import (
    COUNT,
    INSTANT,
    Counted,
    PoisonedCounter,
    Reader,
    arrival_of,
    eventually,
)

SEED = 7


@pytest.fixture
def reader() -> Reader:
    """Give a service that counts."""
    return Reader()


@pytest.fixture
def inbox(pool: Pool, reader: Reader) -> Inbox:
    """Give that service's inbox."""
    return Inbox(pool, reader.ears, FixedClock(INSTANT))


async def _seen(pool: Pool, counter: str) -> list[int]:
    return await pool.fetchval("SELECT seen FROM counters WHERE key = $1", counter) or []


async def _kept(pool: Pool) -> dict[str, int]:
    rows = await pool.fetch("SELECT state, count(*) AS events FROM kept_events GROUP BY state")
    return {row["state"]: row["events"] for row in rows}


async def _replay(pool: Pool) -> None:
    await pool.execute(
        "UPDATE kept_events SET state = 'ready', attempts = 0, next_try_at = now() "
        "WHERE state = 'parked'"
    )


async def test_each_event_takes_effect_once(pool: Pool, inbox: Inbox) -> None:
    """P4: every message comes one to five times, mixed across keys, from two readers at once."""
    rng = random.Random(SEED)
    streams = {
        f"counter-{n}": [v for v in range(1, 21) for _ in range(rng.randint(1, 5))]
        for n in range(6)
    }

    async def deliver(counter: str, versions: list[int]) -> None:
        for version in versions:
            await inbox.receive(arrival_of(counter, version))

    await asyncio.gather(*(deliver(c, v) for c, v in streams.items() for _ in range(2)))
    for counter in streams:
        assert await _seen(pool, counter) == list(range(1, 21))


async def test_an_effect_and_its_claim_are_one(pool: Pool, inbox: Inbox, reader: Reader) -> None:
    """P4: without the commit there is no claim either: the event comes again and counts."""
    reader.failing_with = asyncpg.SerializationError()
    with pytest.raises(asyncpg.SerializationError):
        await inbox.receive(arrival_of("counter", 1))
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 0
    reader.failing_with = None
    assert await inbox.receive(arrival_of("counter", 1)) == "handled"
    assert await _seen(pool, "counter") == [1]


async def test_without_the_claim_duplicates_would_count_twice(pool: Pool, inbox: Inbox) -> None:
    """The control of P4: take the inbox away and the second delivery acts again."""
    await inbox.receive(arrival_of("counter", 1))
    await pool.execute("DELETE FROM inbox")
    await inbox.receive(arrival_of("counter", 1))
    assert await _seen(pool, "counter") == [1, 1]


async def test_poison_parks_its_own_key_and_stops_nobody_else(
    pool: Pool, inbox: Inbox, reader: Reader
) -> None:
    """P5: the poisoned counter waits in order, all others go on, and nothing of it took effect."""
    reader.poison.add(("bad", 2))
    for version in (1, 2, 3, 4):
        for counter in ("bad", "good"):
            await inbox.receive(arrival_of(counter, version))
    assert await _seen(pool, "good") == [1, 2, 3, 4]
    assert await _seen(pool, "bad") == [1]
    assert await _kept(pool) == {"parked": 1, "behind": 2}
    assert await inbox.take_up() == 0, "nothing passes a parked event of its key"


async def test_after_the_fix_a_replay_ends_as_if_there_had_been_no_poison(
    pool: Pool, inbox: Inbox, reader: Reader
) -> None:
    """P5, case 12: later events of the key run once, after the earlier one."""
    reader.poison.add(("bad", 2))
    for version in (1, 2, 3):
        await inbox.receive(arrival_of("bad", version))
    reader.poison.clear()
    await _replay(pool)
    await inbox.take_up()
    await inbox.receive(arrival_of("bad", 4))
    assert await _seen(pool, "bad") == [1, 2, 3, 4]
    assert await _kept(pool) == {}


async def test_an_event_that_is_replayed_too_early_parks_again(
    pool: Pool, inbox: Inbox, reader: Reader
) -> None:
    """A replay without a fix changes nothing but the number of attempts."""
    reader.poison.add(("bad", 1))
    await inbox.receive(arrival_of("bad", 1))
    await pool.execute("UPDATE kept_events SET state = 'ready', next_try_at = now()")

    async def parked() -> bool:
        await pool.execute("UPDATE kept_events SET next_try_at = now()")
        await inbox.take_up()
        return (await _kept(pool)) == {"parked": 1}

    await eventually(parked, what="parking")
    assert await _seen(pool, "bad") == []


async def test_a_missing_prerequisite_is_waited_for_and_is_no_poison(
    pool: Pool, inbox: Inbox, reader: Reader
) -> None:
    """A payment that overtakes its order waits under the order's id and is taken up with it."""
    reader.needs["payment"] = "order"
    assert await inbox.receive(arrival_of("payment", 1)) == "deferred"
    assert await inbox.receive(arrival_of("payment", 2)) == "behind"
    assert await inbox.receive(arrival_of("other", 1)) == "handled"
    async with transaction(pool) as conn:
        await conn.execute(COUNT, "order", 1, 1)
        await arrived(conn, "counter:order")
    await inbox.take_up()
    assert await _seen(pool, "payment") == [1, 2]
    assert await _kept(pool) == {}


async def test_a_missed_arrival_is_made_up_for_by_time(
    pool: Pool, inbox: Inbox, reader: Reader
) -> None:
    """When the word of the arrival was missed, a later look finds the prerequisite by itself."""
    reader.needs["payment"] = "order"
    await inbox.receive(arrival_of("payment", 1))
    await pool.execute(COUNT, "order", 1, 1)

    async def taken_up() -> bool:
        await inbox.take_up()
        return await _seen(pool, "payment") == [1]

    await eventually(taken_up, what="taking up")


async def test_a_transient_error_is_never_poison(pool: Pool, inbox: Inbox, reader: Reader) -> None:
    """A database that is away pauses the partition; it parks nothing however often it fails."""
    reader.failing_with = ConnectionResetError()
    for _ in range(10):
        with pytest.raises(ConnectionResetError):
            await inbox.receive(arrival_of("counter", 1))
    assert await _kept(pool) == {}


async def test_what_is_no_event_of_ours_is_parked_and_what_is_unknown_ignored(
    pool: Pool, inbox: Inbox
) -> None:
    """A record without an envelope is a dead letter; a fact nobody here knows is tolerated."""
    broken = Arrival(Counted.topic, "x", [("ce_id", b"no id")], b"{}")
    assert await inbox.receive(broken) == "parked"
    strange = arrival_of("y", 1)
    headers = [
        (name, b"mentorium.profiles.NeverHeardOf" if name == "ce_type" else raw)
        for name, raw in strange.headers
    ]
    assert await inbox.receive(Arrival(Counted.topic, "y", headers, b"{}")) == "unknown"
    assert await _kept(pool) == {"parked": 1}


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (b"a\0key", []),
        (b"\xff\xfe", [("ce_id", b"\0")]),
        (random.Random(SEED).randbytes(20_000), []),
        (b"key", [("ce_\0", b"1"), ("ce_type", b"\xff\0")]),
    ],
)
async def test_bytes_that_no_text_column_takes_are_parked_too(
    pool: Pool, inbox: Inbox, key: bytes, headers: list[tuple[str, bytes]]
) -> None:
    """P5: what cannot be kept as it came would be read again for ever and block its partition."""
    assert await inbox.receive(Arrival.of(Counted.topic, key, headers, b"junk")) == "parked"
    assert await _kept(pool) == {"parked": 1}


async def test_a_dead_letter_says_why_without_quoting_the_data(pool: Pool, inbox: Inbox) -> None:
    """P16: the reason names the field, never its value."""
    arrival = arrival_of("secret-value", 1)
    spoiled = Arrival(arrival.topic, "k", arrival.headers, b'{"version": 1, "counter": ["ada@x"]}')
    assert await inbox.receive(spoiled) == "parked"
    error = await pool.fetchval("SELECT error FROM kept_events")
    assert "counter" in error
    assert "ada@x" not in error


async def test_unknown_fields_are_tolerated(pool: Pool, inbox: Inbox) -> None:
    """P17: a newer speaker may add fields; an older reader goes on."""
    arrival = arrival_of("counter", 1)
    newer = Arrival(
        arrival.topic,
        "counter",
        arrival.headers,
        b'{"version": 1, "counter": "counter", "amount": 1, "mood": "good"}',
    )
    assert await inbox.receive(newer) == "handled"
    assert open_envelope(newer.headers, newer.value).read(Counted).amount == 1


async def test_a_slow_reader_does_not_park_what_another_has_handled(
    pool: Pool, inbox: Inbox
) -> None:
    """After a rebalance the former owner may fail late: the event took effect and stays done."""
    await inbox.receive(arrival_of("counter", 1))
    await inbox._keep_aside(arrival_of("counter", 1), "parked", PoisonedCounter())
    assert await _kept(pool) == {}
    assert await _seen(pool, "counter") == [1]
