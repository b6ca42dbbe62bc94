"""A refund that came back is sent or paid again for exactly what was shown of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from shared.auth import Role
from shared.contracts import booking, prepaid
from shared.ids import new_id
from tests.payments.conftest import Bought, World
from tests.payments.shop import UNIT, Shop
from tests.payments.test_disputes import dispute
from tests.payments.test_mending import act, mend, state_of
from tests.payments.test_paid_once import cancelled, refunds
from tests.payments.test_recovery import refund

DEEDS = ("retry", "paid-otherwise")
STRIPES_ID = "SELECT stripe_refund_id FROM refunds WHERE amount_minor = $1"


async def sent_back(world: World, amount_minor: int) -> None:
    """Let the bank send the refund of an amount back."""
    refund_id = await world.pool.fetchval(STRIPES_ID, amount_minor)
    assert (await world.sim("POST", f"refunds/{refund_id}/fail", {}))[0] == 200
    await world.rest()


async def failed(world: World, order: Bought) -> list[int]:
    """Return what the page names as sent back, of the order and of its only session alike."""
    found = await state_of(world, order)
    (part,) = found["sessions"]
    assert part["failed"] == found["failed"]
    return [each["amount_minor"] for each in found["failed"]]


async def test_only_the_refund_that_failed_is_named_and_paid(world: World) -> None:
    """60 arrived and 10 came back: 10 is shown and paid, and the books say so."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.rest()
    await refund(world, order, amount_minor=1_000)
    await world.rest()
    await sent_back(world, 1_000)
    assert await failed(world, order) == [1_000]
    assert (await mend(world, order, "paid-otherwise"))[0] == 202
    assert await failed(world, order) == []
    assert (await world.balances())["outside_stripe"] == -1_000
    await world.check_books()


@pytest.mark.parametrize("how", DEEDS)
async def test_what_a_bank_paid_since_it_was_shown_is_not_paid_again(
    world: World, how: str
) -> None:
    """120 came back, then a bank takes 50: who saw 120 is refused and told of the 70 left."""
    order = await world.buy()
    await cancelled(world, order)
    await world.rest()
    await sent_back(world, 12_000)
    (seen,) = (await state_of(world, order))["failed"]
    assert seen["amount_minor"] == 12_000
    await dispute(world, order, 5_000)
    await world.rest()
    assert await failed(world, order) == [7_000]
    status, refused = await act(world, order, f"refund/{how}", **seen)
    assert (status, refused["code"]) == (412, "amounts_outdated")
    shown = {name: refused["facts"][name] for name in ("refund_id", "amount_minor")}
    assert shown["amount_minor"] == 7_000
    assert "outside_stripe" not in await world.balances()
    assert (await act(world, order, f"refund/{how}", **shown))[0] == 202
    await world.rest()
    states = {amount: state for amount, state, _ in await refunds(world)}
    assert states[7_000] == {"retry": "settled", "paid-otherwise": "paid_otherwise"}[how]
    await world.check_books()


async def test_each_of_two_failed_refunds_is_mended_for_itself(world: World) -> None:
    """One is paid from our own bank account, the other sent again; neither for the other's sum."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.rest()
    await refund(world, order, amount_minor=1_000)
    await world.rest()
    await sent_back(world, 1_000)
    await sent_back(world, 6_000)
    first, second = (await state_of(world, order))["failed"]
    assert (first["amount_minor"], second["amount_minor"]) == (6_000, 1_000)
    mixed = first | {"amount_minor": 1_000}
    assert (await act(world, order, "refund/retry", **mixed))[1]["code"] == "amounts_outdated"
    assert (await act(world, order, "refund/paid-otherwise", **second))[0] == 202
    assert (await act(world, order, "refund/retry", **first))[0] == 202
    await world.rest()
    assert [each[:2] for each in await refunds(world)] == [
        (6_000, "settled"), (1_000, "paid_otherwise"),
    ]  # fmt: skip
    await world.check_books()


async def credits_sent_back(shop: Shop) -> tuple[UUID, Any]:
    """Let a refund of unused credits come back; return the purchase and what is told of it."""
    order_id = await shop.buy(2)
    body = {"shown_amount_minor": 2 * UNIT}
    await shop.ask("POST", f"/v1/purchases/{order_id}/refund", body, status=202)
    await shop.world.rest()
    await sent_back(shop.world, 2 * UNIT)
    assert len(await shop.world.told(prepaid.CreditsRefundFailed)) == 1
    path = f"/v1/operator/orders/{order_id}/money-state"
    return order_id, (await shop.world.call("GET", path, new_id(), Role.OPERATOR))[1]


@pytest.mark.parametrize(("how", "told"), zip(DEEDS, (2, 1), strict=True))
async def test_a_refund_of_credits_that_failed_is_mended(world: World, how: str, told: int) -> None:
    """What is paid in advance has no session: its failed refund is shown, and mended as any."""
    shop = await Shop(world).open()
    order_id, found = await credits_sent_back(shop)
    (seen,) = found["failed"]
    assert (seen["amount_minor"], found["sessions"]) == (2 * UNIT, [])
    path, body = f"/v1/operator/orders/{order_id}", {"reason": "Again.", **seen}
    answer = await world.call("POST", f"{path}/refund/{how}", new_id(), Role.OPERATOR, body=body)
    assert answer[0] == 202, answer
    await world.rest()
    assert len(await world.told(prepaid.CreditsRefunded)) == told
    _, found = await world.call("GET", f"{path}/money-state", new_id(), Role.OPERATOR)
    assert found["failed"] == []
    await shop.check()
