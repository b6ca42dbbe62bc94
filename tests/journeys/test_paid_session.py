"""The journey that must always work, from sign-up to the bank."""

from __future__ import annotations

from datetime import timedelta

import pytest
from icalendar import Calendar

from dev.client import Caller, Person, Refused
from dev.journey import (
    AFTER_THE_PAYOUT,
    RELEASE_DELAY,
    buy,
    find_mentor,
    meet,
    operator,
    review,
)
from dev.marketplace import Marketplace
from tests.journeys.conftest import (
    Stall,
    mails_to,
    money_lines,
    open_stall,
    slot_after,
    story_of,
    verified,
)

pytestmark = pytest.mark.journey
WHOLE_STORY = {
    *(("booking", "fact", fact) for fact in ("BookingHeld", "BookingConfirmed")),
    ("booking", "fact", "SessionCompleted"),
    *(("payments", "fact", fact) for fact in ("CheckoutOpened", "PaymentSucceeded")),
    *(("payments", "fact", fact) for fact in ("EarningsReleased", "TransferSent")),
    *(("payments", "stripe call", call) for call in ("checkout.create", "transfer.create")),
    *(("payments", "ledger", entry) for entry in ("payment", "stripe_fee", "release", "transfer")),
    ("payments", "webhook", "checkout.session.completed"),
    *(("payments", "payout", state) for state in ("created", "paid")),
    *(("notifications", "mail", kind) for kind in ("session_confirmed", "payment_receipt")),
    *(("profiles", "review", f"review by the {side}") for side in ("mentee", "mentor")),
}
"""What a purchase that was paid out has behind it: service, kind and what happened."""


async def test_a_session_is_found_paid_held_and_paid_out(
    market: Marketplace, caller: Caller, mentee: Person
) -> None:
    """Search, hold, pay, confirm, remind, meet, complete, review, release, transfer, pay out."""
    stall = await open_stall(caller, "Paula Paidout")
    await find_mentor(mentee, "leading enginers", stall.mentor)
    purchase = await buy(mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(2)))
    await market.rest()
    waiting = (await story_of(market, purchase.order_id))["waits"]
    assert ("booking", "the session ends and is completed") in [
        (wait["service"], wait["waits_for"]) for wait in waiting
    ]
    invitation = next(mail for mail in await mails_to(mentee) if mail["attachments"])
    calendar = next(each for each in invitation["attachments"] if "calendar" in each["type"])
    event = Calendar.from_ical(calendar["content"]).walk("VEVENT")[0]
    assert event["DTSTART"].dt == purchase.starts_at
    assert stall.mentor.email not in str(invitation), "nobody's address is shown to the other"
    await meet(mentee, stall.mentor, purchase)
    subjects = [mail["subject"].lower() for mail in await mails_to(mentee)]
    assert sum("tomorrow" in s or "reminder" in s or "hour" in s for s in subjects) >= 1, subjects
    await review(mentee, purchase, "Clear, kind and to the point.")
    await review(stall.mentor, purchase, "Came prepared.")
    await market.advance_by(RELEASE_DELAY)
    await market.advance_by(AFTER_THE_PAYOUT)
    lines = await money_lines(await operator(mentee.caller), purchase.order_id)
    assert lines["charge"] == 12_000
    assert abs(lines["transfer"]) == 10_200, "85 % of the price is the mentor's"
    payouts = await stall.mentor.get("payments", "/v1/me/payouts")
    assert [each["state"] for each in payouts["items"]] == ["paid"]
    reviews = await mentee.get("profiles", f"/v1/mentors/{stall.mentor.person_id}/reviews")
    assert [each["rating"] for each in reviews["items"]] == [5]
    story = await story_of(market, purchase.order_id)
    assert story["waits"] == []
    assert {(step["service"], step["kind"], step["what"]) for step in story["steps"]} >= WHOLE_STORY
    assert "@" not in str(story), "no address of anybody"
    await verified(market)


async def test_the_room_is_for_the_two_alone(
    market: Marketplace, stall: Stall, mentee: Person, stranger: Person
) -> None:
    """A third person sees neither the order nor the room, and gets the answer for nothing there."""
    purchase = await buy(mentee, stall.offering_id, await slot_after(mentee, stall, timedelta(2)))
    await market.advance_to(purchase.starts_at)
    for path in (f"/v1/sessions/{purchase.session_id}/join",):
        with pytest.raises(Refused) as refused:
            await stranger.post("booking", path)
        assert refused.value.status == 404
    for service, path in (
        ("booking", f"/v1/orders/{purchase.order_id}"),
        ("payments", f"/v1/orders/{purchase.order_id}/money"),
        ("payments", f"/v1/checkouts/{purchase.order_id}"),
    ):
        with pytest.raises(Refused) as refused:
            await stranger.get(service, path)
        assert refused.value.status == 404
