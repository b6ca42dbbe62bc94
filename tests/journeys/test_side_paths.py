"""Every side path ends well: declined, abandoned, twice, too late, cancelled by anyone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from dev.client import Caller, Json, Person, Refused
from dev.journey import buy, free_slots, hold, in_state, new_person, operator, pay, payment_page
from dev.marketplace import Marketplace
from tests.journeys.conftest import Stall, money_lines, slot_after, verified

pytestmark = pytest.mark.journey

DECLINED = "4000000000000002"
HOLD = timedelta(minutes=18)
CROWD = 50


async def test_a_declined_card_may_be_followed_by_a_good_one(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """The hold stays while the mentee tries again; one charge in the end."""
    purchase = await hold(mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(1)))
    checkout = await payment_page(mentee, purchase.order_id)
    declined = await pay(mentee, checkout, DECLINED)
    assert declined["payment_status"] == "unpaid"
    await pay(mentee, checkout)
    await in_state(mentee, purchase, "confirmed")
    assert (await money_lines(mentee, purchase.order_id))["charge"] == 12_000


async def test_an_abandoned_checkout_frees_the_time(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """The hold lapses, the page is closed at Stripe, and the time is offered again."""
    slot = await slot_after(mentee, stall, timedelta(1))
    purchase = await hold(mentee, stall.offering_id, slot)
    checkout = await payment_page(mentee, purchase.order_id)
    assert slot not in await free_slots(mentee, stall.offering_id)
    await market.advance_by(HOLD)
    await in_state(mentee, purchase, "expired")
    with pytest.raises(Refused):
        await pay(mentee, checkout)
    assert slot in await free_slots(mentee, stall.offering_id)


async def cancel(person: Person, order_id: str, **more: object) -> Json:
    """Cancel as shown in the preview."""
    preview = await person.get("booking", f"/v1/orders/{order_id}/cancellation-preview")
    shown: Json = {"shown_refund_basis_points": preview["refund_basis_points"], **more}
    return await person.post("booking", f"/v1/orders/{order_id}/cancel", shown)


@pytest.mark.parametrize(("hours", "refund"), [(30, 12_000), (12, 6_000)])
async def test_a_mentee_cancels_and_gets_what_the_policy_says(
    market: Marketplace, stall: Stall, mentee: Person, hours: int, refund: int
) -> None:
    """Standard: all of it a day before, half of it after that."""
    slot = await slot_after(mentee, stall, timedelta(hours=48))
    purchase = await buy(mentee, stall.offering_id, slot)
    await market.advance_to(purchase.starts_at - timedelta(hours=hours))
    await cancel(mentee, purchase.order_id)
    await in_state(mentee, purchase, "cancelled")
    await market.rest()
    lines = await money_lines(mentee, purchase.order_id)
    assert abs(lines["refund"]) == refund
    assert slot in await free_slots(mentee, stall.offering_id)


async def test_less_than_two_hours_before_nothing_goes_back(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """The mentor's time is paid for: released after the delay like a session that took place."""
    slot = await slot_after(mentee, stall, timedelta(hours=3))
    purchase = await buy(mentee, stall.offering_id, slot)
    await market.advance_to(purchase.starts_at - timedelta(hours=1))
    await cancel(mentee, purchase.order_id)
    await market.advance_by(timedelta(days=4))
    lines = await money_lines(await operator(mentee.caller), purchase.order_id)
    assert "refund" not in lines
    assert abs(lines["transfer"]) == 10_200


async def test_a_mentor_who_cancels_gives_everything_back(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """Also an hour before."""
    purchase = await buy(
        mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(hours=3))
    )
    await market.advance_to(purchase.starts_at - timedelta(hours=1))
    await cancel(stall.mentor, purchase.order_id, reason="Ill")
    await market.rest()
    assert abs((await money_lines(mentee, purchase.order_id))["refund"]) == 12_000


async def test_an_operator_cancels_and_chooses_what_goes_back(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """A quarter back, the rest is shared between mentor and platform."""
    purchase = await buy(
        mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(hours=30))
    )
    overseer = await operator(mentee.caller)
    path = f"/v1/orders/{purchase.order_id}/cancel"
    await overseer.post("booking", path, {"reason": "Dispute", "refund_basis_points": 2_500})
    await market.advance_by(timedelta(days=4))
    lines = await money_lines(overseer, purchase.order_id)
    assert abs(lines["refund"]) == 3_000
    assert abs(lines["transfer"]) == 7_650, "85 % of the 90.00 that were kept"


async def test_a_stale_preview_is_shown_anew(
    market: Marketplace, stall: Stall, mentee: Person
) -> None:
    """What was confirmed is what happens: a fraction that no longer holds is refused."""
    purchase = await buy(
        mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(hours=30))
    )
    await market.advance_to(purchase.starts_at - timedelta(hours=5))
    with pytest.raises(Refused) as refused:
        await mentee.post(
            "booking",
            f"/v1/orders/{purchase.order_id}/cancel",
            {"shown_refund_basis_points": 10_000},
        )
    assert refused.value.code == "preview_outdated"
    assert (await in_state(mentee, purchase, "confirmed"))["state"] == "confirmed"


async def test_one_slot_is_sold_to_one_of_fifty(
    market: Marketplace, caller: Caller, stall: Stall
) -> None:
    """Fifty people at the same moment: one 201, forty-nine 409, and nobody waits in a deadlock."""
    comers = (
        new_person(caller, f"Crowd {number}", wants="mentee", zone="UTC") for number in range(CROWD)
    )
    people = await asyncio.gather(*comers)
    slot = await slot_after(people[0], stall, timedelta(days=1))

    async def attempt(person: Person) -> int:
        try:
            await hold(person, stall.offering_id, slot)
        except Refused as refused:
            return refused.status
        return 201

    answers = await asyncio.gather(*(attempt(person) for person in people))
    assert sorted(answers) == [201] + [409] * (CROWD - 1)
    log = market.site.home.log("postgres").read_text(errors="replace")
    assert "deadlock detected" not in log


async def test_one_request_sent_twice_is_one_order(
    caller: Caller, stall: Stall, mentee: Person
) -> None:
    """The same Idempotency-Key, at the same time and again later: one order, one answer."""
    slot = await slot_after(mentee, stall, timedelta(days=1))
    offering = await mentee.get("booking", f"/v1/offerings/{stall.offering_id}")
    asked: Json = {
        "offering_id": stall.offering_id,
        "starts_at": slot["starts_at"],
        "accepted_policy": {
            "preset": offering["policy"]["preset"],
            "policy_version": offering["policy"]["policy_version"],
        },
    }
    headers = {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(
        *(
            mentee._send("POST", "booking", "/v1/orders", body=asked, headers=dict(headers))
            for _ in range(5)
        )
    )
    assert len({answer["order_id"] for answer in answers}) == 1


@pytest.mark.parametrize("mode", ["duplicate", "reverse"])
async def test_webhooks_twice_and_out_of_order_change_nothing(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person, mode: str
) -> None:
    """P12: the same end, whatever the order and number of the events."""
    await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": mode})
    try:
        purchase = await buy(
            mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(days=1))
        )
        await market.rest()
    finally:
        await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": "normal"})
    assert (await money_lines(mentee, purchase.order_id))["charge"] == 12_000


async def test_no_webhook_at_all_is_made_up_for(
    market: Marketplace, caller: Caller, stall: Stall, mentee: Person
) -> None:
    """P12: all events dropped; the reconciler finds the payment by itself."""
    purchase = await hold(mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(1)))
    checkout = await payment_page(mentee, purchase.order_id)
    await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": "drop"})
    try:
        await pay(mentee, checkout)
        await market.advance_by(HOLD)
        await in_state(mentee, purchase, "confirmed")
    finally:
        await caller.send("POST", "stripe", "/_sim/webhooks", body={"mode": "normal"})


async def test_at_the_end_both_books_agree(market: Marketplace) -> None:
    """After all of the above: no overlap, no loose money, ledger equals Stripe."""
    await market.advance_by(timedelta(days=20))
    await verified(market)
