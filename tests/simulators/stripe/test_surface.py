"""Every answer that the simulator can give to a question, against Stripe's published schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import stripe

from simulators.stripe.api import ROUTES
from tests.simulators.stripe.conftest import API_KEY, World, line_item
from tests.simulators.stripe.schema import check

HEADERS = {"Authorization": f"Bearer {API_KEY}"}
AT_ONCE = "4000000000000077"
FAILS_LATER = "4000000000000341"
SEARCHED = "?query=created>0"


async def _sold(world: World) -> dict[str, str]:
    """Make the objects of a sale and what follows it; return their ids by where they are found."""
    charge, mentor = await world.paid(AT_ONCE), await world.mentor()
    session = await world.session()
    customer = await world.api.customers.create_async({"name": "A"})
    sent = {"amount": 5_000, "currency": "usd", "destination": mentor.id}
    transfer = await world.api.transfers.create_async({**sent, "source_transaction": charge.id})
    reversal = await world.api.transfers.reversals.create_async(transfer.id, {"amount": 1_000})
    refund = await world.api.refunds.create_async({"charge": charge.id, "amount": 500})
    payout = await world.api.payouts.create_async({"amount": 100, "currency": "usd"})
    dispute = await world.sim("POST", "/disputes", {"charge": charge.id, "amount": 1_000})
    product = await world.api.products.create_async({"name": "P"})
    priced = {"currency": "usd", "unit_amount": 500, "product": product.id}
    return {
        "accounts": mentor.id,
        "balance_transactions": str(charge.balance_transaction),
        "charges": charge.id,
        "customers": customer.id,
        "disputes": dispute["id"],
        "events": (await world.api.events.list_async()).data[0].id,
        "payment_intents": str(charge.payment_intent),
        "payouts": payout.id,
        "prices": (await world.api.prices.create_async(priced)).id,
        "products": product.id,
        "refunds": refund.id,
        "reversals": reversal.id,
        "sessions": session.id,
        "transfers": transfer.id,
        "webhook_endpoints": "we_platform",
    }


async def _subscribed(world: World) -> dict[str, str]:
    item = line_item()
    monthly = {**item, "price_data": {**item["price_data"], "recurring": {"interval": "month"}}}
    given = {"mode": "subscription", "line_items": [monthly], "success_url": "http://shop.test/"}
    session = await world.api.checkout.sessions.create_async(given)
    await world.sim("POST", f"/checkout/{session.id}/pay")
    session = await world.api.checkout.sessions.retrieve_async(session.id)
    invoice = (await world.api.invoices.list_async()).data[0]
    return {"subscriptions": str(session.subscription), "invoices": invoice.id}


def _filled(path: str, ids: dict[str, str]) -> str:
    steps = path.split("/")
    places = range(1, len(steps))
    return "/".join(
        ["", *(ids[steps[n - 1]] if steps[n].startswith("{") else steps[n] for n in places)]
    )


async def _asked(world: World, method: str, path: str, **given: Any) -> Any:
    async with world.http.request(method, path, headers=HEADERS, **given) as answer:
        body = await answer.json()
        assert answer.status == 200, (method, path, body)
        check(body)
        return body


async def test_every_question_is_answered_in_stripes_shape(world: World) -> None:
    """https://docs.stripe.com/api: each object and each list; a list says where it is found."""
    ids = await _sold(world) | await _subscribed(world)
    for route in (each for each in ROUTES if each.method == "GET"):
        path = _filled(route.path, ids)
        searches = path.endswith("/search")
        body = await _asked(world, "GET", path + SEARCHED if searches else path)
        if body["object"] in ("list", "search_result"):
            assert body["data"], path
            assert body["url"] == path


async def test_every_object_with_metadata_can_be_updated(world: World) -> None:
    """https://docs.stripe.com/api/metadata: the objects that can be updated have this parameter."""
    ids = await _sold(world) | await _subscribed(world)
    for route in ROUTES:
        updates = route.method == "POST" and route.path.endswith("{id}")
        if updates and "metadata" in route.params.model_fields:
            path = _filled(route.path, ids)
            body = await _asked(world, "POST", path, data={"metadata[note]": "seen"})
            assert body["metadata"]["note"] == "seen", path


async def test_the_refunds_of_a_charge_are_turned_over_page_by_page(world: World) -> None:
    """https://docs.stripe.com/api/charges/object#charge_object-refunds: the list within, and on."""
    charge = await world.paid()
    made = [
        (await world.api.refunds.create_async({"charge": charge.id, "amount": 100})).id
        for _ in range(11)
    ]
    charge = await world.api.charges.retrieve_async(charge.id, {"expand": ["refunds"]})
    assert charge.refunds.has_more
    assert [each.id async for each in charge.refunds.auto_paging_iter()] == made[::-1]


async def test_a_payout_that_is_still_pending_is_canceled(world: World) -> None:
    """https://docs.stripe.com/api/payouts/cancel: «You can’t cancel automatic Stripe payouts»."""
    charge, mentor = await world.paid(AT_ONCE), await world.mentor()
    payout = await world.api.payouts.create_async({"amount": 100, "currency": "usd"})
    assert (await world.api.payouts.cancel_async(payout.id)).status == "canceled"
    assert (await world.api.balance.retrieve_async()).available[0].amount == 11_622
    sent = {"amount": 5_000, "currency": "usd", "destination": mentor.id}
    await world.api.transfers.create_async({**sent, "source_transaction": charge.id})
    await world.advance(hours=14.6)
    options = {"stripe_account": mentor.id}
    (automatic,) = (await world.api.payouts.list_async({}, options)).data
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        await world.api.payouts.cancel_async(automatic.id, {}, options)
    await world.books()


async def test_an_open_invoice_is_paid_by_call(world: World) -> None:
    """https://docs.stripe.com/api/invoices/pay: without waiting for the next try."""
    subscription = (await _subscribed(world))["subscriptions"]
    await world.sim("POST", f"/subscriptions/{subscription}/card", {"card": FAILS_LATER})
    held = await world.api.subscriptions.retrieve_async(subscription)
    world.clock.instant = datetime.fromtimestamp(held["items"].data[0].current_period_end, UTC)
    await world.advance(hours=1)
    (invoice,) = (await world.api.invoices.list_async({"status": "open"})).data
    await world.sim("POST", f"/subscriptions/{subscription}/card", {"card": "4242424242424242"})
    assert (await world.api.invoices.pay_async(invoice.id)).status == "paid"
    await world.books()


async def test_refusals_name_what_is_wrong(world: World) -> None:
    """https://docs.stripe.com/error-codes: code, parameter, and where to read on."""
    refused = {
        "limit=0": ("limit", "parameter_invalid_integer"),
        "starting_after=cus_a&ending_before=cus_b": (None, "parameters_exclusive"),
        "created[foo]=1": ("created[foo]", "parameter_unknown"),
        "created=soon": ("created", "parameter_invalid_integer"),
        "expand=data": ("expand", None),
    }
    for query, (param, code) in refused.items():
        async with world.http.get(f"/v1/customers?{query}", headers=HEADERS) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error.get("param"), error.get("code")) == (400, param, code)
            if code:
                assert error["doc_url"].endswith(code.replace("_", "-"))
    headers = {"Authorization": "Bearer sk_live_secret"}
    async with aiohttp.ClientSession(world.url, headers=headers) as http:
        answer = await http.get("/v1/customers")
        assert "secret" not in (await answer.json())["error"]["message"]
