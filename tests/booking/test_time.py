"""What booking does by itself, what it hears, and what it says it will do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from services.booking.workers import expire_holds
from shared.contracts.booking import (
    BookingExpired,
    OfferingPublished,
    OfferingSnapshot,
    SessionCompleted,
)
from shared.contracts.payments import AccountChanged, AccountSnapshot
from shared.contracts.profiles import PersonSnapshot
from shared.republish import Republisher
from tests.booking.conftest import NOW, OFFERING, SLOT, Marketplace

DUE = "SELECT kind, subject, due_at FROM due ORDER BY due_at"
ENDS = SLOT + timedelta(hours=1)


async def due(market: Marketplace) -> list[tuple[str, object]]:
    return [(row["kind"], row["due_at"]) for row in await market.pool.fetch(DUE)]


async def test_a_hold_expires_by_itself_two_minutes_after_its_end(market: Marketplace):
    """Not a moment sooner, once, and it was announced as due."""
    offering_id = await market.offer(await market.mentor())
    order = await market.hold(market.person().person_id, offering_id)
    expires_at = NOW + timedelta(minutes=17)
    assert await due(market) == [("hold_expiry", expires_at)]
    market.clock.instant = expires_at - timedelta(microseconds=1)
    assert await market.work() == 0
    market.clock.instant = expires_at
    assert await market.work() == 1
    assert await market.state(order) == "expired"
    assert await due(market) == []
    assert await market.work() == 0
    assert len(await market.facts(BookingExpired)) == 1


async def test_a_session_completes_by_itself_a_day_after_its_end(market: Marketplace):
    """Not a moment sooner; the release delay begins with it."""
    order = await market.confirmed(await market.mentor(), market.person())
    completes_at = ENDS + timedelta(hours=24)
    assert await due(market) == [("completion", completes_at)]
    market.clock.instant = completes_at - timedelta(microseconds=1)
    assert await market.work() == 0
    market.clock.instant = completes_at
    assert await market.work() == 1
    assert await market.state(order) == "completed"
    (fact,) = await market.facts(SessionCompleted)
    assert (fact.by, fact.completed_at) == ("system", completes_at)
    assert await due(market) == []


async def test_several_workers_expire_each_hold_once(market: Marketplace):
    """Replicas share the work: what one has locked the others leave alone."""
    mentees = [market.person().person_id for _ in range(12)]
    offering_id = await market.offer(await market.mentor())
    for n, mentee in enumerate(mentees):
        await market.hold(mentee, offering_id, SLOT + n * timedelta(hours=1))
    market.advance(timedelta(days=1))
    async with asyncio.timeout(30):
        done = await asyncio.gather(*(expire_holds(market.pool, market.clock) for _ in range(3)))
    assert sum(done) == len(mentees)
    assert len(await market.facts(BookingExpired)) == len(mentees)


async def test_a_closed_checkout_frees_the_time_at_once(market: Marketplace):
    """Before `hold_until`, and without a worker."""
    offering_id = await market.offer(await market.mentor())
    order = await market.hold(market.person().person_id, offering_id)
    assert await market.close_checkout(order) == "handled"
    assert await market.state(order) == "expired"
    assert await market.hold(market.person().person_id, offering_id)


async def test_older_news_about_people_and_accounts_is_let_pass(market: Marketplace):
    """A snapshot from before the suspension does not bring a mentor back."""
    mentor = await market.mentor()
    await market.suspend(mentor)
    old = PersonSnapshot(
        version=1, person_id=mentor.person_id, verified=True, mentor_state="approved"
    )
    assert await market.hear(old) == "handled"
    state = await market.pool.fetchval("SELECT mentor_state FROM people")
    assert state == "suspended"
    mentor_id = mentor.person_id
    await market.hear(AccountChanged(version=3, mentor_id=mentor_id, can_receive=False))
    await market.hear(AccountSnapshot(version=2, mentor_id=mentor_id, can_receive=True))
    assert await market.pool.fetchval("SELECT can_receive FROM accounts") is False


async def test_offerings_are_told_again_for_readers_who_lost_them(market: Marketplace):
    """Every offering anybody heard of, in the next version; a draft stays unknown."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    status, _ = await market.call("POST", "/v1/me/offerings", mentor, json=OFFERING)
    assert status == 201
    await market.pool.execute("INSERT INTO republish_requests (topic) VALUES ('booking.offerings')")
    republisher = Republisher(market.pool, market.service.tellers, market.clock)
    assert await republisher.step()
    (told,) = await market.facts(OfferingPublished)
    (again,) = await market.facts(OfferingSnapshot)
    assert again.offering_id == offering_id
    assert again == OfferingSnapshot(**{**told.model_dump(), "version": 2})
