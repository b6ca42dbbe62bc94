"""The whole marketplace as `make up` runs it: start-up, memory at rest, paid sessions."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import asyncpg

from bench.memory import family_of, megabytes_of
from bench.rounds import Say, Value
from bench.suites import Sizes
from bench.world import world
from dev.client import Caller, Json, Person
from dev.home import HOME_SETTING, REPOSITORY, Home
from dev.journey import OFFERING, buy, calling, free_slots, new_mentor, new_person, publish_offering
from dev.marketplace import Marketplace, site_of
from dev.postgres import SUPERUSER
from dev.table import postgres_of
from shared.clock import monotonic_seconds

READY = b"Mentorium is ready"
START_SECONDS = 180.0
STOP_SECONDS = 60.0
JOURNEY_SECONDS = 300.0
FILL_SECONDS = 600.0
MENTORS, MENTEES = 2, 8
SLOT_STEPS = 3
"""Starts lie half an hour apart; a session and its buffer take three of them."""
AT_REST_MEGABYTES, WARM_SECONDS = 900.0, 5.0

# What payments keeps of the sessions that booking was filled with. Triggers are for transactions of
# the marketplace; these rows are made to balance.
FILL_PAYMENTS = """
SET session_replication_role = replica;
INSERT INTO payments.orders (
    order_id, mentor_id, mentee_id, title, price_minor, currency, platform_share_basis_points,
    release_delay_seconds, hold_until, state, close_at, checkout_id, payment_intent_id, charge_id,
    paid_at, opened_at, version
)
SELECT o.order_id, o.mentor_id, o.mentee_id, o.title, o.price_minor, o.currency, 1500, 172800,
       o.hold_until, 'paid', o.hold_until, 'cs_' || o.order_id, 'pi_' || o.order_id,
       'ch_' || o.order_id, o.confirmed_at, o.confirmed_at, 4
FROM booking.orders AS o
WHERE o.state = 'completed';
INSERT INTO payments.sessions (session_id, order_id, place, price_minor, decision)
SELECT s.session_id, s.order_id, 1, s.price_minor, s.state
FROM booking.sessions AS s
WHERE s.state = 'completed';
INSERT INTO payments.earnings (
    session_id, order_id, mentor_id, currency, retained_minor, mentor_minor, platform_minor, due_at,
    released_at, transfer_state
)
SELECT s.session_id, o.order_id, o.mentor_id, o.currency, o.price_minor,
       o.price_minor - o.price_minor / 8, o.price_minor / 8, s.completed_at, s.completed_at, 'sent'
FROM booking.orders AS o INNER JOIN booking.sessions AS s ON s.order_id = o.order_id
WHERE o.state = 'completed';
INSERT INTO payments.transfers (
    transfer_id, order_id, session_id, mentor_id, number, amount_minor, currency, state,
    stripe_transfer_id, planned_at, sent_at
)
SELECT order_id, order_id, session_id, mentor_id, 1, mentor_minor, currency, 'sent',
       'tr_' || order_id, released_at, released_at
FROM payments.earnings WHERE transfer_state = 'sent';
INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at)
SELECT o.order_id, 'bench:' || o.order_id, 'payment', o.confirmed_at
FROM booking.orders AS o WHERE o.state = 'completed';
INSERT INTO payments.ledger_lines (
    entry_id, line_number, account, order_id, mentor_id, amount_minor, currency
)
SELECT o.order_id, line.number, line.account, o.order_id, o.mentor_id,
       line.sign * o.price_minor, o.currency
FROM booking.orders AS o
CROSS JOIN (VALUES (1, 'stripe', 1), (2, 'earnings', -1)) AS line (number, account, sign)
WHERE o.state = 'completed';
INSERT INTO payments.webhooks (event_id, type, object_id, created_at, state)
SELECT 'evt_' || o.order_id, 'checkout.session.completed', 'cs_' || o.order_id, o.confirmed_at,
       'obeyed'
FROM booking.orders AS o WHERE o.state = 'completed';
SET session_replication_role = DEFAULT;
ANALYZE
"""
WEBHOOK_TO_CONFIRMATION = """
SELECT extract(epoch FROM b.confirmed_at - min(w.received_at))::float8 AS seconds
FROM booking.orders AS b
INNER JOIN payments.orders AS p ON p.order_id = b.order_id
INNER JOIN payments.webhooks AS w ON w.object_id = p.checkout_id
WHERE b.order_id = ANY($1::uuid[]) AND w.type = 'checkout.session.completed'
GROUP BY b.order_id, b.confirmed_at
"""


@dataclass(frozen=True)
class Market:
    """How many sessions are bought in one go, and how often a warm start is measured."""

    sessions: int
    starts: int


@dataclass(frozen=True)
class Started:
    """A running marketplace: its launcher's id, and how long it took until it was ready."""

    pid: int
    seconds: float
    marketplace: Marketplace


@dataclass(frozen=True)
class Buyer:
    """A mentee, what they buy, and the times that nobody else is after."""

    mentee: Person
    offering_id: str
    slots: list[Json]


async def measure_whole(sizes: Sizes, market: Market, say: Say) -> list[Value]:
    """Run the marketplace cold, at rest, under purchases, and warm."""
    home = Home(Path(tempfile.mkdtemp(prefix="mentorium-bench-")))
    try:
        say("  f: a cold start of everything")
        async with started(home) as first:
            megabytes = sum(map(megabytes_of, family_of(first.pid)))
            results = [
                Value("f", "cold start", "s", (first.seconds,)),
                Value("f", "memory at rest", "MB", (megabytes,), AT_REST_MEGABYTES),
            ]
            results += await _purchases(first.marketplace, sizes, market, say)
        return [*results, await _warm_starts(home, market, say)]
    finally:
        home.remove()


async def _warm_starts(home: Home, market: Market, say: Say) -> Value:
    seconds: list[float] = []
    for number in range(market.starts):
        async with started(home) as again:
            seconds.append(again.seconds)
            say(f"    warm start {number + 1}: {again.seconds:.1f} s")
    return Value("f", "warm start", "s", tuple(seconds), WARM_SECONDS)


@asynccontextmanager
async def started(home: Home) -> AsyncGenerator[Started]:
    """Run `python -m dev up` until the block ends; raises `TimeoutError` when it is not ready."""
    began = monotonic_seconds()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dev", "up", "--quiet",
        env={**os.environ, HOME_SETTING: str(home.root), "PYTHONUNBUFFERED": "1"},
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS):
            while READY not in (line := await _line(process)):
                if not line:
                    raise RuntimeError(f"the marketplace did not start; see {home.logs}")
        yield Started(process.pid, monotonic_seconds() - began, Marketplace(site_of(home)))
    finally:
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None:
        raise RuntimeError("the launcher was started without a pipe")
    return await process.stdout.readline()


async def _purchases(
    marketplace: Marketplace, sizes: Sizes, market: Market, say: Say
) -> list[Value]:
    site = marketplace.site
    root = postgres_of(site.home, site.ports["postgres"]).url(SUPERUSER)
    async with calling(marketplace) as caller:
        say(f"  e: {MENTEES} people buy {market.sessions} sessions, twice")
        offerings = [
            await publish_offering(await new_mentor(caller, f"Mentor {n}"), OFFERING, zone="UTC")
            for n in range(MENTORS)
        ]
        buyers = await _buyers(caller, offerings)
        results = await _measured(root, buyers, market.sessions, "few sessions stored")
        say(f"    storing {sizes.many:,} more sessions")
        async with world(site.database_url("booking_app"), stored=sizes.many):
            await _execute(root, FILL_PAYMENTS)
        words = f"{sizes.many:,} sessions stored"
        return results + await _measured(root, buyers, market.sessions, words)


async def _buyers(caller: Caller, offerings: Sequence[str]) -> list[Buyer]:
    people = [
        await new_person(caller, f"Mentee {n}", wants="mentee", zone="UTC") for n in range(MENTEES)
    ]
    each = MENTEES // len(offerings)
    buyers: list[Buyer] = []
    for turn, offering in enumerate(offerings):
        slots = (await free_slots(people[0], offering))[::SLOT_STEPS]
        buyers += [
            Buyer(person, offering, slots[number::each])
            for number, person in enumerate(people[turn * each : (turn + 1) * each])
        ]
    return buyers


async def _measured(root: str, buyers: Sequence[Buyer], sessions: int, words: str) -> list[Value]:
    began = monotonic_seconds()
    async with asyncio.timeout(JOURNEY_SECONDS):
        orders = await asyncio.gather(*(_buy(each, sessions // len(buyers)) for each in buyers))
    seconds = monotonic_seconds() - began
    bought = [order for of_one in orders for order in of_one]
    waits = await _waits(root, bought)
    percentiles = quantiles(waits, n=100, method="inclusive")
    return [
        Value("e", f"paid sessions, {words}", "sessions/s", (len(bought) / seconds,)),
        Value("e", f"webhook to confirmation, p50, {words}", "s", (percentiles[49],)),
        Value("e", f"webhook to confirmation, p99, {words}", "s", (percentiles[98],)),
    ]


async def _buy(buyer: Buyer, count: int) -> list[str]:
    return [
        (await buy(buyer.mentee, buyer.offering_id, buyer.slots.pop(0))).order_id
        for _ in range(count)
    ]


async def _waits(root: str, orders: Sequence[str]) -> list[float]:
    conn = await asyncpg.connect(root)
    try:
        rows = await conn.fetch(WEBHOOK_TO_CONFIRMATION, orders)
    finally:
        await conn.close()
    if len(rows) != len(orders):
        raise AssertionError(f"{len(orders)} orders were bought, {len(rows)} heard by webhook")
    return [row["seconds"] for row in rows]


async def _execute(root: str, statements: str) -> None:
    conn = await asyncpg.connect(root)
    try:
        await conn.execute(statements, timeout=FILL_SECONDS)
    finally:
        await conn.close()
