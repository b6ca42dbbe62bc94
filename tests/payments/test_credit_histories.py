"""Random histories of credits: what is left is what the ledger keeps."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from shared.contracts import booking
from tests.payments.conftest import Bought, World
from tests.payments.shop import DAY, KEPT, LIST, WHOLE, WORTH, Shop


@pytest.fixture
async def shop(world: World) -> Shop:
    return await Shop(world).open()


async def happen(shop: Shop, dice: Random, steps: int) -> None:
    """Let credits be bought, used, freed, returned, refunded and end in any order."""
    booked: list[Bought] = []
    bought = [await shop.buy(3, months=1)]
    for _ in range(steps):
        step = dice.choice(("buy", "book", "book", "hold", "cancel", "part", "refund", "wait"))
        if step == "buy" and len(bought) < 3:
            bought.append(await shop.buy(dice.randint(2, 4), months=dice.randint(1, 2)))
        elif step in ("book", "hold"):
            order = await shop.hold(*[LIST] * dice.randint(1, 2))
            if (await shop.world.order(order)).state == "paid":
                await shop.world.say(booking.BookingConfirmed, order, title="Career talk")
                booked.append(order)
        elif step in ("cancel", "part") and booked:
            order = booked.pop(dice.randrange(len(booked)))
            back = WHOLE if step == "cancel" else dice.randint(1, 9_999)
            for session_id in order.parts:
                await shop.cancel(order, back, session_id)
        elif step == "refund":
            order_id = dice.choice(bought)
            shown = (await shop.ask("GET", f"/v1/purchases/{order_id}"))["refundable_minor"]
            if shown:
                body = {"shown_amount_minor": shown}
                await shop.ask("POST", f"/v1/purchases/{order_id}/refund", body, status=202)
        elif step == "wait":
            await shop.world.advance(dice.choice((timedelta(minutes=20), 5 * DAY, 20 * DAY)))
        assert await shop.world.pool.fetchval(WORTH) == await shop.world.pool.fetchval(KEPT)
    await shop.world.advance(100 * DAY)
    assert await shop.world.pool.fetchval(WORTH) == 0
    await shop.check()


@pytest.mark.parametrize("seed", [1])
async def test_what_is_left_is_what_the_ledger_keeps(shop: Shop, seed: int) -> None:
    """After any sequence of buying, using, returning, refunding and expiring."""
    await happen(shop, Random(seed), 12)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 130))
async def test_what_is_left_is_what_the_ledger_keeps_long(shop: Shop, seed: int) -> None:
    """The same, thirty times and longer."""
    await happen(shop, Random(seed), 60)
