"""The world a benchmark works in: a migrated database, mentors who sell, and sessions of the past.

Everything is numbered: mentor 7, mentee 12, hold 30. So both sides of a comparison can name what
they work on without asking the database, and never the same thing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.booking.commands.holds import hold_slot
from services.booking.domain.holds import Start, Wish
from services.booking.domain.terms import Terms
from shared.contracts.booking import FrozenPolicy
from shared.db import Connection, Pool, connection, open_pool
from shared.ids import OfferingId, OrderId, PersonId, SessionId

FEWEST_MENTORS = 200
SESSIONS_PER_MENTOR = 500
SESSIONS_PER_MENTEE = 5
"""A market with more sessions has more people, so that only tables grow, not calendars."""
PER_STATEMENT = 20_000
STATEMENT_SECONDS = 120.0
HORIZON_DAYS = 60
SLOT = timedelta(hours=1)
FIRST_SLOT_IN = timedelta(days=1)

MENTOR, MENTEE, OFFERING, SESSION, ORDER, EVENT = range(1, 7)
"""Kinds of things that are numbered."""


def numbered(kind: int, number: int) -> UUID:
    """Return the id of the thing of that kind and number."""
    return UUID(int=(kind << 64) + number)


def numbered_sql(kind: int, number: str) -> str:
    """Return the same id as an expression of SQL; `number` is one too."""
    return f"('{kind:016x}' || lpad(to_hex({number}), 16, '0'))::uuid"


PEOPLE = f"""
INSERT INTO people (person_id, version, verified, mentor_state)
SELECT {numbered_sql(MENTOR, "i")}, 1, true, 'approved' FROM generate_series(0, $1 - 1) AS i
"""
AVAILABILITY = f"""
INSERT INTO availability (mentor_id, version, zone, weekly, room_url)
SELECT {numbered_sql(MENTOR, "i")}, 1, 'UTC',
       (SELECT jsonb_agg(jsonb_build_array(day, 0, 1440)) FROM generate_series(0, 6) AS day),
       'https://meet.example.test/room'
FROM generate_series(0, $1 - 1) AS i
"""
OFFERINGS = f"""
INSERT INTO offerings (
    offering_id, mentor_id, state, revision, version, title, description, minutes, price_minor,
    currency, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes, horizon_days,
    cancellation_preset
)
SELECT {numbered_sql(OFFERING, "i")}, {numbered_sql(MENTOR, "i")}, 'published', 1, 1,
       'One hour on your next step', 'Where you stand, and where to go.', 60, 12000, 'USD', 0, 0,
       60, {HORIZON_DAYS}, 'standard'
FROM generate_series(0, $1 - 1) AS i
"""
PAST_ORDERS = f"""
INSERT INTO orders (
    order_id, offering_id, mentor_id, mentee_id, title, buffer_before_minutes,
    buffer_after_minutes, price_minor, currency, policy, state, hold_until, expires_at, version,
    confirmed_at
)
SELECT {numbered_sql(ORDER, "i")}, {numbered_sql(OFFERING, "i % $3")},
       {numbered_sql(MENTOR, "i % $3")}, {numbered_sql(MENTEE, "i % $4")}, model.title,
       model.buffer_before_minutes, model.buffer_after_minutes, model.price_minor, model.currency,
       model.policy, 'completed', past.at - interval '3 days', past.at - interval '3 days', 3,
       past.at - interval '3 days'
FROM generate_series($1::bigint, $2::bigint) AS i
CROSS JOIN (
    SELECT o.*, s.starts_at FROM orders AS o INNER JOIN sessions AS s ON s.order_id = o.order_id
    WHERE o.order_id = $5
) AS model
CROSS JOIN LATERAL (
    SELECT model.starts_at - interval '2 days' - (i / $3 + 1) * interval '1 hour' AS at
) AS past
"""
PAST_SESSIONS = f"""
INSERT INTO sessions (
    session_id, order_id, starts_at, ends_at, price_minor, state, completes_at, completed_by,
    completed_at
)
SELECT {numbered_sql(SESSION, "i")}, o.order_id, past.at, past.at + interval '1 hour',
       o.price_minor, 'completed', past.at + interval '25 hours', 'mentee',
       past.at + interval '1 hour'
FROM generate_series($1::bigint, $2::bigint) AS i
INNER JOIN orders AS o ON o.order_id = {numbered_sql(ORDER, "i")}
CROSS JOIN LATERAL (SELECT o.hold_until + interval '3 days' AS at) AS past
"""
PAST_SEATS = f"""
INSERT INTO participations (session_id, person_id, during, active)
SELECT s.session_id, person.id, tstzrange(s.starts_at, s.ends_at, '[)'), true
FROM generate_series($1::bigint, $2::bigint) AS i
INNER JOIN orders AS o ON o.order_id = {numbered_sql(ORDER, "i")}
INNER JOIN sessions AS s ON s.order_id = o.order_id
CROSS JOIN LATERAL unnest(ARRAY[o.mentor_id, o.mentee_id]) AS person (id)
"""
HANDLED_EVENTS = f"""
INSERT INTO inbox (event_id)
SELECT {numbered_sql(EVENT, "i")} FROM generate_series(2 * $1::bigint, 2 * $2::bigint + 1) AS i
"""


@dataclass
class World:
    """One database of booking; `url` is how its runtime role reaches it."""

    url: str
    pool: Pool
    stored: int
    first_slot: datetime
    _holds: int = 0

    @property
    def mentors(self) -> int:
        """How many mentors sell."""
        return max(FEWEST_MENTORS, self.stored // SESSIONS_PER_MENTOR)

    @property
    def mentees(self) -> int:
        """How many mentees bought the sessions of the past."""
        return max(self.mentors, self.stored // SESSIONS_PER_MENTEE)

    def reserve_holds(self, count: int) -> range:
        """Return numbers of holds that nobody has made and nobody else will."""
        self._holds += count
        return range(self._holds - count, self._holds)

    def starts_at(self, hold: int) -> datetime:
        """Return when the session of a hold begins: mentors take turns, slot by slot."""
        return self.first_slot + hold // self.mentors * SLOT

    def wish(self, hold: int) -> Wish:
        """Return what the mentee of a hold asks for."""
        fresh = self.stored + hold
        return Wish(
            OrderId(numbered(ORDER, fresh)),
            (Start(SessionId(numbered(SESSION, fresh)), self.starts_at(hold)),),
            PersonId(numbered(MENTEE, self.mentees + hold)),
            FrozenPolicy(preset="standard", policy_version=1),
        )

    def offering(self, hold: int) -> OfferingId:
        """Return what a hold is of."""
        return OfferingId(numbered(OFFERING, hold % self.mentors))

    async def hold(self, conn: Connection, number: int) -> None:
        """Make a hold as booking does."""
        wish, now = self.wish(number), datetime.now(UTC)
        await hold_slot(conn, self.offering(number), wish, terms=Terms(), now=now)

    async def count(self, query: str) -> int:
        """Return the one number that a query gives."""
        return int(await self.pool.fetchval(query))


@asynccontextmanager
async def world(url: str, *, stored: int) -> AsyncGenerator[World]:
    """Fill an empty migrated database with mentors and past sessions, and give it."""
    pool = await open_pool(url, process="bench")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    made = World(url, pool, stored, now + FIRST_SLOT_IN)
    try:
        async with connection(pool) as conn:
            await _fill(conn, made)
        yield made
    finally:
        await pool.close()


async def _fill(conn: Connection, made: World) -> None:
    # What fills a million rows is no statement of the marketplace.
    await conn.execute(f"SET statement_timeout = '{int(STATEMENT_SECONDS)}s'")
    for statement in (PEOPLE, AVAILABILITY, OFFERINGS):
        await conn.execute(statement, made.mentors)
    (model,) = made.reserve_holds(1)
    async with conn.transaction():
        await made.hold(conn, model)
    for first in range(0, made.stored, PER_STATEMENT):
        last = min(first + PER_STATEMENT, made.stored) - 1
        like = (made.mentors, made.mentees, made.wish(model).order_id)
        await conn.execute(PAST_ORDERS, first, last, *like, timeout=STATEMENT_SECONDS)
        for statement in (PAST_SESSIONS, PAST_SEATS, HANDLED_EVENTS):
            await conn.execute(statement, first, last, timeout=STATEMENT_SECONDS)
    await conn.execute("ANALYZE", timeout=STATEMENT_SECONDS)
    await conn.execute("RESET statement_timeout")
