"""Stripe fails in every way: each decision still takes effect exactly once (P8, cases 4 and 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.payments.commands.operations import take_operation
from services.payments.domain.operations import Operation
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, World

FAULTS = ["timeout_before", "timeout_after", "500_after", "429", "reset", "reset_after"]
END_LEASES = "UPDATE operations SET lease_until = now() - interval '1 second' WHERE state = 'sent'"


async def take_and_call(world: World) -> Operation:
    """Take a call, make it, and die before the answer is recorded."""
    operation = await in_transaction(
        world.pool, lambda conn: take_operation(conn, world.clock.now())
    )
    assert operation is not None
    await world.gateway.perform(operation.request, operation.key)
    await world.pool.execute(END_LEASES)
    return operation


async def made(world: World, kind: str) -> int:
    """Return how many objects of a kind the simulator has."""
    return len((await world.sim("GET", "history"))[1]["objects"][kind])


@pytest.mark.parametrize("kind", FAULTS)
async def test_one_page_whatever_happens(world: World, kind: str) -> None:
    """A payment page is opened once, and its payment is taken once."""
    await world.fault("POST", "/v1/checkout/sessions", kind, count=2)
    order = await world.hold()
    await world.rest()
    assert await made(world, "checkout.session") == 1
    await world.pay(order)
    await world.rest()
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    assert len(await world.movements("charge")) == 1
    await world.check_books()


@pytest.mark.parametrize("kind", FAULTS)
async def test_one_refund_whatever_happens(world: World, kind: str) -> None:
    """A refund is made once and told once."""
    order = await world.buy()
    await world.fault("POST", "/v1/refunds", kind, count=2)
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    assert await made(world, "refund") == 1
    assert len(await world.told(facts.RefundIssued)) == 1
    await world.check_books()


@pytest.mark.parametrize("kind", FAULTS)
async def test_one_transfer_whatever_happens(world: World, kind: str) -> None:
    """A transfer is made once and told once."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.fault("POST", "/v1/transfers", kind, count=2)
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.advance(DELAY)
    assert await made(world, "transfer") == 1
    assert len(await world.told(facts.TransferSent)) == 1
    await world.check_books()


async def test_a_worker_that_dies_after_the_call_repeats_it_without_effect(world: World) -> None:
    """Killed between the call and its record: the next worker gets the same page."""
    order = await world.hold()
    await take_and_call(world)
    await world.rest()
    assert await made(world, "checkout.session") == 1
    assert (await world.order(order)).state == "open"


async def test_a_late_worker_does_not_overwrite(world: World) -> None:
    """An answer that comes after somebody else took the call changes nothing."""
    from services.payments.commands.operations import record_outcome
    from services.payments.domain.operations import Refused

    order = await world.hold()
    late = await take_and_call(world)
    await world.rest()
    ours = await in_transaction(
        world.pool,
        lambda conn: record_outcome(conn, late, Refused("late"), world.clock.now()),
    )
    assert ours is False
    assert (await world.order(order)).state == "open"


async def test_after_30_hours_the_transfer_is_looked_up(world: World) -> None:
    """The key is forgotten by then: the transfer is found, not made again (case 4)."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    world.clock.instant = NOON + DELAY
    sends = {loop.name: loop for loop in world.loops}
    await sends["release_earnings"].step()
    await sends["send_transfers"].step()
    taken = await take_and_call(world)
    assert taken.request.kind == "transfer.create"
    world.clock.instant += timedelta(hours=30)
    await world.rest()
    assert await made(world, "transfer") == 1
    assert len(await world.told(facts.TransferSent)) == 1
    await world.check_books()


async def test_after_30_hours_an_absent_refund_is_sent(world: World) -> None:
    """The call never reached Stripe: the look-up proves it, and the refund is made once."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    taken = await in_transaction(world.pool, lambda conn: take_operation(conn, world.clock.now()))
    assert taken is not None
    await world.pool.execute(END_LEASES)
    world.clock.instant += timedelta(hours=30)
    await world.rest()
    assert await made(world, "refund") == 1
    await world.check_books()


async def test_a_stored_failure_without_effect_waits_for_an_operator(world: World) -> None:
    """Stripe replays 500: no second key by itself; an operator's retry proves absence first."""
    order = await world.buy()
    await world.fault("POST", "/v1/refunds", "500_before")
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    operator = new_id()
    _, page = await world.call("GET", "/v1/operator/operations", operator, Role.OPERATOR)
    assert [item["kind"] for item in page["items"]] == ["refund.create"]
    assert await made(world, "refund") == 0
    path = f"/v1/operator/operations/{page['items'][0]['operation_id']}/retry"
    why = {"reason": "Stripe is well again"}
    status, _ = await world.call("POST", path, operator, Role.OPERATOR, body=why)
    assert status == 202
    await world.rest()
    assert await made(world, "refund") == 1
    assert len(await world.told(facts.RefundIssued)) == 1
    assert (await world.call("POST", path, operator, Role.OPERATOR, body=why))[0] == 404
    await world.check_books()


async def test_a_payment_of_the_wrong_amount_is_never_posted(world: World) -> None:
    """What Stripe shows does not fit the order: nothing is posted, an operator sees it."""
    order = await world.hold()
    await world.rest()
    await world.pool.execute("UPDATE sessions SET price_minor = 999")
    await world.pay(order)
    await world.rest()
    assert await world.told(facts.PaymentSucceeded) == []
    state = await world.pool.fetchval(
        "SELECT state FROM operations WHERE kind = 'checkout.retrieve'"
    )
    assert state == "undetermined"
    assert await world.balances() == {}
