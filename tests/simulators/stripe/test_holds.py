"""Payment intents by API: held, captured, released, declined, challenged; and objects by search."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World


async def _intent(world: World, method: str = "pm_card_visa", **given: Any) -> Any:
    """Make and confirm an intent of 120 dollars that is only held."""
    wanted = {"amount": 12_000, "currency": "usd", "capture_method": "manual", "confirm": True}
    return await world.api.payment_intents.create_async(
        {**wanted, "payment_method": method, **given}
    )


async def _pending(world: World) -> int:
    return (await world.api.balance.retrieve_async()).pending[0].amount


async def test_money_that_is_held_is_nobodys_until_it_is_captured(world: World) -> None:
    """https://docs.stripe.com/payments/place-a-hold-on-a-payment-method."""
    intent = await _intent(world, metadata={"order_id": "o"})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == (
        "requires_capture",
        12_000,
        0,
    )
    charge = await world.api.charges.retrieve_async(intent.latest_charge)
    assert (charge.captured, charge.amount_captured, charge.balance_transaction) == (False, 0, None)
    assert await _pending(world) == 0
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.refunds.create_async({"charge": charge.id})
    captured = await world.api.payment_intents.capture_async(intent.id)
    assert (captured.status, captured.amount_received) == ("succeeded", 12_000)
    assert await _pending(world) == 11_622
    names = await world.heard_names()
    assert names.index("payment_intent.amount_capturable_updated") < names.index("charge.captured")
    assert names[-1] == "payment_intent.succeeded"
    await world.books()


async def test_a_partial_capture_releases_the_rest(world: World) -> None:
    """https://docs.stripe.com/payments/place-a-hold-on-a-payment-method#capture-funds."""
    intent, mentor = await _intent(world), await world.mentor()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.payment_intents.capture_async(intent.id, {"amount_to_capture": 12_001})
    assert caught.value.code == "amount_too_large"
    await world.api.payment_intents.capture_async(intent.id, {"amount_to_capture": 5_000})
    charge = await world.api.charges.retrieve_async(
        intent.latest_charge, {"expand": ["balance_transaction"]}
    )
    assert (charge.amount_captured, charge.balance_transaction.amount) == (5_000, 5_000)
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.refunds.create_async({"charge": charge.id, "amount": 5_001})
    sent = {"currency": "usd", "destination": mentor.id, "source_transaction": charge.id}
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.transfers.create_async({**sent, "amount": 5_001})
    await world.api.transfers.create_async({**sent, "amount": 5_000})
    await world.api.refunds.create_async({"charge": charge.id, "amount": 5_000})
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.payment_intents.capture_async(intent.id)
    await world.books()


async def test_a_hold_can_be_canceled_and_ends_after_seven_days(world: World) -> None:
    """https://docs.stripe.com/payments/place-a-hold-on-a-payment-method#cancel."""
    first, second = await _intent(world), await _intent(world)
    reason = {"cancellation_reason": "requested_by_customer"}
    canceled = await world.api.payment_intents.cancel_async(first.id, reason)
    assert (canceled.status, canceled.amount_capturable) == ("canceled", 0)
    await world.advance(days=6.9)
    assert (await world.api.payment_intents.retrieve_async(second.id)).status == "requires_capture"
    await world.advance(days=0.2)
    second = await world.api.payment_intents.retrieve_async(second.id)
    assert (second.status, second.cancellation_reason) == ("canceled", "automatic")
    assert (await world.heard_names()).count("charge.expired") == 1
    assert await _pending(world) == 0
    await world.books()


async def test_a_declined_card_is_an_error_that_leaves_its_charge(world: World) -> None:
    """https://docs.stripe.com/declines, https://docs.stripe.com/api/errors: 402 with the intent."""
    with pytest.raises(stripe.CardError) as caught:
        await _intent(world, "pm_card_visa_chargeDeclinedInsufficientFunds")
    assert caught.value.code == "card_declined"
    assert caught.value.http_status == 402
    (intent,) = (await world.api.payment_intents.list_async()).data
    assert (intent.status, intent.last_payment_error.decline_code) == (
        "requires_payment_method",
        "insufficient_funds",
    )
    paid = await world.api.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert paid.status == "requires_capture"
    charges = (await world.api.charges.list_async({"payment_intent": intent.id})).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]


@pytest.mark.parametrize(("answer", "status"), [("complete", "succeeded"),
                                                ("fail", "requires_payment_method")])  # fmt: skip
async def test_a_bank_asks_the_payer_first(world: World, answer: str, status: str) -> None:
    """https://docs.stripe.com/payments/3d-secure/authentication-flow."""
    asked = await _intent(world, "pm_card_authenticationRequired", capture_method="automatic")
    assert asked.status == "requires_action"
    url = asked.next_action.redirect_to_url.url
    async with world.http.get(url) as page:
        assert "120.00 USD" in await page.text()
    async with world.http.post(url, data={"answer": answer}) as page:
        assert page.status == 200
    assert (await world.api.payment_intents.retrieve_async(asked.id)).status == status


async def test_a_page_can_hold_money_too(world: World) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create: capture_method is the intent's."""
    session = await world.session(payment_intent_data={"capture_method": "manual"})
    paid = await world.sim("POST", f"/checkout/{session.id}/pay", {})
    assert (paid["status"], paid["payment_status"]) == ("complete", "unpaid")
    await world.api.payment_intents.capture_async(paid["payment_intent"])
    session = await world.api.checkout.sessions.retrieve_async(session.id)
    assert session.payment_status == "paid"
    await world.books()


async def test_an_intent_without_a_card_waits(world: World) -> None:
    """https://docs.stripe.com/payments/paymentintents/lifecycle."""
    given = {"amount": 500, "currency": "usd"}
    intent = await world.api.payment_intents.create_async(given)
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.payment_intents.confirm_async(intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    named = await world.api.payment_intents.create_async(
        {**given, "payment_method": "pm_card_amex"}
    )
    assert named.status == "requires_confirmation"
    assert (await world.api.payment_intents.confirm_async(named.id)).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.payment_intents.cancel_async(named.id)
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.payment_intents.create_async({**given, "amount": 49})


async def test_objects_are_found_by_what_they_say(world: World) -> None:
    """https://docs.stripe.com/search#search-query-language."""
    first = await _intent(world, metadata={"order_id": "o1"}, capture_method="automatic")
    second = await _intent(world, metadata={"order_id": "o2"}, amount=5_000)

    async def found(query: str) -> list[str]:
        answer = await world.api.payment_intents.search_async({"query": query})
        return [each.id for each in answer.data]

    assert await found('metadata["order_id"]:"o1"') == [first.id]
    assert await found('amount>5000 AND status:"succeeded"') == [first.id]
    assert await found('status:"requires_capture" OR amount>=12000') == [second.id, first.id]
    assert await found('-metadata["order_id"]:"o1"') == [second.id]
    assert await found('metadata["order_id"]:null') == []
    charges = await world.api.charges.search_async({"query": 'currency:"usd"', "limit": 1})
    assert (len(charges.data), charges.has_more) == (1, True)
    rest = await world.api.charges.search_async(
        {"query": 'currency:"usd"', "limit": 1, "page": charges.next_page}
    )
    assert rest.data[0].id != charges.data[0].id
    for wrong in ("nonsense", 'colour:"red"', 'amount>1 AND amount<9 OR status:"x"'):
        with pytest.raises(stripe.InvalidRequestError):
            await found(wrong)


@pytest.mark.parametrize(
    ("number", "code"), [("000111111113", "account_closed"), ("000222222227", "insufficient_funds")]
)
async def test_some_bank_accounts_send_payouts_back(world: World, number: str, code: str) -> None:
    """https://docs.stripe.com/connect/testing#account-numbers."""
    charge, mentor = await world.paid(), await world.mentor()
    await world.sim("POST", f"/accounts/{mentor.id}/complete", {"account_number": number})
    sent = {"amount": 10_000, "currency": "usd", "destination": mentor.id}
    await world.api.transfers.create_async({**sent, "source_transaction": charge.id})
    await world.advance(days=5)
    options = {"stripe_account": mentor.id}
    (payout,) = (await world.api.payouts.list_async({}, options)).data
    assert (payout.status, payout.failure_code) == ("failed", code)
    account = await world.api.accounts.retrieve_async(mentor.id)
    assert account.external_accounts.data[0].last4 == number[-4:]
    await world.sim("POST", f"/accounts/{mentor.id}/complete")
    await world.advance(days=3)
    assert [each.status for each in (await world.api.payouts.list_async({}, options)).data] == [
        "paid",
        "failed",
    ]
    await world.books()
