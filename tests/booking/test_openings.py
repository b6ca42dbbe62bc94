"""When a mentor is free next: found again after every change, told once, audited, told anew."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.booking.commands.openings import find_opening, openings_teller
from services.booking.domain.openings import BEYOND, Opening, Sight, next_free
from services.booking.slots import SlotPolicy
from services.booking.workers import audit_openings, expire_holds, keep_openings
from shared.contracts.booking import NextFreeChanged, NextFreeSnapshot
from shared.db import connection, in_transaction
from shared.ids import OfferingId
from shared.republish import Republisher
from tests.booking.conftest import NOW, TERMS, WEEK, Marketplace, Person

FIRST = NOW + timedelta(hours=1)
"""The first start of a mentor who works around the clock with an hour's notice."""
IN_FLIGHT = "SELECT subject FROM in_flight WHERE kind = 'openings'"
TOLD = "SELECT next_free_at FROM openings WHERE mentor_id = $1"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
AMISS = "SELECT amiss FROM openings WHERE mentor_id = $1"
HALF_HOUR = timedelta(minutes=30)


async def look(market: Marketplace) -> int:
    """Turn the worker's loop once; return how many mentors were looked at."""
    return await keep_openings(market.pool, market.clock, TERMS)


async def told(market: Marketplace, mentor: Person) -> list[datetime | None]:
    """Return every next free start that was announced of a mentor, in order."""
    await look(market)
    facts = await market.facts(NextFreeChanged, key=mentor.person_id)
    return [fact.next_free_at for fact in facts]


async def truth(market: Marketplace, mentor: Person) -> datetime | None:
    """Return when a mentor is free next, computed now."""
    async with connection(market.pool) as conn:
        opening, _ = await find_opening(conn, mentor.person_id, terms=TERMS, now=market.clock.now())
    return opening and opening.starts_at


async def test_every_change_of_a_mentors_time_is_told(market: Marketplace):
    """Published, held, given back, other hours, suspended: each time the last word is right."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    assert await told(market, mentor) == [FIRST]

    order = await market.hold(mentee.person_id, offering_id, FIRST)
    after = FIRST + timedelta(hours=1)
    assert await told(market, mentor) == [FIRST, after]

    assert await market.close_checkout(order) == "handled"
    assert (await told(market, mentor))[2:] == [FIRST]

    evenings = WEEK | {"weekly": [{"weekday": 2, "starts": "18:00", "ends": "20:00"}]}
    await market.call("PUT", "/v1/me/availability", mentor, version=1, json=evenings)
    wednesday = NOW.replace(hour=18) + timedelta(days=2)
    assert (await told(market, mentor))[3:] == [wednesday]

    await market.suspend(mentor)
    assert (await told(market, mentor))[4:] == [None]
    facts = await market.facts(NextFreeChanged, key=mentor.person_id)
    assert [fact.version for fact in facts] == [1, 2, 3, 4, 5]
    assert facts[3].offering_id == offering_id


async def test_what_changes_nothing_is_not_told(market: Marketplace):
    """A hold of a later slot is looked at, and nobody hears of it."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    assert await told(market, mentor) == [FIRST]
    await market.hold(mentee.person_id, offering_id, FIRST + timedelta(days=1))
    assert await look(market) == 1
    assert await told(market, mentor) == [FIRST]


async def test_a_mentors_own_bookings_take_their_time(market: Marketplace):
    """Who is booked as somebody's mentee is not free as a mentor."""
    mentor, other = await market.mentor(), await market.mentor()
    await market.offer(mentor)
    offering_id = await market.offer(other)
    assert await told(market, mentor) == [FIRST]
    await market.hold(mentor.person_id, offering_id, FIRST)
    assert await told(market, mentor) == [FIRST, FIRST + timedelta(hours=1)]


async def test_marks_are_work_in_flight_until_they_are_looked_at(market: Marketplace):
    """`ops verify` waits for them; several of one mentor cost one look."""
    mentor = await market.mentor()
    for _ in range(3):
        await market.offer(mentor)
    assert [row["subject"] for row in await market.pool.fetch(IN_FLIGHT)] == [str(mentor.person_id)]
    assert await look(market) == 1
    assert await market.pool.fetch(IN_FLIGHT) == []


async def test_time_alone_moves_it_on(market: Marketplace):
    """A start that falls under its notice gives way to the next one, also after days."""
    mentor = await market.mentor()
    await market.offer(mentor)
    assert await told(market, mentor) == [FIRST]
    assert await look(market) == 0
    market.advance(timedelta(seconds=1))
    assert await told(market, mentor) == [FIRST, FIRST + HALF_HOUR]
    market.advance(timedelta(days=3))
    assert await told(market, mentor) == [
        FIRST,
        FIRST + HALF_HOUR,
        FIRST + HALF_HOUR + timedelta(days=3),
    ]


async def test_a_start_that_comes_within_the_horizon_is_told(market: Marketplace):
    """Nothing is free within two days until Wednesday is less than two days away."""
    mentor = await market.mentor()
    evenings = WEEK | {"weekly": [{"weekday": 2, "starts": "18:00", "ends": "19:00"}]}
    await market.call("PUT", "/v1/me/availability", mentor, version=1, json=evenings)
    await market.offer(mentor, horizon_days=2)
    assert await told(market, mentor) == []
    market.advance(timedelta(hours=6))
    assert await told(market, mentor) == []
    market.advance(timedelta(seconds=1))
    assert await told(market, mentor) == [NOW.replace(hour=18) + timedelta(days=2)]


async def test_republishing_finds_it_anew(market: Marketplace):
    """A projection that lost its rows is told what is true, of mentors without openings too."""
    mentor, idle = await market.mentor(), await market.mentor()
    await market.offer(mentor)
    await market.call("POST", f"/v1/me/offerings/{await market.offer(idle)}/withdraw", idle)
    await market.pool.execute("DELETE FROM openings_to_do")
    await market.pool.execute("INSERT INTO republish_requests (topic) VALUES ('booking.openings')")
    republisher = Republisher(
        market.pool, {"booking.openings": openings_teller(TERMS)}, market.clock
    )
    assert await republisher.step() == 1
    facts = {fact.mentor_id: fact for fact in await market.facts(NextFreeSnapshot)}
    assert facts[mentor.person_id].next_free_at == FIRST
    assert facts[idle.person_id].next_free_at is None
    assert {fact.version for fact in facts.values()} == {1}


async def test_the_audit_finds_what_nobody_noted(market: Marketplace):
    """A change behind everybody's back is amiss until it is told, one that is noted is not."""
    mentor = await market.mentor()
    await market.offer(mentor)
    await look(market)
    await audit_openings(market.pool, market.clock, TERMS)
    assert await market.pool.fetchval(AMISS, mentor.person_id) is None

    await market.pool.execute("UPDATE availability SET weekly = '[[2, 1080, 1140]]'")
    await audit_openings(market.pool, market.clock, TERMS)
    amiss = str(await market.pool.fetchval(AMISS, mentor.person_id))
    assert amiss.startswith("told 2026-03-02T13:00Z of ")
    assert "free is 2026-03-04T18:00Z of " in amiss

    fact = openings_teller(TERMS)
    await in_transaction(market.pool, lambda conn: fact(conn, None, market.clock.now()))
    assert await market.pool.fetchval(AMISS, mentor.person_id) is None


async def test_an_audit_locks_mentors_in_the_order_of_ids(market: Marketplace):
    """While it waits for one it has none that comes later, whoever was audited longest ago."""
    mentors = sorted([await market.mentor() for _ in range(2)], key=lambda each: each.person_id)
    for mentor in mentors:
        await market.offer(mentor)
    while await look(market):
        pass
    first, last = (mentor.person_id for mentor in mentors)
    await market.pool.execute(
        "UPDATE openings SET audited_at = $2 WHERE mentor_id = $1", first, NOW
    )
    async with asyncio.timeout(20), connection(market.pool) as conn:
        async with conn.transaction():
            await conn.fetch("SELECT 1 FROM openings WHERE mentor_id = $1 FOR UPDATE", first)
            audit = asyncio.create_task(audit_openings(market.pool, market.clock, TERMS))
            while not await market.pool.fetchval(WAITING):
                await asyncio.sleep(0.01)
            await conn.fetch("SELECT 1 FROM openings WHERE mentor_id = $1 FOR UPDATE NOWAIT", last)
        await audit


async def test_holds_of_one_mentor_do_not_wait_for_the_look(market: Marketplace):
    """While the mentor is being looked at, others buy their time; the next look sees it."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    await look(market)
    async with connection(market.pool) as conn, conn.transaction():
        await conn.fetch("SELECT mentor_id FROM openings FOR UPDATE")
        async with asyncio.timeout(5):
            await market.hold(market.person().person_id, offering_id, FIRST)
    assert await told(market, mentor) == [FIRST, FIRST + timedelta(hours=1)]


async def churn(market: Marketplace, random_: random.Random, steps: int) -> None:
    """Let mentors and mentees do what they do, and look now and then."""
    mentors = [await market.mentor() for _ in range(3)]
    offered = [
        (mentor, await market.offer(mentor, minutes=minutes, horizon_days=days))
        for mentor, minutes, days in zip(
            mentors * 2, (30, 60, 90) * 2, (2, 7, 60, 9, 3, 30), strict=True
        )
    ]
    held: list[Any] = []
    for _ in range(steps):
        deed = random_.choice(("hold", "hold", "close", "pay", "hours", "wait", "look"))
        if deed == "hold":
            mentor, offering_id = random_.choice(offered)
            starts_at = await truth(market, mentor)
            if starts_at:
                _, order = await market.ask(market.person(), offering_id, starts_at)
                held += [order] if "order_id" in order else []
        elif deed in ("close", "pay") and held:
            order = held.pop(random_.randrange(len(held)))
            await (market.pay(order) if deed == "pay" else market.close_checkout(order))
        elif deed == "hours":
            mentor = random_.choice(mentors)
            day = random_.randrange(7)
            weekly = [{"weekday": day, "starts": "06:00", "ends": "20:00"}]
            _, now_set = await market.call("GET", "/v1/me/availability", mentor)
            await market.call(
                "PUT",
                "/v1/me/availability",
                mentor,
                version=now_set["version"],
                json=WEEK | {"weekly": weekly},
            )
        elif deed == "wait":
            market.advance(timedelta(minutes=random_.choice((1, 29, 400, 2_000))))
            await expire_holds(market.pool, market.clock)
        if deed == "look":
            await settle(market, mentors)
    await settle(market, mentors)


async def settle(market: Marketplace, mentors: list[Person]) -> None:
    """Look until nothing is to do; what was told of everybody is then the truth."""
    while await look(market):
        pass
    for mentor in mentors:
        kept = await market.pool.fetchval(TOLD, mentor.person_id)
        assert kept == await truth(market, mentor)
    await audit_openings(market.pool, market.clock, TERMS)
    assert not await market.pool.fetch("SELECT 1 FROM openings WHERE amiss IS NOT NULL")


async def test_what_was_told_is_the_truth_whatever_happens(market: Marketplace):
    """Holds, lapses, payments, hours and time in any order: the projection is the pure function."""
    await churn(market, random.Random(5), steps=30)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_what_was_told_is_the_truth_for_long(market: Marketplace, seed: int):
    """The same, for many more steps."""
    await churn(market, random.Random(seed), steps=400)


def sight(days: float, horizon: int, number: int = 1, notice: int = 60) -> Sight:
    """Return a free start so many days from now."""
    policy = SlotPolicy(60, 0, 0, notice, horizon)
    return Sight(NOW + timedelta(days=days), OfferingId(UUID(int=number)), policy)


def test_the_first_start_that_can_be_booked_counts():
    """One behind its horizon does not, but it is looked for when it comes."""
    opening, look_again_at = next_free([sight(5, 4, 1), sight(9, 60, 2)], NOW)
    assert opening == Opening(NOW + timedelta(days=9), OfferingId(UUID(int=2)))
    assert look_again_at == NOW + timedelta(days=1)


def test_of_two_offerings_with_one_start_the_first_is_looked_for_when_it_comes():
    """Which of them is named does not depend on when we looked."""
    opening, look_again_at = next_free([sight(5, 4, 1), sight(5, 60, 2)], NOW)
    assert opening == Opening(NOW + timedelta(days=5), OfferingId(UUID(int=2)))
    assert look_again_at == NOW + timedelta(days=1)


def test_without_anything_in_sight_we_look_again_in_time():
    """As far as we looked beyond the horizon, so long nothing can come."""
    assert next_free([], NOW) == (None, NOW + BEYOND)
