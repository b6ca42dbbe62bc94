"""What people write to each other: read by the two and by operators, told to nobody, forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

import services.booking
from shared.auth import Role
from shared.contracts.booking import BookingCancelled, BookingLost
from shared.contracts.profiles import ContactErased
from tests.booking.conftest import SLOT, Marketplace, Person
from tests.engines import Database

WORDS = "My mother Eulalia is in hospital."
LEFT = "SELECT string_agg(convert_from(value, 'UTF8'), ' ') FROM outbox WHERE value IS NOT NULL"
KEPT = """
SELECT jsonb_path_query_array(to_jsonb(s), '$.*')::text || o.answers::text
FROM sessions AS s INNER JOIN orders AS o ON o.order_id = s.order_id
WHERE s.order_id = $1
"""
DECISIONS = "SELECT array_agg(objection ->> 'decision') FROM sessions WHERE objection IS NOT NULL"
WORDS_STAY = Path(services.booking.__file__).parent / "migrations" / "0010_words_stay.sql"


async def cancelled(market: Marketplace, mentor: Person, mentee: Person) -> Any:
    """Return a session that its mentee called off, saying why."""
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/orders/{order['order_id']}"
    _, preview = await market.call("GET", f"{path}/cancellation-preview", mentee)
    body = {"shown_refund_basis_points": preview["refund_basis_points"], "reason": WORDS}
    status, after = await market.call("POST", f"{path}/cancel", mentee, json=body)
    assert status == 200, after
    return after


async def objected(market: Marketplace, mentor: Person, mentee: Person) -> Any:
    """Return a session to which its mentee objects."""
    order = await market.confirmed(mentor, mentee)
    market.clock.instant = SLOT + timedelta(hours=1)
    path = f"/v1/orders/{order['order_id']}"
    await market.call("POST", f"{path}/complete", mentee, json={})
    status, after = await market.call("POST", f"{path}/object", mentee, json={"reason": WORDS})
    assert status == 200, after
    return after


async def settled(market: Marketplace, order: Any) -> None:
    """Let an operator decide an objection."""
    path = f"/v1/operator/orders/{order['order_id']}/settle-objection"
    decided = {"refund_basis_points": 5_000, "reason": "Half was held."}
    status, after = await market.call("POST", path, market.person(Role.OPERATOR), json=decided)
    assert status == 200, after


async def test_words_are_read_here_and_leave_with_no_fact(market: Marketplace):
    """The other side and an operator read them; what is told says only that there are some."""
    mentor, mentee = await market.mentor(), market.person()
    order = await cancelled(market, mentor, mentee)
    other = await objected(market, mentor, mentee)
    await settled(market, other)
    for reader in (mentor, market.person(Role.OPERATOR)):
        _, seen = await market.call("GET", f"/v1/orders/{order['order_id']}", reader)
        assert seen["cancel_reason"] == WORDS
        _, seen = await market.call("GET", f"/v1/orders/{other['order_id']}", reader)
        said = (seen["objection"]["reason"], seen["objection"]["decision"])
        assert said == (WORDS, "Half was held.")
    path = f"/v1/orders/{order['order_id']}"
    assert (await market.call("GET", path, market.person()))[0] == 404
    (told,) = await market.facts(BookingCancelled)
    assert told.reason_given
    left = await market.pool.fetchval(LEFT)
    assert "Eulalia" not in left
    assert "Half was held" not in left


async def test_whoever_is_erased_leaves_no_words(market: Marketplace):
    """Their own are gone, also among goals; what was decided and what others wrote stays."""
    mentor, mentee = await market.mentor(), market.person()
    goal = {"title": "Be with mother"}
    assert (await market.call("POST", "/v1/goals", mentee, json=goal))[0] == 201
    orders = [
        await cancelled(market, mentor, mentee),
        await objected(market, mentor, mentee),
    ]
    assert await market.hear(ContactErased(version=2, person_id=mentor.person_id)) == "handled"
    assert await kept(market, orders) == [True, True], "these are somebody else's words"
    assert await market.hear(ContactErased(version=2, person_id=mentee.person_id)) == "handled"
    assert await kept(market, orders) == [False, False]
    assert await market.pool.fetchval("SELECT count(*) FROM goals") == 0
    _, seen = await market.call("GET", f"/v1/orders/{orders[1]['order_id']}", mentor)
    assert (seen["objection"]["by"], seen["objection"]["reason"]) == ("mentee", "")


async def kept(market: Marketplace, orders: list[Any]) -> list[bool]:
    """Return of each order whether the words still stand in it."""
    rows = [str(await market.pool.fetchval(KEPT, UUID(each["order_id"]))) for each in orders]
    return ["Eulalia" in row for row in rows]


TOLD_BEFORE = """
UPDATE outbox SET value = convert_to(
    (convert_from(value, 'UTF8')::jsonb || jsonb_build_object('reason', 'cancelled'))::text, 'UTF8')
WHERE topic = 'booking.orders'
"""
UNDO = """
ALTER TABLE sessions DROP COLUMN mentee_proposals, DROP COLUMN mentor_proposals;
DROP INDEX offerings_for_sale, openings_offering;
"""
KEPT_BEFORE = "UPDATE sessions SET objection = objection - 'decision' WHERE objection IS NOT NULL"


async def test_the_migration_empties_what_waits_to_leave(
    market: Marketplace, own_database: Database
):
    """Facts lose the words they carried, one whose word is ours does not; decisions are kept."""
    mentor, mentee = await market.mentor(), market.person()
    await cancelled(market, mentor, mentee)
    late = await market.hold(mentee.person_id, await market.offer(mentor), SLOT)
    await market.close_checkout(late)
    await market.suspend(mentor)
    await market.pay(late)
    await market.approve(mentor)
    await settled(market, await objected(market, mentor, mentee))
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        await conn.execute("SET search_path = booking")
        await conn.execute(TOLD_BEFORE)
        await conn.execute(KEPT_BEFORE)
        await conn.execute(UNDO)
        await conn.execute(WORDS_STAY.read_text())
    finally:
        await conn.close()
    left = str(await market.pool.fetchval(LEFT))
    assert left.count('"reason"') == len(await market.facts(BookingLost)) == 1
    assert await market.pool.fetchval(DECISIONS) == ["Half was held."]
