"""Free slots over HTTP and in the hold path: what is sold, what calendars say, what caps allow."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.booking.domain.holds import SlotNotOffered
from services.booking.store import orders, seats
from shared.ids import new_id
from tests.booking.conftest import NOW, OFFERING, SLOT, WEEK, Marketplace, Person
from tests.engines import Database

HOURS = "/v1/me/availability"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CROWD = 20
DEADLINE_SECONDS = 60
SESSIONS = 5_000
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
ADD_CALENDAR = """
INSERT INTO calendars (calendar_id, mentor_id, name, url, next_fetch_at)
VALUES ($1, $2, 'Work', 'https://calendars.example.test/work.ics', $3)
"""
ADD_BUSY = "INSERT INTO calendar_busy (calendar_id, starts_at, ends_at) VALUES ($1, $2, $3)"
FILL = """
WITH made AS (
    INSERT INTO orders (
        order_id, offering_id, mentor_id, mentee_id, title, buffer_before_minutes,
        buffer_after_minutes, price_minor, currency, policy, state, hold_until, expires_at, version,
        confirmed_at
    )
    SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), 'Career talk', 0, 0, 100, 'USD', '{}',
           'confirmed', $3::timestamptz - n * interval '1 hour',
           $3::timestamptz - n * interval '1 hour', 1, $3
    FROM generate_series(1, $4::int) AS n
    RETURNING order_id, mentor_id, mentee_id, hold_until AS starts_at
), met AS (
    INSERT INTO sessions (
        session_id, order_id, starts_at, ends_at, price_minor, state, completes_at
    )
    SELECT order_id, order_id, starts_at, starts_at + interval '1 hour', 100, 'confirmed',
           starts_at + interval '25 hours'
    FROM made
    RETURNING session_id, order_id, starts_at, ends_at
)
INSERT INTO participations (session_id, person_id, during, active)
SELECT met.session_id, person.id, tstzrange(met.starts_at, met.ends_at, '[)'), true
FROM met
INNER JOIN made ON made.order_id = met.order_id
CROSS JOIN LATERAL unnest(ARRAY[made.mentor_id, made.mentee_id]) AS person (id)
"""


def slots_path(offering_id: object, since: datetime, until: datetime) -> str:
    window = f"from={since:%Y-%m-%dT%H:%M:%SZ}&until={until:%Y-%m-%dT%H:%M:%SZ}"
    return f"/v1/offerings/{offering_id}/slots?{window}"


async def shown(market: Marketplace, offering_id: object, since: datetime, until: datetime) -> Any:
    status, answer = await market.call("GET", slots_path(offering_id, since, until))
    assert status == 200, answer
    return [datetime.fromisoformat(slot["starts_at"]) for slot in answer["items"]]


async def busy_elsewhere(market: Marketplace, mentor: Person, *times: datetime) -> None:
    """Let a calendar of a mentor say that they are busy for an hour from each instant."""
    calendar_id = new_id()
    await market.pool.execute(ADD_CALENDAR, calendar_id, mentor.person_id, NOW)
    await market.pool.executemany(ADD_BUSY, [(calendar_id, at, at + HOUR) for at in times])


async def test_slots_are_shown_in_utc_and_without_what_is_sold(market: Marketplace):
    """A held slot and those that overlap it are gone; a lapsed hold gives them back."""
    mentor = await market.mentor()
    hours = {
        "zone": "Asia/Kathmandu",
        "weekly": [{"weekday": 4, "starts": "18:00", "ends": "21:00"}],
    }
    await market.call("PUT", HOURS, mentor, version=1, json=WEEK | hours)
    offering_id = await market.offer(mentor)
    path = slots_path(offering_id, SLOT - timedelta(days=1), SLOT + timedelta(days=1))
    starts = [
        datetime(2026, 3, 6, 12, 15, tzinfo=UTC) + n * timedelta(minutes=30) for n in range(5)
    ]

    async def written() -> list[str]:
        _, answer = await market.call("GET", path)
        return [slot["starts_at"] for slot in answer["items"]]

    in_utc = [f"{start:%Y-%m-%dT%H:%M:%SZ}" for start in starts]
    assert await written() == in_utc
    await market.hold(market.person().person_id, offering_id, starts[0])
    assert await written() == in_utc[2:]
    market.advance(timedelta(minutes=17))
    assert await written() == in_utc


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "shape_invalid"),
        ("?from=2026-03-02T00:00:00Z", "shape_invalid"),
        ("?from=2026-03-02T00:00:00&until=2026-03-03T00:00:00Z", "shape_invalid"),
        ("?from=2026-03-02T00:00:00Z&until=2026-05-04T00:00:00Z", "window_too_long"),
        ("?from=2026-03-02T00:00:00Z&until=2026-03-02T00:00:00Z", "window_too_long"),
        ("?from=0001-01-01T00:00:00Z&until=0001-01-02T00:00:00Z", "shape_invalid"),
        ("?from=9999-12-31T00:00:00Z&until=9999-12-31T01:00:00Z", "shape_invalid"),
        ("?from=2026-03-02T00:00:00Z&until=2026-03-03T00:00:00Z&zone=UTC", "shape_invalid"),
        ("?from=now&until=later", "shape_invalid"),
    ],
)
async def test_a_wrong_window_is_refused(market: Marketplace, query: str, code: str):
    """At most 62 days, instants with an offset, nothing unknown."""
    offering_id = await market.offer(await market.mentor())
    status, problem = await market.call("GET", f"/v1/offerings/{offering_id}/slots{query}")
    assert (status, problem["code"]) == (422, code)


async def test_what_calendars_say_is_neither_shown_nor_sold(market: Marketplace):
    """With the buffers of the offering, and other mentors are none the busier."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor, buffer_after_minutes=15)
    await busy_elsewhere(market, mentor, SLOT)
    found = await shown(market, offering_id, SLOT - 2 * HOUR, SLOT + 2 * HOUR)
    assert [start - SLOT for start in found] == [-2 * HOUR, -1.5 * HOUR, HOUR, 1.5 * HOUR]
    for shift in (-HOUR, timedelta(0), HOUR / 2):
        status, problem = await market.ask(market.person(), offering_id, SLOT + shift)
        assert (status, problem["code"]) == (409, "slot_not_offered")
    assert (await market.ask(market.person(), offering_id, SLOT + HOUR))[0] == 201
    assert (await market.ask(market.person(), await market.offer(await market.mentor())))[0] == 201


async def test_a_long_session_does_not_move_onto_what_calendars_say(market: Marketplace):
    """Sold as an hour, it needs an hour, however short the offering is by now."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/me/offerings/{order['offering_id']}"
    status, _ = await market.call("PUT", path, mentor, version=2, json=OFFERING | {"minutes": 15})
    assert status == 200
    await busy_elsewhere(market, mentor, SLOT + DAY + HOUR / 2)
    path = f"/v1/orders/{order['order_id']}/move-preview"
    params = {"starts_at": (SLOT + DAY).isoformat()}
    status, problem = await market.call("GET", path, mentee, params=params)
    assert (status, problem["code"]) == (409, "slot_not_offered")


async def test_a_full_day_is_not_offered_until_a_hold_lapses(market: Marketplace):
    """The cap counts days of the mentor's zone: the New Yorker's Friday ends at 05:00 UTC."""
    mentor = await market.mentor()
    zone = WEEK | {"zone": "America/New_York"}
    assert (await market.call("PUT", HOURS, mentor, version=1, json=zone))[0] == 200
    offering_id = await market.offer(mentor, daily_cap=2)
    uncapped = await market.offer(mentor)
    midnight = datetime(2026, 3, 6, 5, tzinfo=UTC)
    day = (offering_id, midnight, midnight + DAY)
    await market.hold(market.person().person_id, offering_id, midnight)
    await market.hold(market.person().person_id, uncapped, midnight + 3 * HOUR)
    assert len(await shown(market, *day)) == 43
    await market.hold(market.person().person_id, offering_id, midnight + 23 * HOUR)
    assert await shown(market, *day) == []
    around = await shown(market, offering_id, midnight - DAY, midnight + 2 * DAY)
    assert (around[-1], midnight - HOUR in around) == (midnight + 2 * DAY - HOUR / 2, True)
    mentee = market.person()
    status, problem = await market.ask(mentee, offering_id, midnight + 10 * HOUR)
    assert (status, problem["code"]) == (409, "slot_not_offered")
    market.advance(timedelta(minutes=17))
    assert (await market.ask(mentee, offering_id, midnight + 10 * HOUR))[0] == 201


async def test_who_changes_their_mind_stays_within_the_cap(market: Marketplace):
    """One's own hold with the mentor is given up first, so that it does not count."""
    offering_id = await market.offer(await market.mentor(), daily_cap=1)
    mentee = market.person().person_id
    await market.hold(mentee, offering_id)
    again = await market.hold(mentee, offering_id, SLOT + HOUR)
    assert again.sessions[0].starts_at == SLOT + HOUR


@pytest.mark.parametrize(
    ("caps", "won"), [({"daily_cap": 2}, 6), ({"weekly_cap": 3}, 3), ({"daily_cap": 9}, CROWD)]
)
async def test_a_crowd_cannot_press_past_a_cap(
    market: Marketplace, own_database: Database, caps: dict[str, int], won: int
):
    """Slots of three days, apart from one another, so that only the cap stands in the way."""
    offering_id = await market.offer(await market.mentor(), **caps)
    starts = [SLOT - 3 * DAY + n % 3 * DAY + n // 3 * HOUR for n in range(CROWD)]

    async def hold(start: datetime) -> bool:
        try:
            await market.hold(market.person().person_id, offering_id, start)
        except SlotNotOffered:
            return False
        return True

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert sum(await asyncio.gather(*map(hold, starts))) == won
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        assert await conn.fetchval(DEADLOCKS) == 0
    finally:
        await conn.close()


async def test_hot_questions_are_answered_from_an_index(
    market: Marketplace, own_database: Database
):
    """What of a mentor's time is sold, and what expires next, however much is stored."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        await conn.execute("SET search_path TO booking")
        await conn.execute(FILL, offering_id, mentor.person_id, NOW, SESSIONS)
        await conn.execute("ANALYZE")
        until = NOW + 60 * DAY
        sold = await _plan(conn, seats.SOLD, mentor.person_id, NOW, until, NOW)
        expiring = await _plan(conn, orders.NEXT_TO_EXPIRE, NOW)
    finally:
        await conn.close()
    assert "participations_sold_once" in sold
    assert "orders_to_expire" in expiring
    assert not [each for each in (sold, expiring) if "Seq Scan" in each]


async def _plan(conn: asyncpg.Connection[Any], statement: str, *values: object) -> str:
    rows = await conn.fetch(f"EXPLAIN {statement}", *values)
    return "\n".join(row[0] for row in rows)
