"""Subscriptions and their invoices, as https://docs.stripe.com/billing/subscriptions describes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World, line_item

FAILING_CARD = "4000000000000341"
DUNNING_DAYS = (3, 5, 7)


def _monthly(amount: int = 20_000) -> dict[str, Any]:
    item = line_item(amount)
    return {**item, "price_data": {**item["price_data"], "recurring": {"interval": "month"}}}


async def _page(world: World, **changes: Any) -> Any:
    given = {
        "mode": "subscription",
        "line_items": [_monthly()],
        "payment_intent_data": None,
        "subscription_data": {"metadata": {"plan": "four"}},
    }
    given = {name: value for name, value in {**given, **changes}.items() if value is not None}
    common: dict[str, Any] = {
        "success_url": "http://shop.test/done",
        "metadata": {"subscription_id": "s1"},
    }
    return await world.api.checkout.sessions.create_async({**common, **given})


async def _subscribed(world: World, **changes: Any) -> Any:
    page = await _page(world, **changes)
    paid = await world.sim("POST", f"/checkout/{page.id}/pay", {"card": "4242424242424242"})
    assert paid["status"] == "complete", paid
    page = await world.api.checkout.sessions.retrieve_async(page.id)
    return await world.api.subscriptions.retrieve_async(page.subscription)


async def _again(world: World, subscription: Any) -> Any:
    return await world.api.subscriptions.retrieve_async(subscription.id)


async def _invoices(world: World, subscription: Any) -> list[Any]:
    given = {"subscription": subscription.id, "expand": ["data.payments"]}
    return (await world.api.invoices.list_async(given)).data


async def _to_renewal(world: World, subscription: Any) -> None:
    """Let the period end, and the draft of the next one become final."""
    end = (await _again(world, subscription))["items"].data[0].current_period_end
    world.clock.instant = datetime.fromtimestamp(end, UTC)
    await world.sim("GET", "/due")
    await world.advance(hours=1)


async def test_a_subscription_begins_when_its_page_is_paid(world: World) -> None:
    """https://docs.stripe.com/payments/checkout/subscriptions: the first invoice is paid then."""
    page = await _page(world)
    assert (page.subscription, page.payment_intent, page.amount_total) == (None, None, 20_000)
    subscription = await _subscribed(world)
    item = subscription["items"].data[0]
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"plan": "four"})
    assert item.price.recurring.interval == "month"
    assert datetime.fromtimestamp(item.current_period_end, UTC) == datetime(
        2026, 4, 2, 9, 30, tzinfo=UTC
    )
    (invoice,) = await _invoices(world, subscription)
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_create")
    assert invoice.parent.subscription_details.metadata.to_dict() == {"plan": "four"}
    intent = await world.api.payment_intents.retrieve_async(
        invoice.payments.data[0].payment.payment_intent,
        {"expand": ["latest_charge.balance_transaction"]},
    )
    assert intent.latest_charge.balance_transaction.fee == 610
    names = await world.heard_names()
    assert {"customer.subscription.created", "invoice.paid", "checkout.session.completed"} <= set(
        names
    )
    await world.books()


async def test_renewals_keep_the_day_of_the_month(world: World) -> None:
    """https://docs.stripe.com/billing/subscriptions/billing-cycle: the anchor decides the day."""
    world.clock.instant = datetime(2026, 1, 31, 12, tzinfo=UTC)
    subscription = await _subscribed(world)
    days: list[str] = []
    for _ in range(4):
        await _to_renewal(world, subscription)
        item = (await _again(world, subscription))["items"].data[0]
        days.append(datetime.fromtimestamp(item.current_period_start, UTC).strftime("%m-%d"))
    assert days == ["02-28", "03-31", "04-30", "05-31"]
    found = await _invoices(world, subscription)
    assert [invoice.status for invoice in found] == ["paid"] * 5
    assert len({invoice.number for invoice in found}) == 5
    await world.books()


async def test_a_renewal_is_a_draft_for_an_hour(world: World) -> None:
    """https://docs.stripe.com/billing/subscriptions/webhooks: invoice.created, then finalized."""
    subscription = await _subscribed(world)
    end = subscription["items"].data[0].current_period_end
    world.clock.instant = datetime.fromtimestamp(end, UTC)
    await world.sim("GET", "/due")
    draft = (await _invoices(world, subscription))[0]
    assert (draft.status, draft.billing_reason) == ("draft", "subscription_cycle")
    assert (draft.period_end, draft.lines.data[0].period.start) == (end, end)
    await world.advance(hours=1)
    assert (await _invoices(world, subscription))[0].status == "paid"


async def test_a_failing_card_is_tried_again_and_ends_the_subscription(world: World) -> None:
    """https://docs.stripe.com/billing/revenue-recovery/smart-retries."""
    subscription = await _subscribed(world)
    await world.sim("POST", f"/subscriptions/{subscription.id}/card", {"card": FAILING_CARD})
    await _to_renewal(world, subscription)
    for attempt, days in enumerate(DUNNING_DAYS, 1):
        invoice = (await _invoices(world, subscription))[0]
        assert (invoice.status, invoice.attempt_count) == ("open", attempt)
        assert (await _again(world, subscription)).status == "past_due"
        await world.advance(days=days)
    ended = await _again(world, subscription)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    names = await world.heard_names()
    assert names.count("invoice.payment_failed") == 4
    assert names[-1] == "customer.subscription.deleted"
    await world.books()


async def test_an_open_invoice_can_be_paid_on_its_page(world: World) -> None:
    """https://docs.stripe.com/invoicing/hosted-invoice-page; the card is kept if so wished."""
    subscription = await _subscribed(world)
    settings = {"payment_settings": {"save_default_payment_method": "on_subscription"}}
    await world.api.subscriptions.update_async(subscription.id, settings)
    await world.sim("POST", f"/subscriptions/{subscription.id}/card", {"card": FAILING_CARD})
    await _to_renewal(world, subscription)
    invoice = (await _invoices(world, subscription))[0]
    fields = {"email": "a@b.test", "card": FAILING_CARD, "expiry": "12 / 34", "cvc": "123",
              "name": "Ada"}  # fmt: skip
    async with world.http.post(invoice.hosted_invoice_url, data=fields) as answer:
        assert answer.status == 402
        assert "declined" in await answer.text()
    good = {**fields, "card": "4242424242424242"}
    async with world.http.post(invoice.hosted_invoice_url, data=good) as answer:
        assert "This invoice is paid." in await answer.text()
    assert (await _again(world, subscription)).status == "active"
    await _to_renewal(world, subscription)
    assert [each.status for each in await _invoices(world, subscription)] == ["paid"] * 3


async def test_a_paused_subscription_voids_its_invoices(world: World) -> None:
    """https://docs.stripe.com/billing/subscriptions/pause-payment: behavior void."""
    subscription = await _subscribed(world)
    paused = await world.api.subscriptions.update_async(
        subscription.id, {"pause_collection": {"behavior": "void"}}
    )
    assert (paused.status, paused.pause_collection.behavior) == ("active", "void")
    await _to_renewal(world, subscription)
    assert [each.status for each in await _invoices(world, subscription)] == ["void", "paid"]
    resumed = await world.api.subscriptions.update_async(subscription.id, {"pause_collection": ""})
    assert resumed.pause_collection is None
    await _to_renewal(world, subscription)
    states = [each.status for each in await _invoices(world, subscription)]
    assert states == ["paid", "void", "paid"]


async def test_a_subscription_ends_with_its_period_or_at_once(world: World) -> None:
    """https://docs.stripe.com/billing/subscriptions/cancel."""
    first, second = await _subscribed(world), await _subscribed(world)
    ending = await world.api.subscriptions.update_async(first.id, {"cancel_at_period_end": True})
    assert ending.cancel_at == ending["items"].data[0].current_period_end
    ended = await world.api.subscriptions.cancel_async(second.id)
    assert (ended.status, ended.ended_at) == ("canceled", ended.canceled_at)
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        await world.api.subscriptions.cancel_async(second.id)
    await _to_renewal(world, first)
    assert (await _again(world, first)).status == "canceled"
    assert len(await _invoices(world, first)) == 1


async def test_another_price_can_begin_now_or_with_the_next_period(world: World) -> None:
    """https://docs.stripe.com/billing/subscriptions/change-price, without proration by time."""
    subscription = await _subscribed(world)
    item = subscription["items"].data[0]
    price = {"currency": "usd", "product": item.price.product, "unit_amount": 30_000,
             "recurring": {"interval": "month"}}  # fmt: skip
    change: dict[str, Any] = {
        "items": [{"id": item.id, "price_data": price}],
        "proration_behavior": "none",
    }
    await world.api.subscriptions.update_async(subscription.id, change)
    assert len(await _invoices(world, subscription)) == 1
    await world.advance(days=10)
    now = {"billing_cycle_anchor": "now", "metadata": {"plan": "six"}}
    changed = await world.api.subscriptions.update_async(subscription.id, {**change, **now})
    moment = int(world.clock.now().timestamp())
    assert changed["items"].data[0].current_period_start == moment
    newest = (await _invoices(world, subscription))[0]
    assert (newest.amount_paid, newest.billing_reason) == (30_000, "subscription_update")
    assert newest.parent.subscription_details.metadata.to_dict() == {"plan": "six"}
    await _to_renewal(world, subscription)
    assert (await _invoices(world, subscription))[0].amount_paid == 30_000


@pytest.mark.parametrize("card", [FAILING_CARD, "4000000000000002"])
async def test_a_page_whose_card_fails_begins_nothing(world: World, card: str) -> None:
    """https://docs.stripe.com/testing#declined-payments: 0341 fails whenever it is charged."""
    page = await _page(world)
    tried = await world.sim("POST", f"/checkout/{page.id}/pay", {"card": card})
    assert tried["status"] == "open"
    assert (await world.api.subscriptions.list_async()).data == []
    paid = await world.sim("POST", f"/checkout/{page.id}/pay", {"card": "4000002500003155"})
    assert paid["status"] == "complete"
    assert len((await world.api.subscriptions.list_async()).data) == 1


async def test_products_and_prices_are_kept(world: World) -> None:
    """https://docs.stripe.com/api/prices: a price is put aside, never changed."""
    product = await world.api.products.create_async({"name": "Mentorship"})
    price = await world.api.prices.create_async(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 9_900,
            "recurring": {"interval": "month"},
        }
    )
    assert (price.type, price.active) == ("recurring", True)
    await world.api.prices.update_async(price.id, {"active": False})
    await world.api.products.update_async(product.id, {"name": "Mentoring"})
    listed = await world.api.prices.list_async({"product": product.id, "active": False})
    assert [each.id for each in listed.data] == [price.id]
    assert (await world.api.products.retrieve_async(product.id)).name == "Mentoring"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"line_items": [line_item()]}, "line_items[0][price_data][recurring]"),
        ({"payment_intent_data": {"transfer_group": "g"}}, "payment_intent_data"),
        ({"customer_creation": "always"}, "customer_creation"),
    ],
)
async def test_what_only_a_payment_takes_is_refused(
    world: World, change: dict[str, Any], param: str
) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-mode."""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await _page(world, **change)
    assert caught.value.param == param
