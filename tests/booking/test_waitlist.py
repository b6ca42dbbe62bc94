"""The waitlist: joining, whose turn it is, answers, lapses, and that nobody pushes in."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.booking.domain.waitlist import WAITS_AT_MOST
from services.booking.workers import keep_openings
from shared.contracts.booking import (
    BookingHeld,
    BookingRequested,
    WaitlistOffered,
    WaitlistOfferEnded,
)
from tests.booking.conftest import NOW, SLOT, TERMS, WEEK, Marketplace, Person

HOUR = timedelta(hours=1)
FRIDAY = {
    "weekly": [{"weekday": 4, "starts": "14:00", "ends": "15:00"}],
}
"""One start a week: `SLOT` is the first."""


async def sold_out(
    market: Marketplace, mentee: Person | None = None, **changes: Any
) -> tuple[Person, UUID, Any]:
    """Return a mentor with one start a week, their offering, and the order that took the next."""
    mentor = await market.mentor()
    await market.call("PUT", "/v1/me/availability", mentor, version=1, json=WEEK | FRIDAY)
    offering_id = await market.offer(mentor, **changes)
    order = await market.hold((mentee or market.person()).person_id, offering_id, SLOT)
    await look(market)
    return mentor, offering_id, order


async def look(market: Marketplace) -> None:
    """Turn the worker's loop until nothing is to do."""
    while await keep_openings(market.pool, market.clock, TERMS):
        pass


async def wait(
    market: Marketplace,
    who: Person,
    offering_id: UUID,
    starts_from: datetime = SLOT - HOUR,
    until: datetime = SLOT + HOUR,
    **changes: Any,
) -> tuple[int, Any]:
    """Ask to be put on the list."""
    body = {
        "offering_id": str(offering_id),
        "from": starts_from.isoformat(),
        "until": until.isoformat(),
    }
    return await market.call("POST", "/v1/waitlist", who, json=body | changes)


async def waiting(market: Marketplace, offering_id: UUID, number: int = 1) -> list[Person]:
    """Return so many people who wait, in order."""
    people = [market.person() for _ in range(number)]
    for person in people:
        status, answer = await wait(market, person, offering_id)
        assert status == 201, answer
    return people


async def entry(market: Marketplace, who: Person) -> Any:
    """Return somebody's newest entry."""
    _, page = await market.call("GET", "/v1/waitlist", who)
    return page["items"][0]


async def answer(market: Marketplace, who: Person, verb: str) -> tuple[int, Any]:
    """Accept or decline what was offered to somebody."""
    order_id = (await entry(market, who))["order_id"]
    body = {"json": {}} if verb == "decline" else {}
    return await market.call("POST", f"/v1/orders/{order_id}/{verb}", who, **body)


async def states(market: Marketplace, people: list[Person]) -> list[str]:
    """Return where everybody's entry stands."""
    return [(await entry(market, person))["state"] for person in people]


async def test_a_freed_slot_is_offered_in_order_of_arrival(market: Marketplace):
    """The first is asked, passes on; the second lets it lapse; the third takes and pays it."""
    mentor, offering_id, order = await sold_out(market)
    people = await waiting(market, offering_id, 3)
    assert [(await entry(market, person))["place"] for person in people] == [1, 2, 3]
    await market.close_checkout(order)
    await look(market)
    assert await states(market, people) == ["offered", "waiting", "waiting"]
    (offered,) = await market.facts(WaitlistOffered)
    assert (offered.mentee_id, offered.starts_at) == (people[0].person_id, SLOT)
    assert offered.answer_by == NOW + TERMS.offer_answer
    assert (await entry(market, people[1]))["place"] == 1

    status, _ = await answer(market, people[0], "decline")
    assert status == 200
    await look(market)
    assert await states(market, people) == ["passed", "offered", "waiting"]

    market.advance(TERMS.offer_answer)
    await market.work()
    await look(market)
    assert await states(market, people) == ["passed", "passed", "offered"]
    assert [fact.by for fact in await market.facts(WaitlistOfferEnded)] == ["mentee", "system"]

    status, held = await answer(market, people[2], "accept")
    assert (status, held["state"]) == (200, "held")
    assert datetime.fromisoformat(held["hold_until"]) == market.clock.now() + TERMS.hold
    assert await market.pay(held) == "handled"
    assert await market.state(held) == "confirmed"
    assert await states(market, people) == ["passed", "passed", "taken"]
    assert await market.overlaps() == 0
    assert mentor.person_id == offered.mentor_id


async def test_nobody_pushes_in(market: Marketplace):
    """Freed time is not for sale before who waits was asked, nor while the offer is open."""
    _, offering_id, order = await sold_out(market)
    (first,) = await waiting(market, offering_id)
    await look(market)
    await market.close_checkout(order)
    stranger = market.person()
    status, refused = await market.ask(stranger, offering_id)
    assert (status, refused["code"]) == (409, "slot_taken")
    await look(market)
    status, refused = await market.ask(stranger, offering_id)
    assert (status, refused["code"]) == (409, "slot_taken")
    query = {"from": NOW.isoformat(), "until": (SLOT + HOUR).isoformat()}
    _, slots = await market.call("GET", f"/v1/offerings/{offering_id}/slots", params=query)
    assert slots["items"] == []
    assert (await answer(market, first, "decline"))[0] == 200
    await look(market)
    assert (await market.ask(stranger, offering_id))[0] == 201


async def test_who_has_no_time_is_passed_over_and_keeps_the_place(market: Marketplace):
    """A person's minute is sold once, also when it is offered."""
    _, offering_id, order = await sold_out(market)
    busy, free = await waiting(market, offering_id, 2)
    other = await market.offer(await market.mentor())
    await market.hold(busy.person_id, other, SLOT)
    await market.close_checkout(order)
    await look(market)
    assert await states(market, [busy, free]) == ["waiting", "offered"]
    assert (await entry(market, busy))["place"] == 1


async def test_the_window_decides_who_is_next(market: Marketplace):
    """Whoever waits for another week is not asked."""
    _, offering_id, order = await sold_out(market)
    next_week = SLOT + timedelta(days=7)
    await market.hold(market.person().person_id, offering_id, next_week)
    later, now = market.person(), market.person()
    await wait(market, later, offering_id, next_week - HOUR, next_week + HOUR)
    await wait(market, now, offering_id)
    await market.close_checkout(order)
    await look(market)
    assert await states(market, [later, now]) == ["waiting", "offered"]


async def test_nobody_waits_for_what_is_past(market: Marketplace):
    """A window that has begun is waited for from now on."""
    _, offering_id, _ = await sold_out(market)
    status, seen = await wait(market, market.person(), offering_id, NOW - timedelta(days=3))
    assert (status, seen["from"]) == (201, NOW.isoformat().replace("+00:00", "Z"))


async def test_joining_is_refused_with_a_reason(market: Marketplace):
    """What is free, behind, too far, one's own, unpublished, waited for already, or too much."""
    mentor, offering_id, _ = await sold_out(market)
    person = market.person()
    week = timedelta(days=7)
    for changes, code in (
        ({"until": SLOT + week + HOUR}, "slots_are_free"),
        ({"until": SLOT - HOUR}, "window_not_ahead"),
        ({"starts_from": NOW - HOUR, "until": NOW}, "window_not_ahead"),
        ({"until": NOW + timedelta(days=61)}, "window_not_ahead"),
        ({"answers": [{"question": "Why?", "answer": "So."}]}, "answers_missing"),
    ):
        status, refused = await wait(market, person, offering_id, **changes)
        assert (status, refused["code"]) == (409 if status == 409 else 422, code), changes
    assert (await wait(market, mentor, offering_id))[1]["code"] == "own_offering"
    assert (await wait(market, person, UUID(int=1)))[0] == 404
    assert (await wait(market, person, offering_id))[0] == 201
    assert (await wait(market, person, offering_id))[1]["code"] == "already_waiting"
    minute = timedelta(minutes=1)
    for number in range(1, WAITS_AT_MOST):
        begins = SLOT + HOUR + number * minute
        status, _ = await wait(market, person, offering_id, begins, begins + minute)
        assert status == 201
    assert (await wait(market, person, offering_id, NOW, NOW + minute))[1]["code"] == (
        "too_many_waits"
    )
    await market.suspend(mentor)
    other = market.person()
    assert (await wait(market, other, offering_id))[1]["code"] == "mentor_unavailable"
    await market.call("POST", f"/v1/me/offerings/{offering_id}/withdraw", mentor)
    assert (await wait(market, other, offering_id))[1]["code"] == "offering_not_published"


async def test_who_left_or_waited_in_vain_is_asked_no_more(market: Marketplace):
    """An entry is left by its person alone, once; it is over when its window has passed."""
    _, offering_id, order = await sold_out(market)
    gone, late = await waiting(market, offering_id, 2)
    entry_id = (await entry(market, gone))["entry_id"]
    path = f"/v1/waitlist/{entry_id}/leave"
    assert (await market.call("POST", path, late))[0] == 404
    status, left = await market.call("POST", path, gone)
    assert (status, left["state"], left["place"]) == (200, "left", None)
    assert (await market.call("POST", path, gone))[1]["state"] == "left"
    await market.close_checkout(order)
    await look(market)
    assert await states(market, [gone, late]) == ["left", "offered"]
    entry_id = (await entry(market, late))["entry_id"]
    status, refused = await market.call("POST", f"/v1/waitlist/{entry_id}/leave", late)
    assert (status, refused["code"]) == (409, "not_waiting")

    market.advance(timedelta(days=10))
    await market.work()
    await look(market)
    assert await states(market, [late]) == ["passed"]


async def test_only_the_two_of_an_offer_answer_it(market: Marketplace):
    """The mentee accepts, either declines, others do not see it; too late is too late."""
    mentor, offering_id, order = await sold_out(market)
    first, second = await waiting(market, offering_id, 2)
    await market.close_checkout(order)
    await look(market)
    order_id = (await entry(market, first))["order_id"]
    path = f"/v1/orders/{order_id}"
    assert (await market.call("POST", f"{path}/accept", mentor))[1]["code"] == "not_your_part"
    assert (await market.call("POST", f"{path}/accept", second))[0] == 404
    status, _ = await market.call("POST", f"{path}/decline", mentor, json={})
    assert status == 200
    await look(market)
    assert await states(market, [first, second]) == ["passed", "offered"]
    market.advance(TERMS.offer_answer)
    assert (await answer(market, second, "accept"))[1]["code"] == "not_requested"


async def test_an_accepted_offer_is_as_good_as_a_booking(market: Marketplace):
    """What is free is confirmed, what is by request is asked of the mentor, holds are counted."""
    mentee = market.person()
    _, free_of_charge, order = await sold_out(market, mentee, price_minor=0)
    (person,) = await waiting(market, free_of_charge)
    path = f"/v1/orders/{order.order_id}/cancel"
    shown = {"shown_refund_basis_points": 10_000}
    assert (await market.call("POST", path, mentee, json=shown))[0] == 200
    await look(market)
    assert (await answer(market, person, "accept"))[1]["state"] == "confirmed"

    mentor, asked_for, order = await sold_out(market, by_request=True)
    (person,) = await waiting(market, asked_for)
    await market.call("POST", f"/v1/orders/{order.order_id}/decline", mentor, json={})
    await look(market)
    status, requested = await answer(market, person, "accept")
    assert (status, requested["state"]) == (200, "requested")
    told = await market.facts(BookingRequested, key=UUID(requested["order_id"]))
    assert [fact.version for fact in told] == [2]
    path = f"/v1/orders/{requested['order_id']}/accept"
    assert (await market.call("POST", path, mentor))[1]["state"] == "held"
    assert len(await market.facts(BookingHeld, key=UUID(requested["order_id"]))) == 1

    _, offering_id, order = await sold_out(market)
    (greedy,) = await waiting(market, offering_id)
    for number in range(TERMS.open_holds):
        other = await market.offer(await market.mentor())
        await market.hold(greedy.person_id, other, SLOT + (number + 2) * HOUR)
    await market.close_checkout(order)
    await look(market)
    assert (await answer(market, greedy, "accept"))[1]["code"] == "too_many_holds"


async def test_many_who_look_offer_each_slot_once(market: Marketplace):
    """Workers side by side, people who leave and strangers who hold: one gets it, in order."""
    _, offering_id, order = await sold_out(market)
    people = await waiting(market, offering_id, 4)
    await look(market)
    await market.close_checkout(order)
    strangers = [market.person() for _ in range(4)]
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(look(market) for _ in range(4)),
            *(market.ask(stranger, offering_id) for stranger in strangers),
        )
    await look(market)
    assert await states(market, people) == ["offered", "waiting", "waiting", "waiting"]
    assert len(await market.facts(WaitlistOffered)) == 1
    assert await market.overlaps() == 0


async def test_a_slot_that_is_offered_still_counts_as_waited_for(market: Marketplace):
    """Nobody waits again for what one was offered and has not answered."""
    _, offering_id, order = await sold_out(market)
    (person,) = await waiting(market, offering_id)
    await market.close_checkout(order)
    await look(market)
    assert (await entry(market, person))["state"] == "offered"
    assert (await wait(market, person, offering_id))[1]["code"] == "already_waiting"


async def test_who_lets_offers_lapse_all_day_waits_no_more(market: Marketplace):
    """An unanswered offer is a lapse like a hold that was not paid."""
    _, offering_id, order = await sold_out(market)
    (person,) = await waiting(market, offering_id)
    await market.close_checkout(order)
    other = await market.offer(await market.mentor())
    for number in range(1, TERMS.lapses_a_day):
        held = await market.hold(person.person_id, other, SLOT + number * HOUR)
        await market.close_checkout(held)
    await look(market)
    market.advance(TERMS.offer_answer)
    await market.work()
    assert await states(market, [person]) == ["passed"]
    status, refused = await wait(market, person, offering_id)
    assert (status, refused["code"]) == (409, "too_many_lapses")


async def test_the_offer_of_a_suspended_mentor_is_not_sold(market: Marketplace):
    """Who was offered the slot before is told that the mentor takes no new sessions."""
    mentor, offering_id, order = await sold_out(market)
    (person,) = await waiting(market, offering_id)
    await market.close_checkout(order)
    await look(market)
    await market.suspend(mentor)
    assert (await answer(market, person, "accept"))[1]["code"] == "mentor_unavailable"
