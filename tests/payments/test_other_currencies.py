"""Money that Stripe moves in another currency than the purchase's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ops.verify.checks import DISPUTE_DIFFERS
from services.payments.commands.effects import apply_answer
from services.payments.domain.requests import LookAtDispute
from services.payments.domain.seen import DisputeSeen, DisputeState, MovementSeen
from services.payments.events import listen
from services.payments.ledger.chart import Account
from services.payments.ledger.movements import by_hand
from services.payments.store.ledger import post
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import CheckoutClosed, DisputeOpened, EarningsReleased
from shared.db import in_transaction
from shared.ids import new_id
from shared.inbox import Inbox
from shared.money import Money
from tests.payments.conftest import DELAY, TERMS_OF_NOW, Bought, World

DISPUTE = "du_abroad"
TAKEN = -3_250
FEE = 1_500
STATE_OF_REFUND = "SELECT state FROM refunds"


async def show(world: World, order: Bought, state: DisputeState, *moved: int) -> None:
    """Let Stripe show a dispute of a purchase in dinars, whose money it moves in dollars."""
    now = world.clock.now()
    movements = tuple(
        MovementSeen(
            movement_id=f"txn_{place}",
            amount_minor=minor,
            currency="USD",
            fee_minor=FEE if minor < 0 else 0,
            moved_at=now + timedelta(seconds=place),
        )
        for place, minor in enumerate(moved)
    )
    seen = DisputeSeen(
        dispute_id=DISPUTE,
        state=state,
        amount_minor=order.price_minor,
        currency=order.currency,
        reason="fraudulent",
        opened_at=now,
        movements=movements,
    )
    look = LookAtDispute(order_id=order.order_id, dispute_id=DISPUTE)
    await in_transaction(world.pool, lambda conn: apply_answer(conn, look, seen, now))
    await world.rest()


async def page(world: World) -> Any:
    """Return the dispute as operators see it."""
    path = f"/v1/operator/disputes/{DISPUTE}"
    status, case = await world.call("GET", path, new_id(), Role.OPERATOR)
    assert status == 200, case
    return case


async def waits(world: World, order: Bought) -> set[str]:
    """Return what a purchase waits for an operator for."""
    rows = await world.pool.fetch(
        "SELECT waits_for FROM saga_waits WHERE order_id = $1 AND needs_operator", order.order_id
    )
    return {row["waits_for"] for row in rows}


async def test_a_dispute_in_another_currency_is_known_and_holds_the_session(world: World) -> None:
    """It is told, shown and holds the share; only its money, of which nothing is posted, waits."""
    order = await world.buy(10_000, "KWD")
    now = world.clock.now()
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=now)
    before = await world.balances()
    await show(world, order, "needs_response", TAKEN)
    assert [fact.dispute_id for fact in await world.told(DisputeOpened)] == [DISPUTE]
    await world.advance(DELAY)
    assert await world.told(EarningsReleased) == []
    assert await world.balances() == before
    (moved,) = (await page(world))["movements"]
    assert (moved["amount_minor"], moved["currency"], moved["foreign"]) == (TAKEN, "USD", True)
    books = "an operator books what the bank moved in another currency"
    assert books in await waits(world, order)
    (failure,) = await world.pool.fetch(DISPUTE_DIFFERS.replace("payments.", ""))
    assert dict(failure) == {"subject": DISPUTE, "detail": "moved -4750 USD, posted 0"}
    entry = by_hand(DISPUTE, Account.DISPUTE_LOSSES, Money(TAKEN - FEE, "USD"), world.clock.now())
    await in_transaction(world.pool, lambda conn: post(conn, entry))
    assert await world.pool.fetch(DISPUTE_DIFFERS.replace("payments.", "")) == []
    assert books not in await waits(world, order)


async def test_a_dispute_lost_in_another_currency_lets_the_session_go_on(world: World) -> None:
    """What is decided holds nothing; who bears it an operator says, with a refund or without."""
    order = await world.buy(10_000, "KWD")
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=world.clock.now())
    await show(world, order, "needs_response", TAKEN)
    await show(world, order, "lost", TAKEN)
    await world.advance(DELAY)
    (released,) = await world.told(EarningsReleased)
    assert (released.mentor_minor, released.currency) == (8_500, "KWD")
    assert (await page(world))["state"] == "lost"


@pytest.mark.parametrize(
    ("moved", "state"), [((TAKEN,), "paid_otherwise"), ((), "failed")], ids=["taken", "asked about"]
)
async def test_what_a_bank_takes_in_another_currency_covers_a_refund_that_came_back(
    world: World, moved: tuple[int, ...], state: str
) -> None:
    """Nobody is to pay the mentee once more; a bank that took nothing covers nothing."""
    order = await world.buy(10_000, "KWD")
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    refund_id = await world.pool.fetchval("SELECT stripe_refund_id FROM refunds")
    assert (await world.sim("POST", f"refunds/{refund_id}/fail", {}))[0] == 200
    await world.rest()
    assert await world.pool.fetchval(STATE_OF_REFUND) == "failed"
    await show(world, order, "needs_response", *moved)
    assert await world.pool.fetchval(STATE_OF_REFUND) == state


async def test_nobody_is_charged_in_a_currency_that_we_hold_no_balance_in(world: World) -> None:
    """The purchase is closed for that reason, and Stripe is asked for nothing."""
    world.inbox = Inbox(
        world.pool,
        listen(replace(TERMS_OF_NOW, settlement_currencies=frozenset({"EUR"}))),
        world.clock,
    )
    order = await world.hold()
    await world.rest()
    found = await world.order(order)
    assert (found.state, found.closed_because) == ("closed", "currency_not_settled")
    assert [fact.order_id for fact in await world.told(CheckoutClosed)] == [order.order_id]
    assert await world.pool.fetch("SELECT 1 FROM operations WHERE kind = 'checkout.create'") == []
    assert (await world.order(await world.hold(currency="EUR"))).state == "being_prepared"
