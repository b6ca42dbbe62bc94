"""Orders, sessions and goals over HTTP: whose they are, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.auth import Role
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    SessionCompleted,
)
from shared.ids import OfferingId, new_id
from tests.booking.conftest import NOW, SLOT, STANDARD, WEEK, Marketplace, Person

CROWD = 50
DEADLINE_SECONDS = 60
ENDS = SLOT + timedelta(hours=1)


async def test_a_hold_freezes_all_that_paying_needs(market: Marketplace):
    """The fact says what the answer says; a later price changes neither."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    status, order = await market.ask(mentee, offering_id)
    assert status == 201
    assert (order["state"], order["version"]) == ("held", 1)
    assert order["hold_until"] == "2026-03-02T12:15:00Z"
    assert [name for name, may in order["can"].items() if may] == ["cancel"]
    (fact,) = await market.facts(BookingHeld)
    told = fact.model_dump(mode="json")
    assert told["policy"] == STANDARD
    for name in ("order_id", "session_id", "mentor_id", "mentee_id", "price_minor", "currency"):
        assert told[name] == order[name], name
    assert (fact.starts_at, fact.ends_at, fact.hold_until) == (
        SLOT, ENDS, NOW + timedelta(minutes=15),
    )  # fmt: skip


async def test_fifty_requests_for_one_slot_give_one_201(market: Marketplace):
    """Over HTTP, at the same moment: 49 are told that it is taken."""
    offering_id = await market.offer(await market.mentor())
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *(market.ask(market.person(), offering_id) for _ in range(CROWD))
        )
    assert sorted(status for status, _ in answers) == [201] + [409] * (CROWD - 1)
    assert {answer["code"] for status, answer in answers if status == 409} == {"slot_taken"}
    assert await market.overlaps() == 0


async def test_one_key_is_one_order(market: Marketplace):
    """Nasty case 19: sent again, at once or later, the answer is the first one."""
    mentee = market.person()
    offering_id = await market.offer(await market.mentor())
    headers = {"Idempotency-Key": "one-intent"}
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(
            *(market.ask(mentee, offering_id, headers=headers) for _ in range(6))
        )
    answers.append(await market.ask(mentee, offering_id, headers=headers))
    assert {status for status, _ in answers} == {201}
    assert len({answer["order_id"] for _, answer in answers}) == 1
    assert await market.pool.fetchval("SELECT count(*) FROM orders") == 1
    status, problem = await market.ask(
        mentee, offering_id, SLOT + timedelta(hours=1), headers=headers
    )
    assert (status, problem["code"]) == (409, "idempotency_key_reused")


async def test_a_refused_key_may_be_sent_again(market: Marketplace):
    """Only what was committed is kept: the same request succeeds once the slot is free."""
    mentee, rival = market.person(), market.person()
    offering_id = await market.offer(await market.mentor())
    _, taken = await market.ask(rival, offering_id)
    headers = {"Idempotency-Key": "patience"}
    assert (await market.ask(mentee, offering_id, headers=headers))[0] == 409
    await market.call("POST", f"/v1/orders/{taken['order_id']}/release-hold", rival)
    assert (await market.ask(mentee, offering_id, headers=headers))[0] == 201


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"accepted_policy": {"preset": "standard", "policy_version": 2}}, 409, "policy_changed"),
        ({"accepted_policy": {"preset": "strict", "policy_version": 1}}, 409, "policy_changed"),
        ({"accepted_policy": {"preset": "kind", "policy_version": 1}}, 422, "shape_invalid"),
        ({"accepted_policy": None}, 422, "shape_invalid"),
        ({"starts_at": "2026-03-06T14:01:00Z"}, 409, "slot_not_offered"),
        ({"starts_at": "2026-03-02T12:30:00Z"}, 409, "slot_not_offered"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, 409, "slot_not_offered"),
        ({"starts_at": "2026-03-06T14:00:00"}, 422, "shape_invalid"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, 422, "shape_invalid"),
        ({"starts_at": 1772805600}, 422, "shape_invalid"),
        ({"offering_id": "6f1b7b0c-7d6a-4c59-8a51-000000000000"}, 404, "not_found"),
        ({"offering_id": "mine"}, 422, "shape_invalid"),
        ({"price_minor": 1}, 422, "shape_invalid"),
    ],
)
async def test_a_wrong_wish_is_refused_and_nothing_is_held(
    market: Marketplace, change: dict[str, Any], status: int, code: str
):
    """Each with its stable code, and no fact leaves."""
    offering_id = await market.offer(await market.mentor())
    body = {
        "offering_id": str(offering_id),
        "starts_at": SLOT.isoformat(),
        "accepted_policy": STANDARD,
    }
    answer = await market.call("POST", "/v1/orders", market.person(), json=body | change)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert await market.facts(BookingHeld) == []
    assert (
        await market.pool.fetchval("SELECT count(*) FROM idempotency WHERE route LIKE '%orders'")
        == 0
    )


async def test_a_start_in_another_offset_is_the_same_slot(market: Marketplace):
    """What counts is the instant."""
    mentee = market.person()
    offering_id = await market.offer(await market.mentor())
    body = {
        "offering_id": str(offering_id),
        "starts_at": "2026-03-06T19:45:00+05:45",
        "accepted_policy": STANDARD,
    }
    status, order = await market.call("POST", "/v1/orders", mentee, json=body)
    assert (status, order["starts_at"]) == (201, "2026-03-06T14:00:00Z")


async def test_what_is_not_published_cannot_be_held(market: Marketplace):
    """Nor one's own."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    status, problem = await market.ask(mentor, offering_id)
    assert (status, problem["code"]) == (409, "own_offering")
    await market.call("POST", f"/v1/me/offerings/{offering_id}/withdraw", mentor)
    status, problem = await market.ask(market.person(), offering_id)
    assert (status, problem["code"]) == (409, "offering_not_published")


ROUTES = (
    ("GET", "/v1/orders/{order_id}", None),
    ("GET", "/v1/orders/{order_id}/cancellation-preview", None),
    ("POST", "/v1/orders/{order_id}/cancel", {"shown_refund_basis_points": 10_000}),
    ("POST", "/v1/orders/{order_id}/release-hold", None),
    ("POST", "/v1/orders/{order_id}/complete", {}),
    ("POST", "/v1/sessions/{session_id}/join", None),
    ("POST", "/v1/sessions/{session_id}/leave", None),
)


async def test_an_order_is_hidden_from_everybody_else(market: Marketplace):
    """A stranger gets the answer of an order that does not exist, on every route."""
    order = await market.confirmed(await market.mentor(), market.person())
    nothing = {"order_id": new_id(), "session_id": new_id()}
    for method, path, body in ROUTES:
        options: dict[str, Any] = {} if body is None else {"json": body}
        stranger = market.person(Role.MENTEE, Role.MENTOR)
        hidden = await market.call(method, path.format(**order), stranger, **options)
        absent = await market.call(method, path.format(**nothing), stranger, **options)
        assert hidden[0] == absent[0] == 404, path
        assert hidden[1]["detail"] == absent[1]["detail"]
    assert await market.state(order) == "confirmed"


async def test_both_sides_and_operators_see_an_order(market: Marketplace):
    """With the version as ETag, and what each may do."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    operator = market.person(Role.OPERATOR)
    for who in (mentor, mentee, operator):
        status, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", who)
        assert (status, seen["version"], seen["can"]["cancel"]) == (200, 2, True)
    _, listed = await market.call("GET", "/v1/orders?role=mentor&state=confirmed", mentor)
    assert [each["order_id"] for each in listed["items"]] == [order["order_id"]]
    _, listed = await market.call("GET", "/v1/orders?role=mentee", mentor)
    assert listed["items"] == []
    _, listed = await market.call("GET", "/v1/orders", mentee)
    assert len(listed["items"]) == 1
    path = f"/v1/operator/orders?person_id={mentee.person_id}&state=confirmed"
    assert len((await market.call("GET", path, operator))[1]["items"]) == 1
    assert len((await market.call("GET", "/v1/operator/orders", operator))[1]["items"]) == 1
    assert (await market.call("GET", "/v1/operator/orders", mentor))[0] == 403


async def _cancel(
    market: Marketplace, order: Any, who: Person, **body: Any
) -> tuple[int, dict[str, Any]]:
    return await market.call("POST", f"/v1/orders/{order['order_id']}/cancel", who, json=body)


async def test_a_mentee_cancels_with_the_share_that_was_shown(market: Marketplace):
    """A share that no longer holds is refused with the fresh one; then half goes back."""
    mentee = market.person()
    order = await market.confirmed(await market.mentor(), mentee)
    path = f"/v1/orders/{order['order_id']}/cancellation-preview"
    _, shown = await market.call("GET", path, mentee)
    assert shown == {
        "by": "mentee", "refund_basis_points": 10_000, "valid_until": "2026-03-05T14:00:00Z",
    }  # fmt: skip
    market.clock.instant = SLOT - timedelta(hours=24) + timedelta(seconds=1)
    status, problem = await _cancel(market, order, mentee, shown_refund_basis_points=10_000)
    assert (status, problem["code"]) == (409, "preview_outdated")
    assert problem["facts"] == {"refund_basis_points": 5_000}
    assert (await _cancel(market, order, mentee))[1]["code"] == "preview_outdated"
    status, after = await _cancel(
        market, order, mentee, shown_refund_basis_points=5_000, reason="Ill"
    )
    assert (status, after["state"], after["refund_basis_points"]) == (200, "cancelled", 5_000)
    (fact,) = await market.facts(BookingCancelled)
    assert (fact.by, fact.reason_given, fact.refund_basis_points) == ("mentee", True, 5_000)
    assert (fact.version, fact.calendar_sequence) == (3, 1)
    assert await market.pool.fetchval("SELECT count(*) FROM participations WHERE active") == 0


async def test_a_mentor_cancels_and_everything_goes_back(market: Marketplace):
    """An hour before the start too; once it began it is for operators."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = SLOT
    status, problem = await _cancel(market, order, mentor, shown_refund_basis_points=10_000)
    assert (status, problem["code"]) == (409, "session_begun")
    market.clock.instant = SLOT - timedelta(hours=1)
    status, after = await _cancel(market, order, mentor, shown_refund_basis_points=10_000)
    assert (status, after["cancelled_by"]) == (200, "mentor")


async def test_an_operator_chooses_the_share_and_nobody_else_does(market: Marketplace):
    """Also after the session began; without a choice everything goes back."""
    mentor, mentee, operator = await market.mentor(), market.person(), market.person(Role.OPERATOR)
    order = await market.confirmed(mentor, mentee)
    status, problem = await _cancel(
        market, order, mentee, shown_refund_basis_points=10_000, refund_basis_points=10_000
    )
    assert (status, problem["code"]) == (403, "share_not_yours")
    assert (await _cancel(market, order, operator, refund_basis_points=10_001))[0] == 422
    status, problem = await _cancel(market, order, operator, refund_basis_points=2_500)
    assert (status, problem["code"]) == (422, "reason_missing")
    market.clock.instant = SLOT + timedelta(minutes=30)
    status, after = await _cancel(
        market, order, operator, refund_basis_points=2_500, reason="Dispute"
    )
    assert (status, after["cancelled_by"], after["refund_basis_points"]) == (200, "operator", 2_500)


async def test_a_hold_that_is_called_off_gives_its_time_back(market: Marketplace):
    """No money has come, so nothing is shared; money that comes after all is lost."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    _, order = await market.ask(mentee, offering_id)
    status, after = await _cancel(market, order, mentor)
    assert (status, after["state"], after["refund_basis_points"]) == (200, "cancelled", None)
    assert len(await market.facts(BookingExpired)) == 1
    assert (await market.ask(market.person(), offering_id))[0] == 201
    await market.pay(order)
    assert await market.state(order) == "lost"


async def test_a_mentee_gives_up_a_hold(market: Marketplace):
    """Only the mentee, only once."""
    mentor, mentee = await market.mentor(), market.person()
    _, order = await market.ask(mentee, await market.offer(mentor))
    path = f"/v1/orders/{order['order_id']}/release-hold"
    status, problem = await market.call("POST", path, mentor)
    assert (status, problem["code"]) == (403, "not_your_part")
    status, after = await market.call("POST", path, mentee)
    assert (status, after["state"]) == (200, "expired")
    status, problem = await market.call("POST", path, mentee)
    assert (status, problem["code"]) == (409, "not_held")


async def test_the_mentees_mark_completes_a_session_after_its_end(market: Marketplace):
    """Not before, and not the mentor's."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/orders/{order['order_id']}/complete"
    market.clock.instant = ENDS - timedelta(microseconds=1)
    status, problem = await market.call("POST", path, mentee, json={})
    assert (status, problem["code"]) == (409, "not_ended")
    market.clock.instant = ENDS
    assert (await market.call("POST", path, mentor, json={}))[1]["code"] == "not_your_part"
    status, after = await market.call("POST", path, mentee, json={})
    assert (status, after["state"], after["completed_at"]) == (
        200, "completed", "2026-03-06T15:00:00Z",
    )  # fmt: skip
    (fact,) = await market.facts(SessionCompleted)
    assert (fact.by, fact.version) == ("mentee", 3)


async def test_the_room_opens_to_the_confirmed_two(market: Marketplace):
    """From 15 minutes before the start; who comes and goes is recorded."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/sessions/{order['session_id']}"
    market.clock.instant = SLOT - timedelta(minutes=15, microseconds=1)
    status, problem = await market.call("POST", f"{path}/join", mentee)
    assert (status, problem["code"]) == (409, "too_early")
    assert problem["facts"] == {"opens_at": "2026-03-06T13:45:00+00:00"}
    market.clock.instant = SLOT - timedelta(minutes=15)
    for who in (mentee, mentor, mentee):
        status, room = await market.call("POST", f"{path}/join", who)
        assert (status, room) == (200, {"room_url": WEEK["room_url"]})
    market.clock.instant = ENDS
    assert (await market.call("POST", f"{path}/leave", mentee))[0] == 204
    rows = await market.pool.fetch("SELECT person_id, joined_at, left_at FROM attendance")
    seen = {row["person_id"]: (row["joined_at"], row["left_at"]) for row in rows}
    came = SLOT - timedelta(minutes=15)
    assert seen == {mentee.person_id: (came, ENDS), mentor.person_id: (came, None)}
    market.clock.instant = ENDS + timedelta(minutes=30)
    assert (await market.call("POST", f"{path}/join", mentee))[1]["code"] == "too_late"


async def test_a_held_session_has_no_room_yet(market: Marketplace):
    """The link is for those who paid."""
    mentee = market.person()
    _, order = await market.ask(mentee, await market.offer(await market.mentor()))
    status, problem = await market.call("POST", f"/v1/sessions/{order['session_id']}/join", mentee)
    assert (status, problem["code"]) == (409, "not_confirmed")


async def test_facts_of_an_order_count_without_a_gap(market: Marketplace):
    """Held 1, confirmed 2, cancelled 3, all keyed by the order."""
    mentee = market.person()
    order = await market.confirmed(await market.mentor(), mentee)
    await _cancel(market, order, mentee, shown_refund_basis_points=10_000)
    told = await market.facts(BookingHeld, BookingConfirmed, BookingCancelled)
    assert [fact.version for fact in told] == [1, 2, 3]
    assert {fact.key for fact in told} == {order["order_id"]}


async def test_goals_are_the_mentees_own(market: Marketplace):
    """Set, changed from the version seen, reached; somebody else's is not there."""
    mentee, stranger = market.person(), market.person()
    body = {"title": "Lead a team", "target_on": "2026-09-01"}
    status, goal = await market.call("POST", "/v1/goals", mentee, json=body)
    assert (status, goal["state"], goal["version"]) == (201, "open", 1)
    path = f"/v1/goals/{goal['goal_id']}"
    change = {"title": "Lead a team", "measure": "Four people", "target_on": None} | {
        "state": "reached"
    }
    assert (await market.call("PUT", path, stranger, version=1, json=change))[0] == 404
    status, changed = await market.call("PUT", path, mentee, version=1, json=change)
    assert (status, changed["state"], changed["version"]) == (200, "reached", 2)
    assert (await market.call("PUT", path, mentee, version=1, json=change))[0] == 412
    _, listed = await market.call("GET", "/v1/goals", mentee)
    assert listed["items"] == [changed]
    assert (await market.call("GET", "/v1/goals", stranger))[1]["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": None},
        {"target_on": "someday"},
        {"target_on": "2026-02-30"},
        {"state": "open"},
        {"mentor_id": "nobody"},
    ],
)
async def test_a_wrong_goal_is_refused(market: Marketplace, change: dict[str, Any]):
    """And not kept."""
    status, problem = await market.call(
        "POST", "/v1/goals", market.person(), json={"title": "Grow"} | change
    )
    assert (status, problem["code"]) == (422, "shape_invalid")
    assert await market.pool.fetchval("SELECT count(*) FROM goals") == 0


async def test_a_code_travels_with_what_it_is_for(market: Marketplace):
    """From the hold, and from the request once it is accepted; what cannot be a code is refused."""
    mentor = await market.mentor()
    at_once, asked = await market.offer(mentor), await market.offer(mentor, by_request=True)

    async def name(code: str, offering_id: OfferingId, starts_at: datetime) -> tuple[int, Any]:
        body = {
            "offering_id": str(offering_id),
            "starts_at": starts_at.isoformat(),
            "accepted_policy": STANDARD,
            "promotion_code": code,
        }
        return await market.call("POST", "/v1/orders", market.person(), json=body)

    for odd in ("spring", "A", "A B C", "\u00c4" * 5, "X" * 25):
        assert (await name(odd, at_once, SLOT))[0] == 422
    assert (await name("SPRING-25", at_once, SLOT))[0] == 201
    status, order = await name("ASKED", asked, SLOT + timedelta(hours=2))
    assert (status, order["state"]) == (201, "requested")
    accepted = await market.call("POST", f"/v1/orders/{order['order_id']}/accept", mentor)
    assert accepted[0] == 200, accepted
    codes = [fact.promotion_code for fact in await market.facts(BookingHeld)]
    assert codes == ["SPRING-25", "ASKED"]
