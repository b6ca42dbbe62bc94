"""P11: paying and expiring have one outcome, in each of the cases of *Holding and paying*."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dev.client import Caller, Person
from dev.journey import Purchase, hold, in_state, new_person, pay, payment_page
from dev.marketplace import Marketplace
from shared.clock import move_clock_to
from tests.journeys.conftest import Stall, money_lines, slot_after

pytestmark = pytest.mark.journey

BEFORE_THE_END = timedelta(minutes=14)
AFTER_THE_END = timedelta(minutes=18)
CLOSING = {"method": "POST", "path": "/v1/checkout/sessions/*/expire", "kind": "reset"}


async def _held(mentee: Person, stall: Stall) -> tuple[Purchase, str]:
    slot = await slot_after(mentee, stall, timedelta(days=1))
    purchase = await hold(mentee, stall.offering_id, slot)
    return purchase, await payment_page(mentee, purchase.order_id)


async def test_paid_before_the_end_but_heard_after_it(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person
) -> None:
    """Closing the page finds it complete: it is paid, and the session confirmed."""
    purchase, checkout = await _held(mentee, stall)
    await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": "drop"})
    try:
        await market.advance_by(BEFORE_THE_END)
        await pay(mentee, checkout)
        await market.advance_by(timedelta(minutes=5))
        await in_state(mentee, purchase, "confirmed")
    finally:
        await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": "normal"})


async def _expired_with_an_open_page(
    market: Marketplace, caller: Caller, mentee: Person, stall: Stall
) -> tuple[Purchase, str]:
    """Return an order that lapsed while Stripe could not be reached to close its page."""
    purchase, checkout = await _held(mentee, stall)
    await caller.send("POST", "stripe", "/_sim/faults", body={**CLOSING, "count": None})
    move_clock_to(market.site.home.clock, market.clock.now() + AFTER_THE_END)
    await in_state(mentee, purchase, "expired")
    return purchase, checkout


async def test_money_that_comes_late_revives_a_session_whose_time_is_free(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person
) -> None:
    """Expired, in the future, still free: confirmed after all."""
    try:
        purchase, checkout = await _expired_with_an_open_page(market, caller, mentee, stall)
        await pay(mentee, checkout)
        await in_state(mentee, purchase, "confirmed")
    finally:
        await caller.send("DELETE", "stripe", "/_sim/faults")
    await market.rest()


async def test_money_that_comes_late_for_a_time_sold_to_another_goes_back(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person
) -> None:
    """The time is somebody else's: refunded in full, the mentee is told, nobody has neither."""
    rival = await new_person(caller, "Rita Rival", wants="mentee", zone="UTC")
    try:
        purchase, checkout = await _expired_with_an_open_page(market, caller, mentee, stall)
        taken = await hold(rival, stall.offering_id, {"starts_at": purchase.starts_at.isoformat()})
        await pay(mentee, checkout)
        await in_state(mentee, purchase, "lost")
    finally:
        await caller.send("DELETE", "stripe", "/_sim/faults")
    await market.rest()
    assert abs((await money_lines(mentee, purchase.order_id))["refund"]) == 12_000
    await in_state(rival, taken, "held")
