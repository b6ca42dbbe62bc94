"""Faults of money by pattern and seed: declines, 3-D Secure, and accounts that are restricted."""

from __future__ import annotations

import random
from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World

CARD = "4242424242424242"
AT_ONCE = "4000000000000077"


async def _tried(world: World, **how: Any) -> Any:
    session = await world.session()
    return await world.sim("POST", f"/checkout/{session.id}/pay", how)


async def test_a_card_is_declined_by_a_fault_and_taken_the_next_time(world: World) -> None:
    """https://docs.stripe.com/testing#declined-payments: `generic_decline`, and the last digits."""
    await world.sim("POST", "/faults", {"kind": "card_declined"})
    session = await world.session()
    first = await world.sim("POST", f"/checkout/{session.id}/pay", {"card": CARD})
    assert first["status"] == "open"
    intent = await world.api.payment_intents.retrieve_async(first["payment_intent"])
    assert intent.last_payment_error.decline_code == "generic_decline"
    charge = await world.api.charges.retrieve_async(intent.latest_charge)
    assert charge.payment_method_details.card.last4 == "4242"
    second = await world.sim("POST", f"/checkout/{session.id}/pay", {"card": CARD})
    assert second["status"] == "complete"
    await world.books()


async def test_a_fault_asks_for_3d_secure_of_a_card_that_needs_none(world: World) -> None:
    """https://docs.stripe.com/testing#regulatory-cards: the charge shows that it was passed."""
    await world.sim("POST", "/faults", {"kind": "3d_secure"})
    waiting = await _tried(world, authenticate=None)
    intent = await world.api.payment_intents.retrieve_async(waiting["payment_intent"])
    assert (waiting["status"], intent.status) == ("open", "requires_action")
    await world.sim("POST", "/faults", {"kind": "3d_secure"})
    paid = await _tried(world, authenticate=True)
    intent = await world.api.payment_intents.retrieve_async(paid["payment_intent"])
    charge = await world.api.charges.retrieve_async(intent.latest_charge)
    assert charge.payment_method_details.card.three_d_secure.result == "authenticated"
    await world.books()


async def test_faults_of_cards_meet_intents_by_pattern_and_other_requests_not(world: World) -> None:
    """https://docs.stripe.com/api/payment_intents/confirm: a card error is a 402."""
    path = "/v1/payment_intents/*/confirm"
    await world.sim("POST", "/faults", {"kind": "card_declined", "path": path})
    intent = await world.api.payment_intents.create_async({"amount": 5_000, "currency": "usd"})
    named = {"payment_method": "pm_card_visa"}
    with pytest.raises(stripe.CardError) as caught:
        await world.api.payment_intents.confirm_async(intent.id, named)
    assert (caught.value.http_status, caught.value.code) == (402, "card_declined")
    assert (await world.api.payment_intents.confirm_async(intent.id, named)).status == "succeeded"


async def test_cards_are_declined_by_the_dice_of_a_seed(world: World) -> None:
    """https://docs.stripe.com/testing#declined-payments, as often as the seed says."""
    fault = {"kind": "card_declined", "count": None, "probability": 0.5, "seed": 7}
    await world.sim("POST", "/faults", fault)
    declined = [(await _tried(world))["status"] == "open" for _ in range(6)]
    dice = random.Random(7)
    assert declined == [dice.random() < 0.5 for _ in range(6)]


async def test_a_fault_restricts_the_account_that_money_goes_to(world: World) -> None:
    """https://docs.stripe.com/connect/handling-api-verification: it receives no transfers."""
    charge, mentor = await world.paid(AT_ONCE), await world.mentor()
    sent = {"amount": 1_000, "currency": "usd", "destination": mentor.id}
    sent["source_transaction"] = charge.id
    await world.sim("POST", "/faults", {"kind": "account_restricted", "path": "/v1/transfers"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.transfers.create_async(sent)
    assert caught.value.code == "insufficient_capabilities_for_transfer"
    restricted = await world.api.accounts.retrieve_async(mentor.id)
    assert restricted.requirements.past_due == ["individual.verification.document"]
    assert "account.updated" in await world.heard_names("connect")
    await world.sim("POST", f"/accounts/{mentor.id}/complete")
    await world.api.transfers.create_async(sent)
    await world.books()


async def test_a_fault_restricts_the_account_that_asks(world: World) -> None:
    """https://docs.stripe.com/error-codes#payouts-not-allowed: none by call either."""
    charge, mentor = await world.paid(AT_ONCE), await world.mentor()
    sent = {"amount": 1_000, "currency": "usd", "destination": mentor.id}
    await world.api.transfers.create_async({**sent, "source_transaction": charge.id})
    money, options = {"amount": 500, "currency": "usd"}, {"stripe_account": mentor.id}
    await world.sim("POST", "/faults", {"kind": "account_restricted", "path": "/v1/payouts"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.payouts.create_async(money, options)
    assert caught.value.code == "payouts_not_allowed"
    await world.sim("POST", f"/accounts/{mentor.id}/complete")
    assert (await world.api.payouts.create_async(money, options)).status == "pending"


async def test_the_platform_shows_what_it_must_reserve(world: World) -> None:
    """https://docs.stripe.com/connect/account-balances: only a platform has `connect_reserved`."""
    charge, mentor = await world.paid(AT_ONCE), await world.mentor()
    sent = {"amount": 1_000, "currency": "usd", "destination": mentor.id}
    transfer = await world.api.transfers.create_async({**sent, "source_transaction": charge.id})
    options = {"stripe_account": mentor.id}
    await world.api.payouts.create_async({"amount": 400, "currency": "usd"}, options)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.transfers.reversals.create_async(transfer.id)
    assert caught.value.code == "balance_insufficient"
    own = await world.api.balance.retrieve_async()
    assert [(each.amount, each.currency) for each in own.connect_reserved] == [(0, "usd")]
    theirs = await world.api.balance.retrieve_async({}, options)
    assert theirs.available[0].amount == 600
    assert "connect_reserved" not in theirs
