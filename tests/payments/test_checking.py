"""The check of histories finds what is wrong: each thing done behind our back is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from services.payments import ledger
from services.payments.ledger.entries import Paid
from services.payments.store.ledger import post
from shared.contracts import booking
from shared.db import transaction
from shared.ids import new_id
from shared.money import Money
from tests.engines import Database
from tests.payments.checking import complaints
from tests.payments.conftest import NOON, World
from tests.payments.histories import Purchase


@dataclass
class Scene:
    """A world at rest in which one session was sold, held and paid out."""

    world: World
    database: Database
    purchase: Purchase


async def post_a_payment(scene: Scene) -> None:
    """Post a payment nobody made; it balances."""
    paid = Paid(Money(5, "USD"), Money(0, "USD"))
    nobodys = ledger.entries.Part(new_id(), new_id(), new_id())
    async with transaction(scene.world.pool) as conn:
        await post(conn, ledger.purchases.payment({nobodys: paid}, NOON))


async def move_a_cent(scene: Scene) -> None:
    """Change a line of the ledger, as only a superuser past all triggers can."""
    conn = await asyncpg.connect(scene.database.superuser_url)
    try:
        await conn.execute("SET session_replication_role = replica")
        changed = await conn.execute(
            "UPDATE payments.ledger_lines SET amount_minor = amount_minor + 1"
            " WHERE account = 'platform_revenue'"
        )
        assert changed == "UPDATE 1"
    finally:
        await conn.close()


async def transfer_unearned_money(scene: Scene) -> None:
    """Send a mentor money that no session earned."""
    account = await scene.world.pool.fetchval("SELECT stripe_account_id FROM accounts")
    order_id = await scene.world.pool.fetchval("SELECT charge_id FROM orders")
    await _ask_stripe(
        scene, "transfers", destination=account, amount="1", currency="usd",
        source_transaction=order_id,
    )  # fmt: skip


async def refund_undecided_money(scene: Scene) -> None:
    """Give a mentee money back that nobody decided to give."""
    charge = await scene.world.pool.fetchval("SELECT charge_id FROM orders")
    await _ask_stripe(scene, "refunds", charge=charge, amount="10")


async def call_it_unpaid(scene: Scene) -> None:
    """Say of a purchase that nobody paid for it."""
    scene.purchase.state = "expired"


async def call_it_cancelled(scene: Scene) -> None:
    """Say of a purchase that a tenth of it goes back."""
    scene.purchase.state, scene.purchase.refunded = "cancelled", 1_000


async def forget_a_fact(scene: Scene) -> None:
    """Lose a fact that was to be told."""
    gone = await scene.world.pool.execute(
        "DELETE FROM outbox WHERE headers::text LIKE '%EarningsReleased%'"
    )
    assert gone == "DELETE 1"


PLANTS: dict[Callable[[Scene], Awaitable[None]], str] = {
    call_it_unpaid: "is charged more or less than once",
    call_it_cancelled: "not one refund of 1200",
    post_a_payment: "only in the ledger: ('payment'",
    move_a_cent: "USD is out of balance",
    transfer_unearned_money: "nobody decided",
    refund_undecided_money: "unknown refund",
    forget_a_fact: "EarningsReleased told 0 times",
}


async def test_everything_wrong_is_found(world: World, payments_database: Database) -> None:
    """A sound world has no complaints; one wrong cent, movement, decision or fact has."""
    mentor = new_id()
    await world.connect(mentor)
    bought = await world.buy(mentor_id=mentor)
    await world.say(booking.SessionCompleted, bought, by="system", completed_at=NOON)
    await world.advance(timedelta(days=6))
    purchase = Purchase(bought, NOON, time_sold=False, state="completed", refunded=0)
    scene = Scene(world, payments_database, purchase)
    assert await complaints(world, [purchase]) == []
    for plant, complaint in PLANTS.items():
        purchase.state, purchase.refunded = "completed", 0
        before = await complaints(world, [purchase])
        assert not any(complaint in line for line in before), plant
        await plant(scene)
        after = await complaints(world, [purchase])
        assert any(complaint in line for line in after), (plant, after)


async def _ask_stripe(scene: Scene, path: str, **form: str) -> None:
    headers = {"Authorization": "Bearer sk_test_payments"}
    async with scene.world.stripe.post(f"/v1/{path}", data=form, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
