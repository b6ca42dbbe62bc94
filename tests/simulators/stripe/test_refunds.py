"""Refunds that wait for the balance, and what sends them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulators.stripe.conftest import World, line_item

AT_ONCE = "4000000000000077"


async def _waiting(world: World, card: str = "4242424242424242") -> tuple[Any, Any, Any]:
    """Refund a charge whose money has been transferred; return refund, mentor and transfer."""
    charge = await world.paid(card)
    await world.advance(days=3)
    mentor = await world.mentor()
    given = {"amount": 11_000, "currency": "usd", "destination": mentor.id}
    transfer = await world.api.transfers.create_async(given)
    refund = await world.api.refunds.create_async({"charge": charge.id})
    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")
    assert refund.balance_transaction is None
    return refund, mentor, transfer


async def _state(world: World, refund: Any) -> tuple[str, str | None]:
    now = await world.api.refunds.retrieve_async(refund.id)
    return now.status, getattr(now, "pending_reason", None)


async def test_money_that_is_available_at_once_sends_a_waiting_refund(world: World) -> None:
    """https://docs.stripe.com/refunds, https://docs.stripe.com/testing#available-balance.

    «If your available balance doesn't cover the amount of the refund, Stripe [...] holds the refund
    as pending until you top up your account balance»: card 4000 0000 0000 0077 tops it up.
    """
    refund, _, _ = await _waiting(world)
    await world.paid(AT_ONCE, line_items=[line_item(5_000)])
    assert await _state(world, refund) == ("pending", "insufficient_funds")
    await world.paid(AT_ONCE, line_items=[line_item(8_000)])
    assert await _state(world, refund) == ("succeeded", None)
    assert (await world.heard_names()).count("refund.updated") == 1
    await world.books()


async def test_a_reversal_sends_a_waiting_refund(world: World) -> None:
    """https://docs.stripe.com/refunds: pending until the available balance covers it."""
    refund, mentor, transfer = await _waiting(world)
    await world.api.transfers.reversals.create_async(transfer.id, {"amount": 10_999})
    assert await _state(world, refund) == ("pending", "insufficient_funds")
    await world.paid(AT_ONCE, line_items=[line_item(1_000)])
    assert await _state(world, refund) == ("succeeded", None)
    balance = await world.api.balance.retrieve_async({}, {"stripe_account": mentor.id})
    assert balance.available[0].amount == 1
    await world.books()


@pytest.mark.parametrize(
    ("card", "sent", "ended"),
    [
        ("4000000000007726", ("pending", "processing"), ("succeeded", None)),
        ("4000000000005126", ("succeeded", None), ("failed", None)),
    ],
)
async def test_a_refund_that_waited_then_meets_its_card(
    world: World, card: str, sent: tuple[str, str | None], ended: tuple[str, str | None]
) -> None:
    """https://docs.stripe.com/testing#refunds: what the card does begins once it is sent."""
    refund, _, _ = await _waiting(world, card)
    await world.paid(AT_ONCE, line_items=[line_item(20_000)])
    assert await _state(world, refund) == sent
    await world.advance(hours=2)
    assert await _state(world, refund) == ended
    await world.books()
