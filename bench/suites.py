"""Which comparisons there are, in suites over two worlds: few stored sessions, and many."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench import books, handling, holds, openings, relay, requests, slots
from bench.bursts import measure_burst
from bench.engines import Engines
from bench.rounds import Comparison, Measurement, Say, Value, Work
from bench.servers import bare_api, booking_api
from bench.topics import own_topics
from bench.world import World, world

HOLDS, RELAY, HANDLING, API, GROWTH = 0.6, 0.25, 0.7, 0.8, 1 / 1.3
POSTINGS = 0.5
"""The least ratios we are content with; growth is a slow-down of at most 1.3 times."""
SLOTS = 30.0
"""Slots of 60 days beside a count of their minutes, which is the least one may expect."""
KEPT = 30.0
"""A next free start that is kept beside one that is found, from a page of mentors on."""
OVER_FEW = "ours over few"
FEW_OF_MENTOR = 100
SLOTS_WANTED = 8
FINDS = 60  # A second of work: ten finds measured the noise of the machine.
MENTORS, ALL_MENTORS = (1, 100), 10_000


@dataclass(frozen=True)
class Sizes:
    """How much is done: rounds, things per round, and stored sessions in both worlds."""

    rounds: int
    holds: int
    events: int
    handled: int
    requests: int
    few: int
    many: int
    of_mentor: tuple[int, ...] = (1_000, 10_000)
    clients: tuple[int, ...] = (1, 10, 50)
    notices: int = 50_000
    postings: int = 4_000
    entries: tuple[int, ...] = (10_000, 100_000)


@dataclass(frozen=True)
class Worlds:
    """What a suite works with."""

    engines: Engines
    few: World
    many: World


@asynccontextmanager
async def worlds(engines: Engines, sizes: Sizes, say: Say) -> AsyncGenerator[Worlds]:
    """Make both worlds."""
    say(f"  storing {sizes.few:,} and {sizes.many:,} sessions")
    async with (
        world(await engines.new_database("booking"), stored=sizes.few) as few,
        world(await engines.new_database("booking"), stored=sizes.many) as many,
    ):
        yield Worlds(engines, few, many)


Suite = Callable[[Worlds, Sizes, Say], Awaitable[Sequence[Measurement | Value]]]


async def measure_holds(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement]:
    """Measure holds through our command and over HTTP, beside pgbench."""
    few, many, count = all_worlds.few, all_worlds.many, sizes.holds
    script = await holds.script_of_hold(few)

    async def pgbench(_round: int) -> Work:
        return await holds.pgbench_many(few, script, count)

    async with booking_api(few) as api:
        # Growth first: the others put into the world of few what makes it one of many.
        return await _measure(sizes, say, [
            Comparison(
                "a", "hold, many sessions stored", OVER_FEW, "holds/s", count,
                lambda _round: holds.hold_many(many, count),
                lambda _round: holds.hold_many(few, count), GROWTH, sizes.many,
            ),
            Comparison(
                "a", "hold, our command", "pgbench", "holds/s", count,
                lambda _round: holds.hold_many(few, count), pgbench, HOLDS, sizes.few,
            ),
            Comparison(
                "a", "hold over HTTP", "pgbench", "holds/s", count,
                lambda _round: requests.hold_ours(few, api, count), pgbench, None, sizes.few,
            ),
        ])  # fmt: skip


async def measure_relay(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement]:
    """Measure events from the outbox to Kafka, beside aiokafka alone."""
    async with own_topics(all_worlds.engines.kafka, relay.TOPIC) as broker:
        few = relay.Outbox(all_worlds.few, broker)
        many = relay.Outbox(all_worlds.many, broker)
        return await _measure(sizes, say, [
            Comparison(
                "b", "relay", "raw aiokafka", "events/s", sizes.events,
                lambda _round: few.carry(sizes.events),
                lambda _round: few.send_raw(sizes.events), RELAY, sizes.few,
            ),
            Comparison(
                "b", "relay, many sessions stored", OVER_FEW, "events/s", sizes.events,
                lambda _round: many.carry(sizes.events),
                lambda _round: few.carry(sizes.events), GROWTH, sizes.many,
            ),
        ])  # fmt: skip


async def measure_handling(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement]:
    """Measure events from Kafka into effect, beside a bare consumer with one insert each."""
    few, many, kafka = all_worlds.few, all_worlds.many, all_worlds.engines.kafka
    return await _measure(sizes, say, [
        Comparison(
            "c", "handling", "consumer and insert", "events/s", sizes.handled,
            lambda _round: handling.handle(few, kafka, sizes.handled),
            lambda _round: handling.insert_bare(few, kafka, sizes.handled), HANDLING, sizes.few,
        ),
        Comparison(
            "c", "handling, many sessions stored", OVER_FEW, "events/s", sizes.handled,
            lambda _round: handling.handle(many, kafka, sizes.handled),
            lambda _round: handling.handle(few, kafka, sizes.handled), GROWTH, sizes.many,
        ),
    ])  # fmt: skip


async def measure_api(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement]:
    """Measure a read and a write over HTTP, beside bare aiohttp and asyncpg."""
    few, many, count = all_worlds.few, all_worlds.many, sizes.requests
    async with booking_api(few) as ours, bare_api(few) as bare, booking_api(many) as grown:
        return await _measure(sizes, say, [
            Comparison(
                "d", "read an order", "bare aiohttp", "requests/s", count,
                lambda _round: requests.read_ours(few, ours, count),
                lambda _round: requests.read_bare(few, ours, bare, count), API, sizes.few,
            ),
            Comparison(
                "d", "write a goal", "bare aiohttp", "requests/s", count,
                lambda _round: requests.write_ours(few, ours, count),
                lambda _round: requests.write_bare(few, ours, bare, count), API, sizes.few,
            ),
            Comparison(
                "d", "read, many sessions stored", OVER_FEW, "requests/s", count,
                lambda _round: requests.read_ours(many, grown, count),
                lambda _round: requests.read_ours(few, ours, count), GROWTH, sizes.many,
            ),
            Comparison(
                "d", "write, many sessions stored", OVER_FEW, "requests/s", count,
                lambda _round: requests.write_ours(many, grown, count),
                lambda _round: requests.write_ours(few, ours, count), GROWTH, sizes.many,
            ),
        ])  # fmt: skip


async def measure_slots(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement | Value]:
    """Measure free slots: the function, growth with one mentor's sessions, and contention."""
    async with world(await all_worlds.engines.new_database("booking"), stored=0) as own:
        few = slots.Mentor(own, 0)
        await few.remember(FEW_OF_MENTOR)
        by_minutes = Comparison(
            "g", "slots of 60 days", "by minutes", "mentors/s", 2,
            lambda _round: slots.find_ours(2), lambda _round: slots.find_by_minutes(2), SLOTS,
        )  # fmt: skip
        growth = [
            await _growth(own, few, n + 1, stored) for n, stored in enumerate(sizes.of_mentor)
        ]
        measured = await _measure(sizes, say, [by_minutes, *growth])
        return [*measured, await slots.time_one(sizes.rounds), *await _contention(own, sizes)]


async def _growth(own: World, few: slots.Mentor, number: int, stored: int) -> Comparison:
    many = slots.Mentor(own, number)
    await many.remember(stored)
    return Comparison(
        "g", f"slots, {stored:,} sessions of the mentor", OVER_FEW, "mentors/s", FINDS,
        lambda _round: many.find(FINDS), lambda _round: few.find(FINDS), GROWTH, stored,
    )  # fmt: skip


async def _contention(own: World, sizes: Sizes) -> list[Value]:
    found: list[Value] = []
    first = len(sizes.of_mentor) + 1
    for clients in sizes.clients:
        rates: list[float] = []
        for _ in range(sizes.rounds):
            rates.append(await slots.contend(own, clients, SLOTS_WANTED, first))
            first += SLOTS_WANTED
        name = f"hold, {clients} people want each slot"
        found.append(Value("g", name, "attempts/s", tuple(rates)))
    return found


async def measure_openings(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement | Value]:
    """Measure next free starts of few and many mentors, kept beside found, and looks."""
    async with world(await all_worlds.engines.new_database("booking"), stored=0) as own:
        await openings.keep(own, ALL_MENTORS)
        measured = await _measure(sizes, say, [_kept(own, mentors) for mentors in MENTORS])
        return [
            *measured,
            await openings.time_reads(own, ALL_MENTORS, sizes.rounds),
            await openings.time_looks(own, max(MENTORS), sizes.rounds),
        ]


def _kept(own: World, mentors: int) -> Comparison:
    return Comparison(
        "h", f"next free starts, {mentors:,} at a time", "found one by one", "mentors/s", mentors,
        lambda _round: openings.read(own, mentors),
        lambda _round: openings.find(own, mentors), KEPT if mentors > 1 else None,
    )  # fmt: skip


async def measure_notices(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement | Value]:
    """Measure a burst of Stripe's notices beside people who buy, and look at their checkouts."""
    say(f"    {sizes.notices:,} notices")
    return await measure_burst(all_worlds.engines, sizes.notices)


async def measure_books(all_worlds: Worlds, sizes: Sizes, say: Say) -> list[Measurement | Value]:
    """Measure postings beside pgbench, and proof and reconciliation of few and many entries."""
    count = sizes.postings
    async with books.own_books(all_worlds.engines) as own:
        posted = await _measure(sizes, say, [
            Comparison(
                "i", "posting", "pgbench", "entries/s", count,
                lambda _round: own.post_many(count), lambda _round: own.pgbench_many(count),
                POSTINGS,
            ),
        ])  # fmt: skip
    grown: list[Value] = []
    for entries in sizes.entries:
        say(f"    storing, comparing and proving {entries:,} entries")
        grown += await books.grown(all_worlds.engines, entries, sizes.rounds)
    return [*posted, *grown]


async def _measure(sizes: Sizes, say: Say, comparisons: Sequence[Comparison]) -> list[Measurement]:
    return [await each.measure(sizes.rounds, say) for each in comparisons]


SUITES: Mapping[str, Suite] = {
    "a": measure_holds, "b": measure_relay, "c": measure_handling, "d": measure_api,
    "g": measure_slots, "h": measure_openings, "i": measure_books, "j": measure_notices,
}  # fmt: skip
