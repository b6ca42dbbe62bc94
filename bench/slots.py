"""Free slots beside a count of minutes, beside more stored sessions, and wanted by many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from time import process_time
from zoneinfo import ZoneInfo

from bench.rounds import Value, Work
from bench.world import MENTOR, OFFERING, World, numbered
from services.booking.commands.holds import hold_slot
from services.booking.commands.slots import find_slots
from services.booking.domain.holds import SlotTaken, Start, Wish
from services.booking.domain.terms import Terms
from services.booking.slots import Interval, Rules, SlotPolicy, WeeklyHours, free_slots
from services.booking.store.offerings import read_offering
from shared.clock import monotonic_seconds
from shared.contracts.booking import FrozenPolicy
from shared.db import connection, in_transaction
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id

DAYS = 60
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WINDOW = Interval(NOW, NOW + timedelta(days=DAYS))
CALENDARS, EVENTS, SESSIONS, SEED = 3, 120, 200, 20260302
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
OFFICE = tuple(
    WeeklyHours(day, *hours) for day in range(5) for hours in ((9 * 60, 720), (13 * 60, 18 * 60))
)
RULES = Rules("America/New_York", OFFICE)
POLICY = SlotPolicy(60, 5, 10, 120, DAYS)
SINGLE_DIGIT_MS = 10.0
REPEATS = 10
PAST = """
WITH made AS (
    INSERT INTO orders (
        order_id, offering_id, mentor_id, mentee_id, title, buffer_before_minutes,
        buffer_after_minutes, price_minor, currency, policy, state, hold_until, expires_at, version,
        confirmed_at
    )
    SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), 'One hour', 0, 0, 12000, 'USD',
           '{"preset": "standard", "policy_version": 1, "steps": []}', 'confirmed',
           $3::timestamptz - n * interval '1 hour', $3::timestamptz - n * interval '1 hour', 1, $3
    FROM generate_series($4::int, $5::int) AS n
    RETURNING order_id, mentor_id, mentee_id, hold_until AS starts_at
), met AS (
    INSERT INTO sessions (
        session_id, order_id, starts_at, ends_at, price_minor, state, completes_at
    )
    SELECT gen_random_uuid(), order_id, starts_at, starts_at + interval '1 hour', 12000,
           'confirmed', starts_at + interval '25 hours'
    FROM made
    RETURNING session_id, order_id, starts_at, ends_at
)
INSERT INTO participations (session_id, person_id, during, active)
SELECT met.session_id, made.mentor_id, tstzrange(met.starts_at, met.ends_at, '[)'), true
FROM met INNER JOIN made ON made.order_id = met.order_id
"""
PER_STATEMENT = 5_000


def busy_times() -> list[Interval]:
    """Return what calendars and sold sessions take of a mentor's time, the same every time."""
    chance = Random(SEED)  # noqa: S311  Made up, repeatable on purpose.
    starts = (
        NOW + chance.randrange(DAYS * 96) * QUARTER for _ in range(CALENDARS * EVENTS + SESSIONS)
    )
    return [Interval(start, start + chance.choice((2, 3, 4, 6)) * QUARTER) for start in starts]


async def find_ours(count: int) -> Work:
    """Find the slots of 60 days, as often as asked."""
    busy, started = busy_times(), monotonic_seconds()
    for _ in range(count):
        free_slots(RULES, busy, POLICY, NOW, WINDOW)
    return Work(count, monotonic_seconds() - started)


async def find_by_minutes(count: int) -> Work:
    """Find the same slots by asking of every minute whether the mentor works and is not busy."""
    busy, found = busy_times(), list[datetime]()
    started = monotonic_seconds()
    for _ in range(count):
        found = _by_minutes(busy)
    seconds = monotonic_seconds() - started
    assert found == [slot.starts_at for slot in free_slots(RULES, busy, POLICY, NOW, WINDOW)]
    return Work(count, seconds)


def _by_minutes(busy: Sequence[Interval]) -> list[datetime]:
    zone, minutes = ZoneInfo(RULES.zone), DAYS * 1440 + POLICY.minutes + POLICY.buffer_after_minutes
    walls = [(NOW + n * MINUTE).astimezone(zone) for n in range(minutes)]
    works = [_hours_at(wall) for wall in walls]
    taken = bytearray(minutes + POLICY.buffer_before_minutes)
    for each in busy:
        first = (each.starts_at - NOW) // MINUTE
        last = min((each.ends_at - NOW) // MINUTE, minutes)
        taken[first:last] = b"\x01" * (last - first)
    return [
        NOW + n * MINUTE
        for n in range(POLICY.minimum_notice_minutes, DAYS * 1440)
        if (hours := works[n]) is not None
        and (walls[n].hour * 60 + walls[n].minute - hours) % 30 == 0
        and all(at is not None for at in works[n : n + POLICY.minutes])
        and not any(
            taken[
                n - POLICY.buffer_before_minutes : n + POLICY.minutes + POLICY.buffer_after_minutes
            ]
        )
    ]


def _hours_at(wall: datetime) -> int | None:
    minute, weekday = wall.hour * 60 + wall.minute, wall.weekday()
    for hours in RULES.weekly:
        if hours.weekday == weekday and hours.starts_minute <= minute < hours.ends_minute:
            return hours.starts_minute
    return None


async def time_one(rounds: int) -> Value:
    """Measure how much of the processor's time one mentor's 60 days take."""
    milliseconds: list[float] = []
    for _ in range(rounds):
        before = process_time()
        await find_ours(REPEATS)
        milliseconds.append((process_time() - before) * 1_000 / REPEATS)
    name = f"slots of {DAYS} days, {CALENDARS} calendars, {SESSIONS} sessions"
    return Value("g", name, "ms", tuple(milliseconds), SINGLE_DIGIT_MS)


@dataclass(frozen=True)
class Mentor:
    """One of a world's mentors, with as many sessions of the past as were given."""

    world: World
    number: int

    async def remember(self, sessions: int) -> None:
        """Give the mentor sessions, one an hour, back from now."""
        mentor, offering = numbered(MENTOR, self.number), numbered(OFFERING, self.number)
        async with connection(self.world.pool) as conn:
            for first in range(1, sessions + 1, PER_STATEMENT):
                last = min(first + PER_STATEMENT - 1, sessions)
                now = self.world.first_slot - timedelta(days=1)
                await conn.execute(PAST, offering, mentor, now, first, last)

    async def find(self, count: int) -> Work:
        """Find this mentor's slots of 60 days through the database."""
        now = datetime.now(UTC)
        window, started = Interval(now, now + timedelta(days=DAYS)), monotonic_seconds()
        async with connection(self.world.pool) as conn:
            offering = await read_offering(conn, OfferingId(numbered(OFFERING, self.number)))
            assert offering
            for _ in range(count):
                assert await find_slots(conn, offering, window, terms=Terms(), now=now)
        return Work(count, monotonic_seconds() - started)


async def contend(world: World, clients: int, slots: int, first: int) -> float:
    """Let that many people want each of some slots at the same moment; return attempts a second.

    `first` is the number of the first mentor whose slots are wanted; everyone is refused but one.
    """
    started = monotonic_seconds()
    for mentor in range(first, first + slots):
        won = await asyncio.gather(*(_try_to_hold(world, mentor) for _ in range(clients)))
        assert sum(won) == 1
    return clients * slots / (monotonic_seconds() - started)


async def _try_to_hold(world: World, mentor: int) -> bool:
    start = Start(SessionId(new_id()), world.first_slot + timedelta(hours=1))
    policy = FrozenPolicy(preset="standard", policy_version=1)
    wish = Wish(OrderId(new_id()), (start,), PersonId(new_id()), policy)
    offering, now = OfferingId(numbered(OFFERING, mentor)), datetime.now(UTC)
    try:
        await in_transaction(
            world.pool, lambda conn: hold_slot(conn, offering, wish, terms=Terms(), now=now)
        )
    except SlotTaken:
        return False
    return True
