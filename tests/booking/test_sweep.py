"""P1 with moves, expiries and killed connections together; the history is checked from outside.

Each client writes down only what was acknowledged to it. Afterwards every acknowledged hold must
exist, and what the sessions say must be disjoint for everybody, whatever the database promises.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import asyncpg
import pytest

from services.booking.commands.holds import expire_next_hold
from services.booking.commands.moves import Mover, move_session
from services.booking.domain.moves import Meaning, MoveWish
from services.booking.domain.orders import Order
from services.booking.store.orders import read_orders
from shared.db import in_transaction
from shared.errors import Refusal, is_transient
from shared.ids import OfferingId, PersonId
from tests.booking.conftest import SLOT, TERMS, Marketplace
from tests.engines import Database

SEED = 20260302
SWEEP_SECONDS = 600
KILL_EVERY_SECONDS = 0.2
KILL_ONE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'test' AND state <> 'idle'
ORDER BY random() LIMIT 1
"""
ORDER_IDS = "SELECT order_id FROM orders"
IMMEDIATE = Meaning(immediate=True, refundable_after=True)


class Crowd:
    """Clients who hold, pay, move and let lapse what they hold, with people in both roles."""

    def __init__(self, market: Marketplace, seed: int) -> None:
        self.market = market
        self.chance = Random(seed)
        self.people: list[PersonId] = []
        self.offerings: list[OfferingId] = []
        self.acknowledged: dict[object, datetime] = {}
        self.moves = 0

    async def gather_people(self, mentors: int, mentees: int) -> None:
        """Make mentors, who are mentees too, and mentees."""
        shapes = ({"minutes": 60}, {"minutes": 90, "buffer_before_minutes": 10})
        for number in range(mentors):
            mentor = await self.market.mentor()
            self.people.append(mentor.person_id)
            self.offerings.append(await self.market.offer(mentor, **shapes[number % 2]))
        self.people += [self.market.person().person_id for _ in range(mentees)]

    async def client(self, turns: int) -> None:
        """Act some times; a lost connection leaves it unknown what became of the last act."""
        mine: list[Order] = []
        for _ in range(turns):
            try:
                await self._act(mine)
            except Refusal:
                continue
            except Exception as error:
                if not is_transient(error):
                    raise

    async def _act(self, mine: list[Order]) -> None:
        start = SLOT + self.chance.randrange(96) * timedelta(minutes=30)
        if not mine or self.chance.random() < 0.4:
            person, offering = self.chance.choice(self.people), self.chance.choice(self.offerings)
            order = await self.market.hold(person, offering, start)
            self.acknowledged[order.order_id] = start
            mine.append(order)
            if self.chance.random() < 0.8:
                await self.market.pay(order)
        else:
            await self._move(self.chance.choice(mine), start)
        if self.chance.random() < 0.3:
            now = self.market.clock.now() + TERMS.hold + TERMS.hold_grace
            await in_transaction(self.market.pool, lambda conn: expire_next_hold(conn, now=now))

    async def _move(self, order: Order, start: datetime) -> None:
        mover, wish = Mover(order.order_id, None, order.mentee_id), MoveWish(start, IMMEDIATE)
        now = self.market.clock.now()
        await in_transaction(
            self.market.pool,
            lambda conn: move_session(conn, mover, wish, terms=TERMS, now=now),
        )
        self.moves += 1


async def kill_connections(own: Database) -> None:
    """End a busy connection of the service again and again, as kill -9 of its backend does."""
    conn = await asyncpg.connect(own.superuser_url)
    try:
        while True:
            await conn.fetch(KILL_ONE)
            await asyncio.sleep(KILL_EVERY_SECONDS)
    finally:
        await conn.close()


async def sweep(market: Marketplace, own: Database, clients: int, turns: int) -> Crowd:
    """Let the crowd act while connections are killed."""
    crowd = Crowd(market, SEED)
    await crowd.gather_people(mentors=max(3, clients // 10), mentees=clients)
    killer = asyncio.create_task(kill_connections(own))
    try:
        async with asyncio.timeout(SWEEP_SECONDS):
            await asyncio.gather(*(crowd.client(turns) for _ in range(clients)))
    finally:
        killer.cancel()
        with suppress(asyncio.CancelledError):
            await killer
    return crowd


async def check_history(crowd: Crowd) -> int:
    """Return how many pairs of one person's sessions overlap; everything acknowledged is there."""
    rows = await crowd.market.pool.fetch(ORDER_IDS)
    orders = await in_transaction(
        crowd.market.pool, lambda conn: read_orders(conn, [row["order_id"] for row in rows])
    )
    assert crowd.acknowledged.keys() <= {order.order_id for order in orders}
    times = defaultdict[PersonId, list[tuple[datetime, datetime]]](list)
    for order in orders:
        for session in order.sessions:
            for seat in order.seats_of(session) if session.blocks_time else ():
                times[seat.person_id].append((seat.during.starts_at, seat.during.ends_at))
    return sum(
        later[0] < earlier[1]
        for sold in times.values()
        for earlier, later in pairwise(sorted(sold))
    )


async def seats_without_their_pair(market: Marketplace) -> int:
    """Return how many sessions have half their people."""
    query = "SELECT session_id FROM participations WHERE active GROUP BY 1 HAVING count(*) <> 2"
    return len(await market.pool.fetch(query))


async def test_holds_moves_and_killed_connections_sell_nothing_twice(
    market: Marketplace, own_database: Database
):
    """A seeded sample of the sweep below."""
    crowd = await sweep(market, own_database, clients=25, turns=6)
    assert await check_history(crowd) == 0
    assert await seats_without_their_pair(market) == await market.overlaps() == 0
    assert crowd.moves > 0
    assert len(crowd.acknowledged) > 10


@pytest.mark.long
async def test_two_hundred_clients_sell_nothing_twice(market: Marketplace, own_database: Database):
    """P1 at full scale."""
    crowd = await sweep(market, own_database, clients=200, turns=30)
    assert await check_history(crowd) == 0
    assert await seats_without_their_pair(market) == await market.overlaps() == 0
    assert crowd.moves > 20


async def test_without_the_constraint_the_history_shows_time_sold_twice(
    market: Marketplace, own_database: Database
):
    """The control: take the mechanism away, and the check from outside notices."""
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        await conn.execute(
            "ALTER TABLE booking.participations DROP CONSTRAINT participations_sold_once"
        )
    finally:
        await conn.close()
    crowd = await sweep(market, own_database, clients=25, turns=6)
    assert await check_history(crowd) > 0
