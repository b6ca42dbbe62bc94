"""Offerings by request, with questions, and free ones: what stands between asking and meeting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import asyncpg

from services.booking.commands.openings import look_at_next
from services.booking.store.openings import NEXT_BEST, next_best
from shared.contracts.booking import (
    BookingConfirmed,
    BookingHeld,
    BookingRequested,
    RequestDeclined,
    RequestLapsed,
)
from shared.db import in_transaction
from tests.booking.conftest import NOW, SLOT, STANDARD, TERMS, Marketplace
from tests.engines import Database

HOUR = timedelta(hours=1)
ASKED = {"text": "What shall be different afterwards?", "required": True}


async def test_a_request_keeps_the_time_and_is_paid_within_a_day_of_the_yes(market: Marketplace):
    """Nobody else gets the slot; the mentor says yes; the payment window is a day."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, by_request=True)
    status, order = await market.ask(mentee, offering_id)
    assert (status, order["state"]) == (201, "requested")
    assert (await market.ask(market.person(), offering_id))[1]["code"] == "slot_taken"
    market.advance(HOUR)
    path = f"/v1/orders/{order['order_id']}/accept"
    assert (await market.call("POST", path, mentee))[1]["code"] == "not_your_part"
    status, held = await market.call("POST", path, mentor)
    assert (status, held["state"]) == (200, "held")
    (asked,) = await market.facts(BookingRequested)
    (told,) = await market.facts(BookingHeld)
    assert asked.answer_by == NOW + 48 * HOUR
    assert (told.version, told.hold_until) == (2, NOW + 25 * HOUR)
    assert await market.pay(order) == "handled"
    assert await market.state(order) == "confirmed"


async def test_a_request_close_to_its_start_is_answered_and_paid_before_the_notice(
    market: Marketplace,
):
    """The answer comes before the minimum notice, and so does the money."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, by_request=True, minimum_notice_minutes=120)
    _, order = await market.ask(mentee, offering_id, NOW + 5 * HOUR)
    assert order["answer_by"] == (NOW + 3 * HOUR).isoformat().replace("+00:00", "Z")
    await market.call("POST", f"/v1/orders/{order['order_id']}/accept", mentor)
    (told,) = await market.facts(BookingHeld)
    assert told.hold_until == NOW + 3 * HOUR


async def test_a_no_and_a_change_of_mind_free_the_time(market: Marketplace):
    """Declined by the mentor or withdrawn by the mentee, with the reason for the other side."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, by_request=True)
    for who, by in ((mentor, "mentor"), (mentee, "mentee")):
        _, order = await market.ask(mentee, offering_id)
        path = f"/v1/orders/{order['order_id']}/decline"
        status, after = await market.call("POST", path, who, json={"reason": "Too far."})
        assert (status, after["state"], after["cancel_reason"]) == (200, "declined", "Too far.")
        assert (await market.facts(RequestDeclined))[-1].by == by
    assert (await market.call("POST", path, mentor, json={}))[1]["code"] == "not_requested"


async def test_a_request_without_an_answer_lapses_and_names_the_next_best(market: Marketplace):
    """After 48 hours; the one whose price is nearest, with the next free time."""
    mentor, mentee = await market.mentor(), market.person()
    near, far = await market.mentor(), await market.mentor()
    nearer = await market.offer(near, price_minor=11_000)
    await market.offer(far, price_minor=90_000)
    _, order = await market.ask(mentee, await market.offer(mentor, by_request=True))
    market.advance(48 * HOUR - timedelta(microseconds=1))
    assert await market.work() == 0
    while await in_transaction(
        market.pool, lambda conn: look_at_next(conn, terms=TERMS, now=market.clock.now())
    ):
        pass
    market.advance(timedelta(microseconds=1))
    await market.work()
    assert await market.state(order) == "lapsed"
    (told,) = await market.facts(RequestLapsed)
    assert told.next_best
    assert (told.next_best.mentor_id, told.next_best.offering_id) == (near.person_id, nearer)
    accept = f"/v1/orders/{order['order_id']}/accept"
    assert (await market.call("POST", accept, mentor))[1]["code"] == "not_requested"


MANY_MENTORS = """
WITH made AS (
    INSERT INTO offerings
    SELECT (jsonb_populate_record(o, jsonb_build_object(
        'offering_id', gen_random_uuid(), 'mentor_id', gen_random_uuid(), 'price_minor', 7 * n
    ))).*
    FROM offerings AS o CROSS JOIN generate_series(1, $2::int) AS n
    WHERE o.offering_id = $1
    RETURNING offering_id, mentor_id
), known AS (
    INSERT INTO people (person_id, version, verified, mentor_state)
    SELECT mentor_id, 1, true, 'approved' FROM made
)
INSERT INTO openings (mentor_id, offering_id, version, next_free_at)
SELECT mentor_id, offering_id, 1, $3 FROM made
"""
MENTORS = 3_000
PRICE_OF = "SELECT price_minor FROM offerings WHERE offering_id = $1"


async def test_the_next_best_of_many_mentors_is_found_along_an_index(
    market: Marketplace, own_database: Database
):
    """The nearest price, above or below, without reading what everybody offers."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, price_minor=10_002)
    order = await market.hold(mentee.person_id, offering_id)
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        await conn.execute("SET search_path TO booking")
        await conn.execute(MANY_MENTORS, offering_id, MENTORS, NOW + HOUR)
        await conn.execute("ANALYZE")
        wished = (NOW, "USD", mentor.person_id, mentee.person_id, 10_002)
        plan = str(await conn.fetch(f"EXPLAIN {NEXT_BEST}", *wished))
    finally:
        await conn.close()
    assert plan.count("offerings_for_sale") == 2
    assert "Seq Scan on offerings" not in plan
    for wish in (1, 10_002, 10_006, 9_998, 50_000):
        best = partial(next_best, order=replace(order, price_minor=wish), now=NOW)
        found = await in_transaction(market.pool, best)
        assert found
        price = await market.pool.fetchval(PRICE_OF, found.offering_id)
        assert abs(price - wish) == min(abs(7 * n - wish) for n in range(1, MENTORS + 1))


async def test_what_the_mentor_asks_is_answered_and_frozen(market: Marketplace):
    """Without the answer that is needed nothing is held; with it both sides read it."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, questions=[ASKED])
    assert (await market.ask(mentee, offering_id))[1]["code"] == "answers_missing"
    body = {
        "offering_id": str(offering_id),
        "starts_at": SLOT.isoformat(),
        "accepted_policy": STANDARD,
        "answers": [{"question": ASKED["text"], "answer": "I sleep."}],
    }
    status, order = await market.call("POST", "/v1/orders", mentee, json=body)
    assert status == 201
    _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", mentor)
    assert seen["answers"] == body["answers"]


async def test_a_free_intro_call_is_confirmed_at_once(market: Marketplace):
    """There is no payment to wait for; both facts leave in one commit."""
    mentor, mentee = await market.mentor(), market.person()
    status, order = await market.ask(mentee, await market.offer(mentor, price_minor=0))
    assert (status, order["state"]) == (201, "confirmed")
    told = await market.facts(BookingHeld, BookingConfirmed)
    assert [(type(fact), fact.version) for fact in told] == [
        (BookingHeld, 1),
        (BookingConfirmed, 2),
    ]


async def test_nobody_empties_a_calendar_by_letting_holds_lapse(market: Marketplace):
    """Twenty within a day; what one gives up oneself does not count."""
    offering_id = await market.offer(await market.mentor())
    mentee = market.person()
    for number in range(TERMS.lapses_a_day):
        _, order = await market.ask(mentee, offering_id, SLOT + number * HOUR)
        await market.close_checkout(order)
    status, problem = await market.ask(mentee, offering_id, SLOT + 24 * HOUR)
    assert (status, problem["code"]) == (409, "too_many_lapses")
    market.advance(25 * HOUR)
    status, order = await market.ask(mentee, offering_id, SLOT + 24 * HOUR)
    assert status == 201


async def test_nobody_empties_a_calendar_with_free_calls(market: Marketplace):
    """Those still ahead count as open holds where one more is wanted, and stop no purchase."""
    mentor, mentee = await market.mentor(), market.person()
    free = await market.offer(mentor, price_minor=0)
    for number in range(TERMS.open_holds):
        assert (await market.ask(mentee, free, SLOT + number * HOUR))[1]["state"] == "confirmed"
    later = SLOT + 24 * HOUR
    status, problem = await market.ask(mentee, free, later)
    assert (status, problem["code"]) == (409, "too_many_holds")
    assert (await market.ask(mentee, await market.offer(mentor), later + HOUR))[0] == 201
    market.clock.instant = SLOT + HOUR
    assert (await market.ask(mentee, free, later))[0] == 201


async def test_a_suspended_mentor_sells_nothing_by_saying_yes(market: Marketplace):
    """A request that was open when the mentor was suspended is not accepted any more."""
    mentor, mentee = await market.mentor(), market.person()
    _, order = await market.ask(mentee, await market.offer(mentor, by_request=True))
    await market.suspend(mentor)
    path = f"/v1/orders/{order['order_id']}/accept"
    status, problem = await market.call("POST", path, mentor)
    assert (status, problem["code"]) == (409, "mentor_unavailable")
    assert await market.state(order) == "requested"
