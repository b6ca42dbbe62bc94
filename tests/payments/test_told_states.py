"""What is told of a payment as a whole: where it stands, and what a year of it came to."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from shared.auth import Role
from shared.ids import new_id
from tests.payments.conftest import World
from tests.payments.shop import UNIT, Shop
from tests.payments.test_disputes import decide, dispute
from tests.payments.test_recovery import PAID_OUT, earned, lend, write_off


async def checkout_state(shop: Shop, order_id: UUID) -> str:
    found = await shop.ask("GET", f"/v1/checkouts/{order_id}")
    return str(found["state"])


async def test_credits_are_refunded_once_all_that_was_paid_went_back(world: World) -> None:
    """A purchase of credits has no sessions of its own; its page tells open, paid and refunded."""
    shop = await Shop(world).open()
    package_id = await shop.package(2)
    bought = await shop.ask("POST", f"/v1/packages/{package_id}/purchases", {}, status=201)
    await shop.world.rest()
    assert await checkout_state(shop, bought["purchase_id"]) == "open"
    order_id = await shop.buy(2)
    assert await checkout_state(shop, order_id) == "paid"
    back = {"shown_amount_minor": 2 * UNIT}
    await shop.ask("POST", f"/v1/purchases/{order_id}/refund", back, status=202)
    await shop.world.rest()
    assert await checkout_state(shop, order_id) == "refunded"
    await shop.world.advance(timedelta(hours=2))
    assert await checkout_state(shop, bought["purchase_id"]) == "closed"


async def test_a_share_that_is_owed_again_was_not_given_back_to_a_mentee(world: World) -> None:
    """Written off, then won: nothing went back to anybody, and the year says so."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    opened = await dispute(world, order)
    await world.rest()
    assert (await write_off(world, mentor, 10_200))[0] == 202
    await decide(world, opened, "win")
    await world.advance(PAID_OUT)
    _, year = await world.call("GET", "/v1/me/yearly-summary", mentor, Role.MENTOR)
    (quarter,) = year["quarters"]
    assert (quarter["gross_minor"], quarter["refunds_minor"]) == (12_000, 0)
    assert (quarter["fees_minor"], quarter["net_minor"]) == (1_800, 10_200)
