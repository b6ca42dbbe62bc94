"""Stripe promises no order of events: whatever comes first, and however often, ends the same."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import permutations
from random import Random
from typing import Any

from services.payments.gateway.webhooks import SignatureInvalid, verify_webhook
from shared.clock import system_now, to_epoch_seconds
from shared.contracts import payments as facts
from simulators.stripe.webhooks import signature
from tests.payments.conftest import Bought, World
from tests.payments.test_webhooks import event, post

OF_PAYMENT = (
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
)
POSTED = """
SELECT e.kind, l.account, l.amount_minor FROM ledger_lines AS l
JOIN ledger_entries AS e ON e.entry_id = l.entry_id WHERE l.order_id = $1
ORDER BY e.kind, l.account, l.amount_minor
"""


def accepted(payload: str, signing: list[str], known: list[str]) -> bool:
    """Return whether a notice signed with some secrets is let in by those we know."""
    header = signature(payload, signing, to_epoch_seconds(system_now()))
    try:
        return verify_webhook(payload.encode(), header, known).type == "charge.updated"
    except SignatureInvalid:
        return False


def test_a_secret_is_changed_in_the_middle_without_losing_a_notice() -> None:
    """Stripe signs with both for a day (https://docs.stripe.com/webhooks#roll-endpoint-secrets)."""
    payload = event({"id": "ch_1"}, "charge.updated")
    before, new_first, after = ["old"], ["new", "old"], ["new"]
    assert accepted(payload, ["old"], before)
    assert accepted(payload, ["old"], new_first), "we know the new one already"
    assert accepted(payload, ["new", "old"], before), "Stripe signs with both"
    assert accepted(payload, ["old", "new"], new_first)
    assert accepted(payload, ["new", "old"], after)
    assert accepted(payload, ["new"], new_first)
    assert accepted(payload, ["new"], after)
    assert not accepted(payload, ["old"], after), "the old one is worth nothing any more"
    assert not accepted(payload, ["other"], new_first)


async def test_every_order_of_the_events_of_a_payment_ends_the_same(world: World) -> None:
    """Twenty-four purchases, each with the same four events in another order, some twice."""
    await world.sim("POST", "webhooks", {"mode": "hold"})
    dice = Random(7)
    orders = list(permutations(OF_PAYMENT))
    bought = [await world.hold() for _ in orders]
    await world.rest()
    for each in bought:
        await world.pay(each)
    of_order = await notices(world)
    for each, order in zip(bought, orders, strict=True):
        told = [of_order[str(each.order_id)][name] for name in order]
        doubled = [body for body in told for _ in range(dice.randint(1, 2))]
        for body in [*doubled, dice.choice(told)]:
            assert await post(world, json.dumps(body)) == 200
            if dice.random() < 0.2:
                await world.turn()
    await world.rest()
    assert {(await world.order(each)).state for each in bought} == {"paid"}
    posted = {tuple(map(tuple, await world.pool.fetch(POSTED, each.order_id))) for each in bought}
    assert len(posted) == 1
    assert len(await world.told(facts.PaymentSucceeded)) == len(orders)
    await no_more_than_one_charge(world, bought)
    await world.check_books()


async def notices(world: World) -> dict[str, dict[str, Any]]:
    """Return the events of each purchase by their type, as Stripe would send them."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in (await world.sim("GET", "history"))[1]["objects"]["event"]:
        body = {name: value for name, value in row.items() if name != "owner"}
        found[row["data"]["object"].get("metadata", {}).get("order_id", "")][row["type"]] = body
    return found


async def no_more_than_one_charge(world: World, bought: list[Bought]) -> None:
    """Assert that each purchase was charged once."""
    assert len(await world.movements("charge")) == len(bought)
