"""News that crosses on its way: whatever comes first, money ends in one place."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.payments.commands.effects import apply_answer
from services.payments.commands.operations import record_outcome, take_operation
from services.payments.domain.operations import Operation, Refused
from services.payments.domain.outcomes import CANNOT_RECEIVE, is_due
from services.payments.domain.requests import LookAtCheckout
from services.payments.store.outcomes import load_earnings
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, Bought, World
from tests.payments.drawing import AT_ONCE
from tests.payments.test_disputes import decide, dispute, part_of, stored

IN_FLIGHT_TRANSFERS = "SELECT 1 FROM in_flight WHERE kind = 'operation:transfer.create'"
STATE_OF_TRANSFER = "SELECT transfer_state FROM earnings WHERE order_id = $1"


async def take(world: World) -> Operation:
    """Take the call whose turn it is."""
    taken = await in_transaction(world.pool, lambda conn: take_operation(conn, world.clock.now()))
    assert taken is not None
    return taken


async def step(world: World, name: str) -> None:
    """Turn one loop once."""
    await next(loop for loop in world.loops if loop.name == name).step()


async def release(world: World, order: Bought) -> None:
    """Let a session complete and its earnings become due and released, not yet transferred."""
    await world.say(booking.SessionCompleted, order, by="system", completed_at=world.clock.now())
    world.clock.instant += DELAY
    await step(world, "release_earnings")


async def test_a_lost_payment_heard_by_two_roads_is_refunded_once(world: World) -> None:
    """The closing and a look both bring the payment at once: one posting, one refund."""
    order = await world.hold()
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "drop"})
    await world.pay(order)
    await world.say(booking.BookingExpired, order)
    await step(world, "close_checkouts")
    closing = await take(world)
    stored = await world.order(order)
    look = LookAtCheckout(order_id=order.order_id, checkout_id=stored.checkout_id or "")
    seen = await world.gateway.perform(look, "by-the-return-page")
    assert not isinstance(seen, Refused)
    also = await world.gateway.perform(closing.request, closing.key)
    await in_transaction(world.pool, lambda conn: apply_answer(conn, look, seen, world.clock.now()))
    await world.say(booking.BookingLost, order, reason="time_sold")
    await in_transaction(
        world.pool, lambda conn: record_outcome(conn, closing, also, world.clock.now())
    )
    await world.rest()
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    assert len(await world.told(facts.RefundIssued)) == 1
    assert await world.told(facts.CheckoutClosed) == []
    assert len(await world.movements("refund")) == 1
    await world.check_books()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (booking.SessionCompleted, {"by": "mentee", "completed_at": NOON}),
        (booking.BookingLost, {"reason": "begun"}),
        (booking.BookingCancelled, {"by": "operator", "refund_basis_points": 10_000}),
    ],
)
async def test_a_decision_about_money_waits_for_the_money(
    world: World, kind: type[booking.OrderFact], said: dict[str, object]
) -> None:
    """Booking's word overtakes our record of the payment: it is kept, and obeyed after it."""
    order = await world.hold()
    await world.rest()
    assert await world.say(kind, order, **said) == "deferred"
    await world.pay(order)
    await world.rest()
    await world.advance(DELAY)
    ended = facts.EarningsReleased if kind is booking.SessionCompleted else facts.RefundIssued
    assert len(await world.told(ended)) == 1
    await world.check_books()


async def test_a_cancellation_after_the_release_gives_everything_back(world: World) -> None:
    """Booking never says this; the mentee is paid all the same, and the mentor gives back."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.advance(DELAY)
    said = {"by": "operator", "refund_basis_points": 10_000}
    assert await world.say(booking.BookingCancelled, order, **said) == "handled"
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.RefundIssued)] == [12_000]
    assert [fact.amount_minor for fact in await world.told(facts.TransferReversed)] == [10_200]
    assert set(await world.balances()) == {"stripe_balance", "stripe_fees"}
    await world.check_books()


async def test_an_ability_that_came_back_unnoticed_sends_the_transfer(world: World) -> None:
    """Restricted and mended between two looks: the refused transfer is made all the same."""
    mentor = new_id()
    account = await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.sim("POST", "webhooks", {"mode": "drop"})
    await release(world, order)
    await step(world, "send_transfers")
    await world.sim("POST", f"accounts/{account}/restrict", {})
    sending = await take(world)
    answer = await world.gateway.perform(sending.request, sending.key)
    assert isinstance(answer, Refused)
    assert answer.code == CANNOT_RECEIVE
    await world.sim("POST", f"accounts/{account}/complete", {})
    await in_transaction(
        world.pool, lambda conn: record_outcome(conn, sending, answer, world.clock.now())
    )
    await world.rest()
    assert len(await world.told(facts.TransferSent)) == 1
    assert len(await world.movements("transfer")) == 1
    await world.check_books()


async def test_a_transfer_refused_for_another_reason_waits_for_a_change(world: World) -> None:
    """A look that finds the account as it was does not send what Stripe refused for good."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await release(world, order)
    await step(world, "send_transfers")
    sending = await take(world)
    await in_transaction(
        world.pool,
        lambda conn: record_outcome(conn, sending, Refused("account_invalid"), world.clock.now()),
    )
    await world.rest()
    assert await world.pool.fetchval(STATE_OF_TRANSFER, order.order_id) == "refused"
    assert await world.movements("transfer") == []


async def test_a_transfer_needs_no_settled_balance(world: World) -> None:
    """The charge is still pending at Stripe: the transfer is tied to it and goes through."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    long_ago = NOON - DELAY
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=long_ago)
    await world.rest()
    books = (await world.sim("GET", "books"))[1]["accounts"]["platform"]
    assert books["available"].get("usd", 0) == 0
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [10_200]
    await world.check_books()


async def test_a_transfer_without_balance_waits_for_money_and_stops_nobody(world: World) -> None:
    """Refunds ate the balance: the share is sent once there is money, and time goes on."""
    mentor = new_id()
    await world.connect(mentor)
    orders = [await world.buy(mentor_id=mentor) for _ in range(5)]
    await world.advance(timedelta(days=3))
    for order in orders[1:]:
        await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    await world.say(booking.SessionCompleted, orders[0], by="system", completed_at=NOON)
    await world.advance(timedelta(days=1))
    assert await world.told(facts.TransferSent) == []
    assert await world.pool.fetch(IN_FLIGHT_TRANSFERS) == []
    top_up = await world.hold(price_minor=100_000)
    await world.rest()
    await world.pay(top_up, AT_ONCE)
    await world.pool.execute("UPDATE operations SET next_try_at = now() WHERE state = 'sent'")
    await world.rest()
    assert len(await world.told(facts.TransferSent)) == 1
    assert len(await world.movements("transfer")) == 1


async def test_a_notice_does_not_wait_for_an_operator(world: World) -> None:
    """A look that needs an operator is made again by the operator: later notices are done."""
    order = await world.hold()
    await world.rest()
    await world.pool.execute("UPDATE orders SET price_minor = 999")
    await world.pay(order)
    await world.rest()
    events = (await world.sim("GET", "history"))[1]["objects"]["event"]
    paid = next(event for event in events if event["type"] == "checkout.session.completed")
    await world.pool.execute("DELETE FROM webhooks WHERE event_id = $1", paid["id"])
    await world.sim("POST", "webhooks/resend", {"event": paid["id"]})
    await world.rest()
    states = await world.pool.fetch("SELECT state FROM webhooks WHERE event_id = $1", paid["id"])
    assert [row["state"] for row in states] == ["obeyed"]


async def test_what_is_not_due_any_more_is_not_released(world: World) -> None:
    """A release put off between the look and the lock waits for its new instant."""
    order = await world.buy()
    async with world.pool.acquire() as conn:
        earnings = await load_earnings(conn, order.session_id)
    assert earnings is not None
    session = (await world.order(order)).session(None)
    assert not is_due(session, earnings, NOON + timedelta(days=900))
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    async with world.pool.acquire() as conn:
        earnings = await load_earnings(conn, order.session_id)
    assert earnings is not None
    assert [
        is_due(session, earnings, NOON + DELAY - timedelta(seconds=1)),
        is_due(session, earnings, NOON + DELAY),
        is_due(replace(session, objected_at=NOON), earnings, NOON + DELAY),
    ] == [False, True, False]


@pytest.mark.parametrize(("answer", "ends"), [("evidence", "won"), ("accept", "lost")])
async def test_an_old_answer_about_a_dispute_undoes_nothing(
    world: World, answer: str, ends: str
) -> None:
    """The bank decides before a lost answer is asked for again, which says how it was then."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    path = f"/v1/operator/disputes/{opened['id']}/{answer}"
    body = {"reason": "They were there."} | (
        {"access_activity_log": "They were there."} if answer == "evidence" else {}
    )
    assert (await world.call("POST", path, new_id(), Role.OPERATOR, body=body))[0] == 202
    await step(world, "do_deeds")
    telling = await take(world)
    await world.gateway.perform(telling.request, telling.key)
    if answer == "evidence":
        await decide(world, opened, "win")
    async with asyncio.timeout(10):
        while (found := await stored(world, opened)) is None or found.state != ends:
            await world.turn()
    again = await world.gateway.perform(telling.request, telling.key)
    await in_transaction(
        world.pool, lambda conn: record_outcome(conn, telling, again, world.clock.now())
    )
    assert await stored(world, opened) == found
    await world.rest()
    assert await stored(world, opened) == found
    assert (await world.order(order)).sessions[0].disputed_at is None
    await world.check_books()


@pytest.mark.parametrize("backwards", [False, True])
async def test_what_one_bank_gives_back_another_may_have_taken(
    world: World, backwards: bool
) -> None:
    """Of 120 went 30 by a refund and 80 to a bank; it gives them back, and another takes 40."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=2_500)
    first = await dispute(world, order, 8_000)
    await world.rest()
    await decide(world, first, "lose")
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "hold"})
    await decide(world, first, "win")
    second = await dispute(world, order, 4_000)
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "webhooks/release", {"backwards": backwards})
    await world.rest()
    of_people = ("session_clearing", "dispute_losses")
    assert await part_of(world, order, *of_people) == {"session_clearing": -5_000}
    await world.check_books()
    await decide(world, second, "win")
    await world.rest()
    assert await part_of(world, order, *of_people) == {"session_clearing": -9_000}
    await world.check_books()
