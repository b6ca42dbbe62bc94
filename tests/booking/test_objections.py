"""Objections: who may raise one and until when, and how an operator settles it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.auth import Role
from shared.contracts.booking import ObjectionRaised, ObjectionSettled
from shared.contracts.payments import EarningsReleased
from tests.booking.conftest import SLOT, Marketplace, Person

ENDED = SLOT + timedelta(hours=1)
WAITS = "SELECT waits_for, needs_operator FROM saga_waits"


async def completed(market: Marketplace) -> tuple[Any, Person, Person]:
    """Return a session that took place, its mentor and its mentee."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = ENDED
    path = f"/v1/orders/{order['order_id']}/complete"
    status, order = await market.call("POST", path, mentee, json={})
    assert status == 200
    return order, mentor, mentee


async def object_to(
    market: Marketplace, order: Any, who: Person, reason: str = "We were cut off."
) -> tuple[int, Any]:
    """Object to a session."""
    path = f"/v1/orders/{order['order_id']}/object"
    return await market.call("POST", path, who, json={"reason": reason})


async def settle(
    market: Marketplace, order: Any, who: Person, share: int = 5_000
) -> tuple[int, Any]:
    """Decide an objection."""
    path = f"/v1/operator/orders/{order['order_id']}/settle-objection"
    body = {"refund_basis_points": share, "reason": "Half was held."}
    return await market.call("POST", path, who, json=body)


def released(order: Any, *, version: int, named: bool) -> EarningsReleased:
    """Return the fact that the earnings of an order are out."""
    names = ("order_id", "mentor_id", "mentee_id")
    return EarningsReleased(
        version=version,
        **{name: UUID(order[name]) for name in names},
        session_id=UUID(order["session_id"]) if named else None,
        mentor_minor=10_200,
        platform_minor=1_800,
        currency="USD",
    )


async def test_an_objection_waits_for_an_operator_who_settles_it(market: Marketplace):
    """Told when raised and when settled, logged, read by both sides, and decided once."""
    order, mentor, mentee = await completed(market)
    operator = market.person(Role.OPERATOR)
    status, seen = await object_to(market, order, mentee)
    assert (status, seen["can"]["object"]) == (200, False)
    (raised,) = await market.facts(ObjectionRaised)
    assert (raised.by, raised.version) == ("mentee", 4)
    assert (await object_to(market, order, mentor))[1]["code"] == "objected_before"
    waits = await market.pool.fetchrow(WAITS)
    assert waits
    assert tuple(waits) == ("an operator decides on the objection", True)
    _, listed = await market.call("GET", "/v1/operator/objections", operator)
    assert [each["order_id"] for each in listed["items"]] == [order["order_id"]]
    assert listed["items"][0]["objection"]["reason"] == "We were cut off."
    market.advance(timedelta(hours=1))
    status, _ = await settle(market, order, operator)
    assert status == 200
    (settled,) = await market.facts(ObjectionSettled)
    assert settled.refund_basis_points == 5_000
    assert settled.settled_at == ENDED + timedelta(hours=1)
    _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", mentor)
    assert seen["objection"]["settled_at"] == "2026-03-06T16:00:00Z"
    assert seen["objection"]["decision"] == "Half was held."
    assert seen["refund_basis_points"] == 5_000
    assert (await settle(market, order, operator))[1]["code"] == "no_objection"
    _, log = await market.call("GET", "/v1/operator/log", operator)
    assert [each["action"] for each in log["items"]] == ["settle_objection"]
    assert log["items"][0]["details"]["refund_basis_points"] == 5_000
    assert (await market.call("GET", "/v1/operator/objections", operator))[1]["items"] == []
    assert await market.pool.fetch(WAITS) == []


async def test_after_the_release_nobody_objects(market: Marketplace):
    """The fact may name the session, or be about the only one; it changes no version."""
    for named in (True, False):
        order, mentor, mentee = await completed(market)
        fact = released(order, version=2, named=named)
        assert await market.hear(fact) == "handled"
        for who in (mentor, mentee):
            assert (await object_to(market, order, who))[1]["code"] == "already_released"
        _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", mentee)
        assert (seen["version"], seen["can"]["object"]) == (order["version"], False)
        market.clock.instant = SLOT - timedelta(days=4)


async def test_what_was_released_meanwhile_is_not_decided_to_go_back(market: Marketplace):
    """The release and the objection crossed: the operator can only leave it as it is."""
    order, _, mentee = await completed(market)
    assert (await object_to(market, order, mentee))[0] == 200
    await market.hear(released(order, version=2, named=True))
    operator = market.person(Role.OPERATOR)
    assert (await settle(market, order, operator, 1))[1]["code"] == "already_released"
    assert (await settle(market, order, operator, 0))[0] == 200


async def test_nobody_decides_on_an_objection_of_their_own(market: Marketplace):
    """An operator who bought the session leaves it to another one."""
    mentor, mentee = await market.mentor(), market.person(Role.MENTEE, Role.OPERATOR)
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = ENDED
    path = f"/v1/orders/{order['order_id']}/complete"
    await market.call("POST", path, mentee, json={})
    assert (await object_to(market, order, mentee))[0] == 200
    status, problem = await settle(market, order, mentee)
    assert (status, problem["code"]) == (403, "not_your_part")
    assert (await settle(market, order, market.person(Role.OPERATOR)))[0] == 200


async def test_after_two_weeks_nobody_objects(market: Marketplace):
    """Also where nothing will ever be released: a free call, or a mentor who never came."""
    order, mentor, mentee = await completed(market)
    path = f"/v1/orders/{order['order_id']}"
    market.clock.instant = ENDED + timedelta(days=14, seconds=-1)
    assert (await market.call("GET", path, mentee))[1]["can"]["object"]
    market.advance(timedelta(seconds=1))
    assert not (await market.call("GET", path, mentee))[1]["can"]["object"]
    status, problem = await object_to(market, order, mentor)
    assert (status, problem["code"]) == (409, "objection_too_late")
    assert problem["facts"] == {"until": "2026-03-20T15:00:00+00:00"}


async def test_an_objection_needs_a_session_that_is_over_and_one_of_its_two_people(
    market: Marketplace,
):
    """Not before the end, not by strangers, not by operators, who decide instead."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    assert (await object_to(market, order, mentee))[1]["code"] == "not_over"
    operator = market.person(Role.OPERATOR)
    assert (await object_to(market, order, operator))[0] == 404
    assert (await object_to(market, order, market.person()))[0] == 404
    assert (await settle(market, order, operator))[1]["code"] == "no_objection"
    assert (await settle(market, order, mentee))[0] == 403


async def test_what_went_back_is_not_taken_again(market: Marketplace):
    """A mentor who was reported missing may object; the refund can only stay."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = SLOT
    await market.call("POST", f"/v1/sessions/{order['session_id']}/join", mentee)
    market.advance(timedelta(minutes=15))
    path = f"/v1/orders/{order['order_id']}/report-absence"
    assert (await market.call("POST", path, mentee, json={}))[0] == 200
    assert (await object_to(market, order, mentor))[0] == 200
    operator = market.person(Role.OPERATOR)
    status, problem = await settle(market, order, operator)
    assert (status, problem["code"]) == (409, "refund_too_small")
    assert problem["facts"] == {"refund_basis_points": 10_000}
    assert (await settle(market, order, operator, 10_000))[0] == 200


async def test_open_objections_are_listed_page_by_page(market: Marketplace):
    """Each once, over two pages."""
    orders: list[str] = []
    for _ in range(3):
        market.clock.instant = SLOT - timedelta(days=4)
        order, _, mentee = await completed(market)
        assert (await object_to(market, order, mentee))[0] == 200
        orders.append(order["order_id"])
    operator, path = market.person(Role.OPERATOR), "/v1/operator/objections"
    _, page = await market.call("GET", path, operator, params={"limit": "2"})
    after = {"limit": "2", "cursor": page["next_cursor"]}
    _, rest = await market.call("GET", path, operator, params=after)
    listed = [each["order_id"] for each in page["items"] + rest["items"]]
    assert (listed, rest["next_cursor"]) == (orders, None)
