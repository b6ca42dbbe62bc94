"""A mentee gets the same money once: from a refund, from a bank, or from an operator."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from services.payments.commands.operations import record_outcome, take_operation
from services.payments.domain.operations import Operation, Refused
from services.payments.domain.seen import Seen
from shared.contracts import booking
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import Bought, World
from tests.payments.shop import LIST, Shop
from tests.payments.test_disputes import decide, dispute, part_of, stored
from tests.payments.test_mending import RETURNED_FUNDS_CARD, mend
from tests.payments.test_recovery import PAID_OUT, earned, lend, write_off

DEADLINE_SECONDS = 20.0
REFUNDS = """
SELECT amount_minor, state, failure_code FROM refunds ORDER BY amount_minor DESC, state
"""
STRIPE_ALONE = {"stripe_fees", "dispute_fees", "stripe_balance"}


async def refunds(world: World) -> list[tuple[int, str, str | None]]:
    """Return amount, state and why it failed of every refund, the largest first."""
    return [tuple(row) for row in await world.pool.fetch(REFUNDS)]


async def sent(world: World) -> list[int]:
    """Return what Stripe sent back to cards."""
    return sorted(-row["amount"] for row in await world.movements("refund"))


async def cancelled(world: World, order: Bought) -> None:
    """Let the mentor cancel: everything is to go back."""
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)


async def overtaken(world: World, order: Bought, *amounts: int) -> list[Any]:
    """Let a bank take amounts of a payment of which everything goes back, and tell us later."""
    await world.sim("POST", "webhooks", {"mode": "hold"})
    opened = [await dispute(world, order, amount) for amount in amounts]
    await cancelled(world, order)
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "webhooks/release", {})
    await world.rest()
    return opened


async def taken_call(world: World) -> Operation:
    """Take the call that is next, as a worker would."""
    taken = await in_transaction(world.pool, lambda conn: take_operation(conn, world.clock.now()))
    assert taken is not None
    return taken


async def answered(world: World, taken: Operation, answer: Seen | Refused | None = None) -> None:
    """Record Stripe's answer to a call, an old one or that of now."""
    answer = answer or await world.gateway.perform(taken.request, taken.key)
    await in_transaction(
        world.pool, lambda conn: record_outcome(conn, taken, answer, world.clock.now())
    )
    await world.rest()


async def heard(world: World, opened: Any, state: str) -> None:
    """Turn the loops until we have heard of a dispute that it is in this state."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (found := await stored(world, opened)) is None or found.state != state:
            await world.turn()


async def test_what_an_operator_paid_otherwise_is_not_sent_when_a_bank_gives_back(
    world: World,
) -> None:
    """Stripe refused for a dispute, and said so only when it was won; a second one is won later."""
    order = await world.buy()
    await world.rest()
    opened = await dispute(world, order)
    await cancelled(world, order)
    taken = await taken_call(world)
    refused = await world.gateway.perform(taken.request, taken.key)
    await decide(world, opened, "win")
    await heard(world, opened, "won")
    await answered(world, taken, refused)
    assert await refunds(world) == [(12_000, "failed", "charge_disputed")]
    assert (await mend(world, order, "paid-otherwise"))[0] == 202
    second = await dispute(world, order, 100)
    await world.rest()
    await decide(world, second, "win")
    await world.rest()
    assert await refunds(world) == [(12_000, "paid_otherwise", None)]
    assert await sent(world) == []
    assert (await world.balances())["outside_stripe"] == -12_000
    await world.check_books()


async def test_what_a_bank_took_a_part_of_goes_back_but_for_that_part(world: World) -> None:
    """120 is to go back when a bank has 50 of it: 70 is sent, whenever we hear of the bank."""
    late, soon = await world.buy(), await world.buy()
    await overtaken(world, late, 5_000)
    assert await refunds(world) == [
        (7_000, "settled", None), (5_000, "paid_otherwise", "charge_disputed"),
    ]  # fmt: skip
    opened = await dispute(world, soon, 5_000)
    await cancelled(world, soon)
    await world.rest()
    assert await sent(world) == [7_000, 7_000]
    await decide(world, opened, "win")
    await world.rest()
    assert await sent(world) == [5_000, 7_000, 7_000]
    for order in (late, soon):
        assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()


async def test_a_refusal_that_is_heard_after_the_bank_leaves_it_its_part(world: World) -> None:
    """Stripe refuses 120 for the 50 that a bank has, of which we know: the rest is asked for."""
    order = await world.buy()
    await cancelled(world, order)
    taken, opened = await taken_call(world), await dispute(world, order, 5_000)
    await heard(world, opened, "needs_response")
    await answered(world, taken)
    assert await sent(world) == [7_000]
    await decide(world, opened, "lose")
    await world.rest()
    assert await refunds(world) == [
        (7_000, "settled", None), (5_000, "paid_otherwise", "charge_disputed"),
    ]  # fmt: skip
    assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()


async def test_of_two_banks_money_only_what_one_gave_back_is_sent(world: World) -> None:
    """Two disputes of one charge took all of a refund; each that is won is sent for itself."""
    order = await world.buy()
    first, second = await overtaken(world, order, 8_000, 4_000)
    assert await refunds(world) == [(12_000, "paid_otherwise", "charge_disputed")]
    await decide(world, first, "win")
    await world.rest()
    assert await sent(world) == [8_000]
    assert await refunds(world) == [
        (8_000, "settled", None), (4_000, "paid_otherwise", "charge_disputed"),
    ]  # fmt: skip
    await decide(world, second, "win")
    await world.rest()
    assert await sent(world) == [4_000, 8_000]
    assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()


async def test_a_session_that_a_credit_paid_for_goes_on_beside_a_disputed_one(
    world: World,
) -> None:
    """The bank has the card's money alone: of the credit's session it has nothing."""
    shop = await Shop(world).open()
    await shop.buy(2)
    order = await shop.hold(LIST, LIST, LIST)
    await world.rest()
    await world.pay(order)
    await world.rest()
    await dispute(world, order)
    await world.rest()
    found = (await world.order(order)).sessions
    assert sorted((each.lot_id is None, each.disputed_at is None) for each in found) == [
        (False, True), (False, True), (True, False),
    ]  # fmt: skip


async def test_a_refund_that_comes_back_during_a_dispute_is_the_banks(world: World) -> None:
    """The bank gave the mentee the same in between: nobody is to pay it once more."""
    order = await world.hold()
    await world.rest()
    await world.pay(order, RETURNED_FUNDS_CARD)
    await world.rest()
    await world.say(booking.BookingConfirmed, order, title="Career talk")
    await cancelled(world, order)
    await world.rest()
    await dispute(world, order, 12_000)
    await world.advance(timedelta(hours=2))
    ((amount, state, _),) = await refunds(world)
    assert (amount, state) == (12_000, "paid_otherwise")
    assert (await mend(world, order, "retry"))[1]["code"] == "refund_not_failed"
    assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()


async def test_what_came_back_beside_a_banks_part_waits_for_an_operator(world: World) -> None:
    """The card takes nothing more, however many banks have a part: none of it is sent by itself."""
    order = await world.buy()
    await cancelled(world, order)
    await world.rest()
    first = await dispute(world, order, 5_000)
    await world.rest()
    refund_id = await world.pool.fetchval("SELECT stripe_refund_id FROM refunds")
    assert (await world.sim("POST", f"refunds/{refund_id}/fail", {}))[0] == 200
    await world.rest()
    await dispute(world, order, 1_000)
    await world.rest()
    assert [each[:2] for each in await refunds(world)] == [
        (6_000, "failed"), (5_000, "paid_otherwise"), (1_000, "paid_otherwise"),
    ]  # fmt: skip
    assert await sent(world) == [12_000]
    await decide(world, first, "win")
    await world.rest()
    assert await sent(world) == [5_000, 12_000]
    assert (await mend(world, order, "retry"))[0] == 202
    await world.rest()
    assert await sent(world) == [5_000, 6_000, 12_000]
    assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()


async def test_a_share_that_was_written_off_is_not_paid_again_when_the_bank_gives_back(
    world: World,
) -> None:
    """The mentor kept it when the bank took it: won, it is kept for what is owed again."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    opened = await dispute(world, order)
    await world.rest()
    assert (await world.balances())["mentor_debt"] == 10_200
    assert (await write_off(world, mentor, 10_200))[0] == 202
    await decide(world, opened, "win")
    await world.advance(PAID_OUT)
    transfers = await world.movements("transfer")
    assert [row["amount"] for row in transfers] == [-10_200]
    balances = await world.balances()
    assert [balances.get(name, 0) for name in ("bad_debts", "mentor_debt", "mentor_payable")] == [
        0, 0, 0,
    ]  # fmt: skip
    await world.check_books()
