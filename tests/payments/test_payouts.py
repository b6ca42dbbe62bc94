"""Payouts as the mentor sees them: on their way, sent back, and sent again when that is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.payments.commands.accounts import follow_payout
from services.payments.domain.requirements import failure, reason, wanted
from services.payments.domain.seen import PayoutSeen
from shared.auth import Role
from shared.contracts import payments as facts
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import World
from tests.payments.test_recovery import earned

PAYOUTS_OF = """
SELECT t.payout_id, p.state
FROM transfers AS t JOIN payouts AS p ON p.stripe_payout_id = t.payout_id
"""


async def account_of(world: World, mentor_id: UUID) -> Any:
    return (await world.call("GET", "/v1/me/account", mentor_id, Role.MENTOR))[1]


async def payouts_of(world: World, mentor_id: UUID) -> list[Any]:
    return (await world.call("GET", "/v1/me/payouts", mentor_id, Role.MENTOR))[1]["items"]


async def test_a_payout_that_came_back_is_sent_again(world: World) -> None:
    """The mentor is told why and what to do; the session is then paid out by the new payout."""
    mentor = new_id()
    account = await world.connect(mentor)
    await earned(world, mentor)
    await world.sim("POST", "payouts/fail_next", {"account": account, "code": "no_account"})
    await world.advance(timedelta(days=9))
    shown = await account_of(world, mentor)
    assert shown["next_action"] == "correct_bank"
    assert shown["payout_returned"]["words"] == "There is no such bank account."
    assert shown["payout_schedule"]["interval"] == "daily"
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.advance(timedelta(days=4))
    latest, first = await payouts_of(world, mentor)
    assert (first["state"], first["sent_again"], latest["state"]) == ("failed", True, "paid")
    assert [dict(row) for row in await world.pool.fetch(PAYOUTS_OF)] == [
        {"payout_id": latest["payout_id"], "state": "paid"}
    ]
    assert [fact.again for fact in await world.told(facts.PayoutPaid)] == [True]
    shown = await account_of(world, mentor)
    assert (shown["next_action"], shown["payout_returned"]) == ("nothing", None)
    await world.check_books()


async def test_what_stripe_wants_is_said_in_words_with_what_to_do(world: World) -> None:
    """From nothing to ready, restricted in between, each with the next action."""
    mentor = new_id()
    assert (await account_of(world, mentor))["next_action"] == "connect"
    account = await world.connect(mentor, complete=False)
    asked = await account_of(world, mentor)
    assert asked["next_action"] == "give_details"
    assert "A bank account for your payouts" in asked["requirements"]
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.rest()
    assert (await account_of(world, mentor))["next_action"] == "nothing"
    await world.sim("POST", f"accounts/{account}/restrict", {})
    await world.rest()
    restricted = await account_of(world, mentor)
    assert (restricted["state"], restricted["next_action"]) == ("restricted", "give_details")
    assert restricted["disabled_because"] == "Details are missing whose date has passed."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (["individual.dob.day", "individual.dob.month"], ["Your date of birth"]),
        (["person_1MqjB62eZ.address.line1"], ["Your address"]),
        (["tos_acceptance.date", "tos_acceptance.ip"], ["Your agreement to Stripe's terms"]),
        (["interview.favourite_colour"], ["One more detail: interview: favourite colour"]),
    ],
)
def test_fields_in_words(fields: list[str], words: list[str]) -> None:
    """Each once; what we do not know is shown politely."""
    assert wanted(fields) == words


def test_reasons_in_words() -> None:
    """Known and unknown ones, and none."""
    assert reason(None) is None
    assert reason("under_review") == "Stripe is reviewing your account."
    assert reason("new_thing") == "Stripe says: new thing."
    assert failure("new_thing") == failure(None) == "The bank gave no reason that we know."


async def test_a_payout_arrives_when_stripe_says_last(world: World) -> None:
    """The bank takes a day longer: the mentor sees the new day."""
    mentor = new_id()
    await world.connect(mentor)
    soon = datetime(2030, 5, 9, tzinfo=UTC)
    for arrives_at in (soon, soon + timedelta(days=1)):
        seen = PayoutSeen(payout_id="po_1", status="in_transit", amount_minor=1, currency="USD",
                          created_at=soon, arrives_at=arrives_at)  # fmt: skip
        await in_transaction(
            world.pool, lambda conn, seen=seen: follow_payout(conn, mentor, seen, soon)
        )
    assert await world.pool.fetchval("SELECT arrives_at FROM payouts") == soon + timedelta(days=1)
