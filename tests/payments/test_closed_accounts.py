"""Accounts that Stripe lets nobody reach any more: the mentor is told, and connects another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.payments.domain.platform import KeyOfAnotherAccount, Platform
from services.payments.store.gauges import EVENTS_UNREAD
from services.payments.store.platform import keep_first
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import AccountChanged, TransferSent
from shared.ids import new_id
from tests.payments.conftest import DELAY, World
from tests.payments.test_crossings import release, step

DAY = timedelta(days=1)
SIMULATED = "acct_platform00000000"
"""The platform's account at the simulator."""
CLOSED = "UPDATE accounts SET closed_at = begun_at, can_receive = false"
HOLD_TRANSFER = "UPDATE operations SET state = $1 WHERE kind = 'transfer.create'"


async def close(world: World, account_id: str) -> None:
    """Let Stripe close an account."""
    status, answer = await world.sim("POST", f"accounts/{account_id}/close", {})
    assert status == 200, answer


async def page(world: World, mentor_id: UUID) -> Any:
    """Return what the mentor sees of the account."""
    return (await world.call("GET", "/v1/me/account", mentor_id, Role.MENTOR))[1]


async def earn(world: World, mentor_id: UUID) -> None:
    """Let a session of a mentor take place and its share be released."""
    order = await world.buy(mentor_id=mentor_id)
    now = world.clock.now()
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=now)
    await world.advance(DELAY)


async def test_what_a_closed_account_cannot_take_goes_to_the_next_one(world: World) -> None:
    """A refused transfer finds the account closed; the mentor connects another and is paid."""
    mentor_id = new_id()
    old = await world.connect(mentor_id)
    await close(world, old)
    await earn(world, mentor_id)
    seen = await page(world, mentor_id)
    assert (seen["state"], seen["can_receive"], seen["next_action"]) == ("closed", False, "connect")
    assert "closed" in seen["disabled_because"]
    assert [fact.can_receive for fact in await world.told(AccountChanged)][-1] is False
    path = "/v1/me/account/onboarding-link"
    assert (await world.call("POST", path, mentor_id, Role.MENTOR))[0] == 409
    new = await world.connect(mentor_id)
    assert new != old
    assert len(await world.told(TransferSent)) == 1
    (moved,) = await world.movements("transfer")
    assert moved["net"] == -10_200
    assert (await page(world, mentor_id))["state"] == "ready"
    await world.check_books()


async def test_what_was_on_its_way_to_a_closed_account_goes_to_the_next_one(world: World) -> None:
    """The mentor has another account before Stripe says no to the transfer to the first."""
    mentor_id = new_id()
    old = await world.connect(mentor_id)
    order = await world.buy(mentor_id=mentor_id)
    await release(world, order)
    await step(world, "send_transfers")
    await world.pool.execute(HOLD_TRANSFER, "undetermined")
    await close(world, old)
    await world.pool.execute(CLOSED)
    new = await world.connect(mentor_id)
    await world.pool.execute(HOLD_TRANSFER, "planned")
    await world.rest()
    assert len(await world.told(TransferSent)) == 1
    (made,) = (await world.sim("GET", "history"))[1]["objects"]["transfer"]
    assert made["destination"] == new
    await world.check_books()


async def test_the_events_of_a_closed_account_are_read_no_more(world: World) -> None:
    """Its list is refused once; then the account is known as closed, and nothing falls behind."""
    mentor_id = new_id()
    account_id = await world.connect(mentor_id)
    await close(world, account_id)
    await world.advance(3 * DAY)
    assert (await page(world, mentor_id))["state"] == "closed"
    unread = await world.pool.fetchval(EVENTS_UNREAD, world.clock.now())
    assert unread <= DAY.total_seconds()
    refused = await world.pool.fetchval(
        "SELECT count(*) FROM operations WHERE kind = 'events.list' AND state = 'refused'"
    )
    assert refused == 1


async def test_an_account_that_can_be_reached_again_goes_on(world: World) -> None:
    """Where only our key was wrong for a while, a look brings the account back."""
    mentor_id = new_id()
    account_id = await world.connect(mentor_id)
    await world.pool.execute(CLOSED)
    await world.sim("POST", f"accounts/{account_id}/complete", {})
    await world.rest()
    seen = await page(world, mentor_id)
    assert (seen["state"], seen["can_receive"]) == ("ready", True)


@pytest.mark.parametrize("known", [Platform("acct_ours", False), Platform(SIMULATED, True)])
async def test_with_a_key_of_another_account_nothing_is_asked(
    world: World, known: Platform
) -> None:
    """The worker ends and says whose key it has: no mentor's account is taken for closed."""
    async with world.pool.acquire() as conn:
        await keep_first(conn, known, world.clock.now())
    await world.begin_to_connect(new_id())
    with pytest.raises(KeyOfAnotherAccount, match=f"about {known.stripe_account_id}"):
        await world.rest()
    history = (await world.sim("GET", "history"))[1]
    assert history["objects"].get("account", []) == []
    left = await world.pool.fetch("SELECT DISTINCT state FROM operations ORDER BY state")
    assert [row["state"] for row in left] == ["planned", "sent"], "all of it is made later"


async def test_whose_key_was_used_first_is_kept(world: World) -> None:
    """Another key of the same account goes on; what is kept cannot be written over."""
    await world.connect(new_id())
    async with world.pool.acquire() as conn:
        kept = await keep_first(conn, Platform("acct_other", True), world.clock.now())
    assert kept == Platform(SIMULATED, False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await world.pool.execute("UPDATE platform SET live = true")
