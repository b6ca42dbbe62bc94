"""Checkout Sessions and the hosted page, as https://docs.stripe.com/payments/checkout describes."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World, line_item

PAGE_FIELDS = {
    "email": "ada@example.test",
    "card": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Ada Payer",
}


async def _post(world: World, url: str, fields: dict[str, str]) -> tuple[int, str, str]:
    async with world.http.post(url, data=fields, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def test_a_session_opens_without_a_payment_intent(world: World) -> None:
    """https://docs.stripe.com/changelog (2022-08-01): the intent is made on confirmation."""
    session = await world.session(line_items=[line_item(5_000, quantity=2), line_item(2_000)])
    assert session.status == "open"
    assert session.payment_status == "unpaid"
    assert session.payment_intent is None
    assert session.amount_total == 12_000
    assert session.expires_at - session.created == 24 * 3600
    items = await world.api.checkout.sessions.line_items.list_async(session.id)
    assert [item.amount_total for item in items.data] == [10_000, 2_000]


async def test_paying_on_the_page_leads_to_the_success_url(world: World) -> None:
    """https://docs.stripe.com/payments/checkout/custom-success-page."""
    session = await world.session()
    async with world.http.get(session.url) as page:
        text = await page.text()
    for field in PAGE_FIELDS:
        assert f'<label for="{field}"' in text
    status, location, _ = await _post(world, session.url, PAGE_FIELDS)
    assert (status, location) == (303, f"http://shop.test/done?session={session.id}")
    expand = {"expand": ["payment_intent.latest_charge.balance_transaction", "line_items"]}
    done = await world.api.checkout.sessions.retrieve_async(session.id, expand)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.customer_details.email == "ada@example.test"
    intent = done.payment_intent
    assert (intent.status, intent.transfer_group) == ("succeeded", "g1")
    assert intent.metadata.to_dict() == {"order_id": "order-1"}
    assert intent.latest_charge.balance_transaction.fee == 378
    assert await world.heard_names() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


@pytest.mark.parametrize(
    ("card", "decline", "words"),
    [
        ("4000000000000002", "generic_decline", "Your card was declined."),
        ("4000000000009995", "insufficient_funds", "Your card has insufficient funds."),
    ],
)
async def test_a_declined_card_can_be_tried_again(
    world: World, card: str, decline: str, words: str
) -> None:
    """https://docs.stripe.com/testing#declined-payments."""
    session = await world.session()
    status, _, text = await _post(world, session.url, {**PAGE_FIELDS, "card": card})
    assert status == 402
    assert words in text
    open_session = await world.api.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent"]}
    )
    assert open_session.status == "open"
    assert open_session.payment_intent.last_payment_error.decline_code == decline
    assert (await _post(world, session.url, PAGE_FIELDS))[0] == 303
    names = await world.heard_names()
    assert names.count("payment_intent.created") == 1
    assert "charge.failed" in names
    assert "payment_intent.payment_failed" in names
    charges = await world.api.charges.list_async({"payment_intent": open_session.payment_intent.id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("email", "nobody", "email is incomplete"),
        ("card", "4242424242424241", "card number is invalid"),
        ("expiry", "13 / 34", "expiration date is incomplete"),
        ("expiry", "02 / 26", "expiration date is in the past"),
        ("cvc", "1", "security code is incomplete"),
        ("name", "", "name on the card"),
    ],
)
async def test_the_page_says_what_is_wrong(
    world: World, field: str, value: str, words: str
) -> None:
    """https://docs.stripe.com/testing#invalid-data: nothing is sent, the form stays."""
    session = await world.session()
    status, _, text = await _post(world, session.url, {**PAGE_FIELDS, field: value})
    assert status == 422
    assert words in text
    assert await world.heard_names() == []


@pytest.mark.parametrize("card", ["4000002760003184", "4000002500003155"])
async def test_a_challenge_can_be_passed(world: World, card: str) -> None:
    """https://docs.stripe.com/testing#regulatory-cards."""
    session = await world.session()
    status, location, _ = await _post(world, session.url, {**PAGE_FIELDS, "card": card})
    assert (status, location) == (303, f"/c/authenticate/{session.id}")
    waiting = await world.api.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent"]}
    )
    assert waiting.payment_intent.status == "requires_action"
    status, location, _ = await _post(world, location, {"answer": "complete"})
    assert location == f"http://shop.test/done?session={session.id}"
    assert "payment_intent.requires_action" in await world.heard_names()


async def test_a_failed_challenge_leaves_the_session_open(world: World) -> None:
    """https://docs.stripe.com/payments/3d-secure."""
    session = await world.session()
    await _post(world, session.url, {**PAGE_FIELDS, "card": "4000002760003184"})
    _, location, _ = await _post(world, f"/c/authenticate/{session.id}", {"answer": "fail"})
    assert location == f"/c/pay/{session.id}"
    async with world.http.get(location) as page:
        assert "unable to authenticate" in await page.text()
    assert (await _post(world, session.url, PAGE_FIELDS))[0] == 303


async def test_a_session_expires_by_itself_on_the_business_clock(world: World) -> None:
    """https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-expires_at."""
    expires_at = int(world.clock.now().timestamp()) + 1800
    session = await world.session(expires_at=expires_at)
    await world.advance(seconds=1799)
    assert (await world.api.checkout.sessions.retrieve_async(session.id)).status == "open"
    await world.advance(seconds=1)
    expired = await world.api.checkout.sessions.retrieve_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert await world.heard_names() == ["checkout.session.expired"]


@pytest.mark.parametrize(("seconds", "fits"), [(1799, False), (1800, True), (86_400, True),
                                               (86_401, False)])  # fmt: skip
async def test_a_session_lives_between_30_minutes_and_24_hours(
    world: World, seconds: int, fits: bool
) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at."""
    expires_at = int(world.clock.now().timestamp()) + seconds
    if fits:
        assert (await world.session(expires_at=expires_at)).expires_at == expires_at
    else:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await world.session(expires_at=expires_at)
        assert caught.value.param == "expires_at"


async def test_only_an_open_session_can_be_expired(world: World) -> None:
    """https://docs.stripe.com/api/checkout/sessions/expire."""
    session = await world.session()
    await world.sim("POST", f"/checkout/{session.id}/pay")
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `complete`"):
        await world.api.checkout.sessions.expire_async(session.id)
    other = await world.session()
    expired = await world.api.checkout.sessions.expire_async(other.id)
    assert expired.status == "expired"
    status, _, text = await _post(world, f"/c/pay/{other.id}", PAGE_FIELDS)
    assert status == 200
    assert "expired" in text


async def test_expiring_during_a_challenge_takes_no_money(world: World) -> None:
    """https://docs.stripe.com/api/checkout/sessions/expire: nobody can pay afterwards."""
    session = await world.session()
    await _post(world, session.url, {**PAGE_FIELDS, "card": "4000002760003184"})
    await world.api.checkout.sessions.expire_async(session.id)
    _, location, text = await _post(world, f"/c/authenticate/{session.id}", {"answer": "complete"})
    assert not location
    assert "expired" in text
    intents = await world.api.payment_intents.list_async()
    assert [intent.status for intent in intents.data] == ["canceled"]
    assert (await world.books())["movements"] == []


async def test_a_customer_is_known_to_the_page(world: World) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-customer."""
    customer = await world.api.customers.create_async(
        {"email": "ada@example.test", "name": "Ada", "metadata": {"person_id": "p1"}}
    )
    session = await world.session(customer=customer.id, client_reference_id="order-1")
    async with world.http.get(session.url) as page:
        assert "ada@example.test" in await page.text()
    await world.sim("POST", f"/checkout/{session.id}/pay")
    found = await world.api.checkout.sessions.list_async({"customer": customer.id})
    assert [each.id for each in found.data] == [session.id]
    with pytest.raises(stripe.InvalidRequestError, match="only specify one of these"):
        await world.session(customer=customer.id, customer_email="ada@example.test")


async def test_a_payment_intent_of_a_session_is_not_canceled_directly(world: World) -> None:
    """https://docs.stripe.com/api/payment_intents/cancel: expire the session instead."""
    charge = await world.paid()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.payment_intents.cancel_async(charge.payment_intent)
    assert caught.value.code == "payment_intent_unexpected_state"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"colour": "red"}, "parameter_unknown", "colour"),
    ({"line_items": [line_item(49)]}, "amount_too_small", ""),
    ({"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price_data]"),
    ({"line_items": [{**line_item(), "quantity": "x"}]}, "parameter_invalid_integer",
     "line_items[0][quantity]"),
    ({"customer": "cus_unknown"}, "resource_missing", "customer"),
    ({"success_url": ""}, "parameter_invalid_empty", "success_url"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "param"), BAD)
async def test_bad_parameters_are_named(
    world: World, change: dict[str, Any], code: str, param: str
) -> None:
    """https://docs.stripe.com/error-codes."""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.session(**change)
    assert caught.value.http_status == 400
    assert caught.value.code == code
    assert (caught.value.param or "") == param
