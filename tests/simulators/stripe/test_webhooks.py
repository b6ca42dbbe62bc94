"""Events on their way: signed, retried, doubled, held back, turned around, and never lost."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import stripe

from simulators.stripe.webhooks import signature
from tests.simulators.stripe.conftest import PLATFORM_SECRET, World, eventually
from tests.simulators.stripe.schema import check

STRANGER = "whsec_stranger"


async def _customers(world: World, count: int) -> list[str]:
    for number in range(count):
        await world.api.customers.create_async({"name": str(number)})
    return [event.id for event in (await world.api.events.list_async({"limit": 100})).data][::-1]


async def _undelivered(world: World) -> int:
    return int((await world.sim("GET", "/rest"))["undelivered_webhooks"])


async def test_events_are_signed_with_every_secret_and_system_time(world: World) -> None:
    """https://docs.stripe.com/webhooks#verify-manually; two secrets while one is rolled."""
    world.clock.instant = world.clock.instant.replace(year=2031)
    await _customers(world, 1)
    await world.at_rest()
    heard = world.heard[0]
    parts = heard.signature.split(",")
    assert [part.split("=")[0] for part in parts] == ["t", "v1", "v1"]
    assert abs(int(parts[0].removeprefix("t=")) - time.time()) < 60
    for secret in ("whsec_old", PLATFORM_SECRET):
        stripe.Webhook.construct_event(heard.raw, heard.signature, secret)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(heard.raw, heard.signature, STRANGER)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(heard.raw + " ", heard.signature, PLATFORM_SECRET)


def test_an_old_signature_is_refused() -> None:
    """https://docs.stripe.com/webhooks#replay-attacks: five minutes of tolerance."""
    payload = '{"id": "evt_1", "object": "event"}'
    old = signature(payload, [PLATFORM_SECRET], int(time.time()) - 301)
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.Webhook.construct_event(payload, old, PLATFORM_SECRET)


async def test_an_event_tells_which_request_caused_it(world: World) -> None:
    """https://docs.stripe.com/api/events/object#event_object-request."""
    customer = await world.api.customers.create_async({"name": "A"}, {"idempotency_key": "key-7"})
    event = (await world.api.events.list_async()).data[0]
    assert event.request.idempotency_key == "key-7"
    assert event.request.id == customer.last_response.request_id
    assert event.data.object.id == customer.id


async def test_updates_name_the_old_values(world: World) -> None:
    """https://docs.stripe.com/api/events/object#event_object-data-previous_attributes."""
    customer = await world.api.customers.create_async({"name": "Old"})
    await world.api.customers.update_async(customer.id, {"name": "New"})
    event = (await world.api.events.list_async({"type": "customer.updated"})).data[0]
    assert event.data.previous_attributes.to_dict() == {"name": "Old"}


async def test_a_refused_event_comes_again(world: World) -> None:
    """https://docs.stripe.com/webhooks#automatic-retries."""
    world.refusals = 2
    made = await _customers(world, 1)
    event = await world.api.events.retrieve_async(made[0])
    assert event.pending_webhooks == 1
    assert len((await world.api.events.list_async({"delivery_success": False})).data) == 1
    await world.at_rest()
    assert [each.event.id for each in world.heard] == made
    assert (await world.api.events.retrieve_async(made[0])).pending_webhooks == 0
    assert len((await world.api.events.list_async({"delivery_success": True})).data) == 1


async def test_held_events_burst_out_doubled_and_backwards(world: World) -> None:
    """https://docs.stripe.com/webhooks#event-ordering: neither order nor uniqueness is promised."""
    await world.sim("POST", "/webhooks", {"mode": "hold"})
    made = await _customers(world, 5)
    assert (await world.sim("GET", "/rest"))["resting"]
    assert world.heard == []
    await world.sim("POST", "/webhooks", {"mode": "normal"})
    released = await world.sim("POST", "/webhooks/release", {"copies": 2, "backwards": True})
    assert released == {"released": 10}
    await world.at_rest()
    assert Counter(each.event.id for each in world.heard) == dict.fromkeys(made, 2)


async def test_dropped_events_are_only_in_the_list(world: World) -> None:
    """https://docs.stripe.com/webhooks/process-undelivered-events."""
    await world.sim("POST", "/webhooks", {"mode": "drop"})
    made = await _customers(world, 3)
    await world.sim("POST", "/webhooks", {"mode": "normal"})
    later = (await _customers(world, 1))[-1]
    await world.at_rest()
    assert [each.event.id for each in world.heard] == [later]
    missed = await world.api.events.list_async({"delivery_success": False, "limit": 2})
    assert [each.id for each in missed.data] == made[:0:-1]
    assert missed.has_more


async def test_events_are_doubled_or_turned_around_on_request(world: World) -> None:
    """https://docs.stripe.com/webhooks#handle-duplicate-events."""
    await world.sim("POST", "/webhooks", {"mode": "duplicate"})
    made = await _customers(world, 2)
    await world.at_rest()
    assert Counter(each.event.id for each in world.heard) == dict.fromkeys(made, 2)
    world.heard.clear()
    await world.sim("POST", "/webhooks", {"mode": "reverse"})
    turned = (await _customers(world, 4))[-4:]
    await world.at_rest()
    assert [each.event.id for each in world.heard] == turned[::-1]


async def test_one_event_can_be_sent_again(world: World) -> None:
    """https://docs.stripe.com/webhooks#resend-events."""
    made = await _customers(world, 1)
    await world.at_rest()
    await world.sim("POST", "/webhooks/resend", {"event": made[0], "copies": 2})
    await world.at_rest()
    assert [each.event.id for each in world.heard] == made * 3


async def test_events_can_be_late(world: World) -> None:
    """https://docs.stripe.com/webhooks: delivery is not at once."""
    await world.sim("POST", "/webhooks", {"mode": "normal", "delay_seconds": 0.3})
    await _customers(world, 1)
    assert await _undelivered(world) == 1
    assert world.heard == []

    async def arrived() -> bool:
        return len(world.heard) == 1

    await eventually(arrived)


async def test_events_are_found_by_type(world: World) -> None:
    """https://docs.stripe.com/api/events/list."""
    await world.paid()
    found = await world.api.events.list_async({"type": "charge.succeeded"})
    assert [each.type for each in found.data] == ["charge.succeeded"]
    found = await world.api.events.list_async({"type": "payment_intent.*"})
    assert {each.type for each in found.data} == {
        "payment_intent.created",
        "payment_intent.succeeded",
    }
    names = ["charge.succeeded", "checkout.session.completed"]
    found = await world.api.events.list_async({"types": names})
    assert {each.type for each in found.data} == set(names)


async def test_endpoints_can_be_made_by_call(world: World) -> None:
    """https://docs.stripe.com/api/webhook_endpoints/create."""
    made = await world.api.webhook_endpoints.create_async(
        {"url": "http://127.0.0.1:9/none", "enabled_events": ["charge.refunded"], "connect": False}
    )
    assert made.secret.startswith("whsec_")
    again = await world.api.webhook_endpoints.retrieve_async(made.id)
    assert "secret" not in again.to_dict()
    await _customers(world, 1)
    await world.at_rest()
    gone = await world.api.webhook_endpoints.delete_async(made.id)
    check(gone.to_dict())
    assert len((await world.api.webhook_endpoints.list_async()).data) == 2
