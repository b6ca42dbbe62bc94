"""A refund that the bank sends back: the mentee is told, an operator mends it, both books agree."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dev.client import Caller, Person
from dev.journey import hold, in_state, operator, pay, payment_page
from dev.marketplace import Marketplace
from tests.journeys.conftest import (
    Stall,
    mails_to,
    money_lines,
    operated,
    slot_after,
    story_of,
    verified,
)

pytestmark = pytest.mark.journey

RETURNED_FUNDS_CARD = "4000000000005126"
"""A refund to it succeeds and fails an hour later (https://docs.stripe.com/testing#refunds)."""
SHORTLY_AFTER_THE_FAILURE = timedelta(hours=2)
NEEDED = "an operator finds another way for the refund"


async def wanted_of_operators(market: Marketplace, order_id: str) -> list[tuple[str, str]]:
    """Return what a purchase waits for that only an operator ends, by service."""
    waits = (await story_of(market, order_id))["waits"]
    return [(wait["service"], wait["waits_for"]) for wait in waits if wait["needs_operator"]]


async def test_a_refund_that_came_back_is_stuck_until_an_operator_mends_it(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person
) -> None:
    """Mailed, shown as waiting for an operator, paid otherwise from the command line, at rest."""
    purchase = await hold(mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(2)))
    await pay(mentee, await payment_page(mentee, purchase.order_id), RETURNED_FUNDS_CARD)
    await in_state(mentee, purchase, "confirmed")
    path = f"/v1/orders/{purchase.order_id}/cancel"
    await stall.mentor.post("booking", path, {"shown_refund_basis_points": 10_000})
    await market.rest()
    await market.advance_by(SHORTLY_AFTER_THE_FAILURE)
    subjects = [mail["subject"] for mail in await mails_to(mentee)]
    assert "Your bank sent $120.00 back to us" in subjects
    assert await wanted_of_operators(market, purchase.order_id) == [("payments", NEEDED)]
    path = f"/v1/operator/orders/{purchase.order_id}/money-state"
    (failed,) = (await (await operator(caller)).get("payments", path))["failed"]
    shown = ("--refund", failed["refund_id"], "--minor", str(failed["amount_minor"]))
    said = await operated(
        market, "saga", "paid-otherwise", purchase.order_id, *shown, "--reason", "Bank transfer"
    )
    assert said.startswith("refund_paid_otherwise done")
    assert await wanted_of_operators(market, purchase.order_id) == []
    story = await story_of(market, purchase.order_id)
    (deed,) = [step for step in story["steps"] if step["kind"] == "operator"]
    assert (deed["state"], deed["details"]["reason"]) == ("done", "Bank transfer")
    lines = await money_lines(mentee, purchase.order_id)
    assert lines["refund_paid_otherwise"] == 12_000
    await verified(market)
