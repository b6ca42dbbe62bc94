"""Accounts that Stripe lets nobody reach any more: the mentor is told, and connects another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.payments.store.gauges import EVENTS_UNREAD
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import AccountChanged, TransferSent
from shared.ids import new_id
from tests.payments.conftest import DELAY, World

DAY = timedelta(days=1)


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
    await world.pool.execute("UPDATE accounts SET closed_at = begun_at, can_receive = false")
    await world.sim("POST", f"accounts/{account_id}/complete", {})
    await world.rest()
    seen = await page(world, mentor_id)
    assert (seen["state"], seen["can_receive"]) == ("ready", True)
