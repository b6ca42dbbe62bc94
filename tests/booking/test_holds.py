"""P1: a person's minute is sold once, whatever many people do at the same moment."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random

import asyncpg
import pytest

from services.booking.commands.holds import close_hold
from services.booking.domain.holds import (
    MentorUnavailable,
    OwnOffering,
    SlotNotOffered,
    SlotTaken,
    TooManyHolds,
)
from services.booking.domain.orders import Order
from services.booking.store.orders import lock_order
from shared.contracts.booking import BookingExpired, BookingHeld
from shared.db import transaction
from shared.errors import NotFound, Refusal
from shared.ids import OfferingId, PersonId
from tests.booking.conftest import SLOT, Marketplace, Person
from tests.engines import Database

CROWD = 50
DEADLINE_SECONDS = 60
HALF_AN_HOUR = timedelta(minutes=30)
SEED = 20260302
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def try_to_hold(
    market: Marketplace, mentee_id: PersonId, offering_id: OfferingId, shift: timedelta
) -> Order | None:
    """Hold a slot some time after `SLOT`, or be told that it is taken."""
    try:
        return await market.hold(mentee_id, offering_id, SLOT + shift)
    except SlotTaken:
        return None


async def deadlocks(own: Database) -> int:
    """Return how often PostgreSQL had to break a deadlock in this database."""
    conn = await asyncpg.connect(own.superuser_url)
    try:
        return int(await conn.fetchval(DEADLOCKS))
    finally:
        await conn.close()


async def test_fifty_people_want_one_slot_and_one_has_it(
    market: Marketplace, own_database: Database
):
    """Nasty case 1: one order, forty-nine refusals, and nobody had to be killed for it."""
    offering_id = await market.offer(await market.mentor())
    people = [market.person().person_id for _ in range(CROWD)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        held = await asyncio.gather(
            *(try_to_hold(market, person, offering_id, timedelta(0)) for person in people)
        )
    winners = [order for order in held if order]
    assert len(winners) == 1
    assert await market.pool.fetchval("SELECT count(*) FROM orders") == 1
    assert await market.pool.fetchval("SELECT count(*) FROM participations") == 2
    assert [fact.order_id for fact in await market.facts(BookingHeld)] == [winners[0].order_id]
    assert await deadlocks(own_database) == 0


async def _random_crowd(market: Marketplace) -> None:
    """Let people who are mentors and mentees at once hold random overlapping times."""
    mentors = [await market.mentor() for _ in range(6)]
    lengths = ({"minutes": 60}, {"minutes": 90, "buffer_before_minutes": 10})
    offerings = [await market.offer(mentor, **lengths[n % 2]) for n, mentor in enumerate(mentors)]
    people = [mentor.person_id for mentor in mentors] + [
        market.person().person_id for _ in range(CROWD)
    ]
    chance = Random(SEED)

    async def client() -> None:
        for _ in range(4):
            shift = chance.randrange(10) * HALF_AN_HOUR
            try:
                await try_to_hold(market, chance.choice(people), chance.choice(offerings), shift)
            except (OwnOffering, TooManyHolds):
                continue

    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(client() for _ in range(CROWD)))


async def test_random_overlaps_leave_no_minute_sold_twice(market: Marketplace):
    """The self-join of what is sold is empty, and no session has half its people."""
    await _random_crowd(market)
    assert await market.overlaps() == 0
    sold = await market.pool.fetch(
        "SELECT count(*) AS seats FROM participations WHERE active GROUP BY session_id"
    )
    assert len(sold) > 5
    assert {row["seats"] for row in sold} == {2}
    held = await market.pool.fetchval("SELECT count(*) FROM orders WHERE state = 'held'")
    assert held == len(sold)


async def test_without_the_constraint_the_check_finds_time_sold_twice(
    market: Marketplace, own_database: Database
):
    """The control: take the mechanism away, and the same crowd sells a minute twice."""
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        await conn.execute(
            "ALTER TABLE booking.participations DROP CONSTRAINT participations_sold_once"
        )
    finally:
        await conn.close()
    await _random_crowd(market)
    assert await market.overlaps() > 0


async def test_a_lapsed_hold_that_somebody_else_expires_meanwhile_is_not_in_the_way(
    market: Marketplace,
):
    """The worker has the lapsed hold's row already when somebody new wants its time."""
    offering_id = await market.offer(await market.mentor())
    lapsed = await market.hold(market.person().person_id, offering_id)
    market.advance(timedelta(hours=1))
    async with asyncio.timeout(DEADLINE_SECONDS), transaction(market.pool) as worker:
        await lock_order(worker, lapsed.order_id)
        newcomer = asyncio.create_task(market.hold(market.person().person_id, offering_id))
        while not await market.pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
        await close_hold(worker, lapsed.order_id, now=market.clock.now())
    held = await newcomer
    assert await market.state(lapsed) == "expired"
    assert await market.state(held) == "held"
    assert await market.overlaps() == 0


async def test_sessions_that_overlap_by_a_minute_exclude_one_another(market: Marketplace):
    """A buffer of one minute between sessions that would touch is enough."""
    mentor = await market.mentor()
    first = await market.offer(mentor)
    second = await market.offer(mentor, buffer_before_minutes=1)
    await market.hold(market.person().person_id, first)
    with pytest.raises(SlotTaken) as taken:
        await market.hold(market.person().person_id, second, SLOT + timedelta(hours=1))
    assert taken.value.facts == {"whose": "mentor"}
    await market.hold(market.person().person_id, first, SLOT + timedelta(hours=1))


async def test_the_gap_between_two_sessions_is_the_sum_of_both_buffers(market: Marketplace):
    """Ten minutes after one and twenty before the next make thirty."""
    mentor = await market.mentor()
    first = await market.offer(mentor, buffer_after_minutes=10)
    second = await market.offer(mentor, buffer_before_minutes=21)
    third = await market.offer(mentor, buffer_before_minutes=20)
    await market.hold(market.person().person_id, first)
    later = SLOT + timedelta(minutes=90)
    with pytest.raises(SlotTaken):
        await market.hold(market.person().person_id, second, later)
    assert await market.hold(market.person().person_id, third, later)


async def test_a_mentees_own_time_is_sold_once_too(market: Marketplace):
    """Whether as mentee of two mentors or as mentor and mentee."""
    one, other = await market.mentor(), await market.mentor()
    mine, theirs = await market.offer(one), await market.offer(other)
    mentee = market.person().person_id
    await market.hold(mentee, mine)
    with pytest.raises(SlotTaken) as taken:
        await market.hold(mentee, theirs)
    assert taken.value.facts == {"whose": "mentee"}
    with pytest.raises(SlotTaken):
        await market.hold(one.person_id, theirs)


async def test_a_lapsed_hold_stands_in_nobodys_way(market: Marketplace):
    """From `hold_until` + 2 minutes on the insert itself expires it; before that it blocks."""
    offering_id = await market.offer(await market.mentor())
    lapsing = await market.hold(market.person().person_id, offering_id)
    market.clock.instant = lapsing.expires_at - timedelta(microseconds=1)
    with pytest.raises(SlotTaken):
        await market.hold(market.person().person_id, offering_id)
    market.clock.instant = lapsing.expires_at
    assert lapsing.expires_at == lapsing.hold_until + timedelta(minutes=2)
    await market.hold(market.person().person_id, offering_id)
    assert await market.state(lapsing) == "expired"
    assert [fact.order_id for fact in await market.facts(BookingExpired)] == [lapsing.order_id]


async def test_many_want_the_slot_of_a_lapsed_hold_and_one_has_it(market: Marketplace):
    """It expires once, and its time is sold once."""
    offering_id = await market.offer(await market.mentor())
    lapsing = await market.hold(market.person().person_id, offering_id)
    market.clock.instant = lapsing.expires_at
    people = [market.person().person_id for _ in range(20)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        held = await asyncio.gather(
            *(try_to_hold(market, person, offering_id, timedelta(0)) for person in people)
        )
    assert len([order for order in held if order]) == 1
    assert len(await market.facts(BookingExpired)) == 1
    assert await market.overlaps() == 0


async def test_another_slot_of_the_same_mentor_replaces_the_hold(market: Marketplace):
    """Also one that overlaps the old one; a taken slot leaves the old hold as it was."""
    offering_id = await market.offer(await market.mentor())
    mentee = market.person().person_id
    first = await market.hold(mentee, offering_id)
    second = await market.hold(mentee, offering_id, SLOT + HALF_AN_HOUR)
    assert (await market.state(first), await market.state(second)) == ("expired", "held")
    rival = await market.hold(market.person().person_id, offering_id, SLOT + timedelta(hours=3))
    with pytest.raises(SlotTaken):
        await market.hold(mentee, offering_id, rival.lead.starts_at)
    assert await market.state(second) == "held"


async def test_a_person_has_three_open_holds_at_most(market: Marketplace):
    """A fourth mentor has to wait; a hold that lapsed no longer counts."""
    offerings = [await market.offer(await market.mentor()) for _ in range(4)]
    mentee = market.person().person_id
    for n, offering_id in enumerate(offerings[:3]):
        await market.hold(mentee, offering_id, SLOT + n * timedelta(hours=1))
    with pytest.raises(TooManyHolds):
        await market.hold(mentee, offerings[3], SLOT + timedelta(hours=3))
    market.advance(timedelta(minutes=17))
    assert await market.hold(mentee, offerings[3], SLOT + timedelta(hours=3))


async def test_many_requests_of_one_person_stay_within_the_limit(market: Marketplace):
    """Ten at once for ten mentors: three holds, seven refusals."""
    offerings = [await market.offer(await market.mentor()) for _ in range(10)]
    mentee = market.person().person_id

    async def attempt(n: int) -> bool:
        try:
            await market.hold(mentee, offerings[n], SLOT + n * timedelta(hours=1))
        except TooManyHolds:
            return False
        return True

    async with asyncio.timeout(DEADLINE_SECONDS):
        held = await asyncio.gather(*(attempt(n) for n in range(len(offerings))))
    assert held.count(True) == 3


async def _refusal(market: Marketplace, mentee: Person, offering_id: OfferingId) -> type[Refusal]:
    with pytest.raises(Refusal) as refused:
        await market.hold(mentee.person_id, offering_id)
    return refused.type


async def test_some_things_cannot_be_held_at_all(market: Marketplace):
    """One's own time, a time that is not offered, a suspended mentor, nothing."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    assert await _refusal(market, mentor, offering_id) is OwnOffering
    assert await _refusal(market, mentee, OfferingId(mentee.person_id)) is NotFound
    with pytest.raises(SlotNotOffered):
        await market.hold(mentee.person_id, offering_id, SLOT + timedelta(minutes=1))
    await market.suspend(mentor)
    assert await _refusal(market, mentee, offering_id) is MentorUnavailable
    assert await market.pool.fetchval("SELECT count(*) FROM orders") == 0


async def test_a_hold_ends_before_the_session_begins(market: Marketplace):
    """Without any notice asked for, a slot is held only if it can still be paid in time."""
    offering_id = await market.offer(await market.mentor(), minimum_notice_minutes=0)
    market.clock.instant = SLOT - timedelta(minutes=16)
    with pytest.raises(SlotNotOffered):
        await market.hold(market.person().person_id, offering_id)
    market.clock.instant = SLOT - timedelta(minutes=17)
    order = await market.hold(market.person().person_id, offering_id)
    assert order.expires_at <= order.lead.starts_at


async def test_holds_that_want_each_others_time_do_not_deadlock(
    market: Marketplace, own_database: Database
):
    """Each of four replaces a hold by the one of the next: nobody may, and nobody is killed."""
    offering_id = await market.offer(await market.mentor())
    shifts = [n * timedelta(hours=1) for n in range(4)]
    people = [market.person().person_id for _ in shifts]
    for person, shift in zip(people, shifts, strict=True):
        await market.hold(person, offering_id, SLOT + shift)
    wanted = [*zip(people, shifts[1:] + shifts[:1], strict=True)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(5):
            held = await asyncio.gather(
                *(try_to_hold(market, person, offering_id, shift) for person, shift in wanted)
            )
            assert held == [None] * 4
    assert await deadlocks(own_database) == 0
    assert await market.overlaps() == 0
