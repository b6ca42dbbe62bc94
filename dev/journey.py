"""One paid mentorship session, from sign-up to the bank, through the public API alone.

The steps are `product.md`'s journey, in the words of the people who take them; the demo, the seed
and the tests of whole journeys are made of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp

from dev.client import ANSWER_SECONDS, Caller, JourneyFailed, Json, Person, Refused, until
from dev.marketplace import Marketplace, Say
from shared.ids import new_id
from shared.money import Money, shown

PASSWORD = "correct horse battery staple 42"  # noqa: S105  For people who do not exist.
GOOD_CARD = "4242424242424242"
RELEASE_DELAY = timedelta(hours=48)
AFTER_THE_PAYOUT = timedelta(days=10)
LOOK_AHEAD = timedelta(days=14)
WHOLE_WEEK = [{"weekday": day, "starts": "08:00", "ends": "20:00"} for day in range(7)]
_CHECKOUT = re.compile(r"cs_test_\w+")
_ACCOUNT = re.compile(r"acct_\w+")


@dataclass(frozen=True)
class Purchase:
    """An order as the mentee sees it."""

    order_id: str
    session_id: str
    starts_at: datetime
    ends_at: datetime

    @classmethod
    def of(cls, order: Json) -> Purchase:
        """Read an order of the API."""
        return cls(
            order["order_id"],
            order["session_id"],
            datetime.fromisoformat(order["starts_at"]),
            datetime.fromisoformat(order["ends_at"]),
        )


@asynccontextmanager
async def calling(market: Marketplace) -> AsyncGenerator[Caller]:
    """Give a caller for as long as the block lasts."""
    limits = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(timeout=limits) as http:
        yield Caller(market, http)


async def operator(caller: Caller) -> Person:
    """Return the operator, signed in; the account is made when it is not there."""
    person = Person(caller, "Olga Operator", caller.market.operator_email, PASSWORD)
    try:
        await person.sign_in()
    except Refused:
        await person.sign_up(wants="mentee", zone="UTC")
    return person


async def new_person(caller: Caller, name: str, *, wants: str, zone: str) -> Person:
    """Sign up somebody new, with a proven address."""
    word = re.sub(r"\W+", ".", name.lower())
    person = Person(caller, name, f"{word}.{new_id().hex[-8:]}@example.com", PASSWORD)
    await person.sign_up(wants=wants, zone=zone)
    return person


async def introduce_mentor(mentor: Person, profile: Json, approving: Person) -> None:
    """Fill in the profile, hand it in, and have it approved."""
    await mentor.put("profiles", "/v1/me/mentor-profile", profile)
    await mentor.post("profiles", "/v1/me/mentor-profile/submit")
    await mentor.sign_in()  # The role comes with the next token.
    path = f"/v1/operator/mentors/{mentor.person_id}/approve"
    await approving.post("profiles", path, {"reason": "Convincing profile"})


async def connect_account(mentor: Person) -> None:
    """Open the connected account and go through Stripe's page until money can be received."""
    web = mentor.caller.market.url("web")
    asked = {"country": "US", "return_url": f"{web}/mentor", "refresh_url": f"{web}/mentor"}
    await mentor.post("payments", "/v1/me/account", asked)
    await _complete_onboarding(mentor)

    async def ready() -> bool | None:
        found = await mentor.get("payments", "/v1/me/account")
        return True if found["can_receive"] else None

    await until(ready, "an account that can receive money")


async def correct_account(mentor: Person) -> None:
    """Go through Stripe's page once more, as after a payout that the bank refused."""
    await mentor.post("payments", "/v1/me/account/onboarding-link")
    await _complete_onboarding(mentor)


async def _complete_onboarding(mentor: Person) -> None:
    async def page() -> str | None:
        account = await mentor.get("payments", "/v1/me/account")
        return account.get("onboarding_url")

    address = await until(page, "the onboarding page")
    account = _ACCOUNT.search(address)
    if account is None:
        raise JourneyFailed(f"no account in {address}")
    await mentor.caller.send("POST", "stripe", f"/_sim/accounts/{account[0]}/complete", body={})


async def publish_offering(mentor: Person, offering: Json, *, zone: str) -> str:
    """Set the weekly hours and the room, make an offering and publish it; return its id."""
    availability = {"zone": zone, "weekly": WHOLE_WEEK, "room_url": "https://meet.example.com/room"}
    await mentor.put("booking", "/v1/me/availability", availability)
    made = await mentor.post("booking", "/v1/me/offerings", offering)
    path = f"/v1/me/offerings/{made['offering_id']}/publish"

    async def published() -> bool | None:
        try:
            await mentor.post("booking", path)
        except Refused as refused:
            # The facts about approval and account are still on their way to booking.
            if refused.code in ("mentor_not_approved", "account_cannot_receive"):
                return None
            raise
        return True

    await until(published, "publishing the offering")
    return str(made["offering_id"])


async def find_mentor(mentee: Person, text: str, mentor: Person) -> Json:
    """Search until the mentor shows, and return the card."""

    async def listed() -> Json | None:
        found = await mentee.get("profiles", "/v1/mentors", q=text, limit="50")
        items: list[Json] = found["items"]
        return next((each for each in items if each["person_id"] == str(mentor.person_id)), None)

    return await until(listed, f"finding {mentor.name}")


async def free_slots(mentee: Person, offering_id: str) -> list[Json]:
    """Return the free times of an offering in the next two weeks."""
    now = mentee.caller.market.clock.now()
    found = await mentee.get(
        "booking", f"/v1/offerings/{offering_id}/slots",
        **{"from": now.isoformat(), "until": (now + LOOK_AHEAD).isoformat()},
    )  # fmt: skip
    return list(found["items"])


async def hold(
    mentee: Person, offering_id: str, slot: Json, *, promotion_code: str | None = None
) -> Purchase:
    """Accept the policy and hold a time; raises `Refused` when somebody was faster."""
    offering = await mentee.get("booking", f"/v1/offerings/{offering_id}")
    policy = offering["policy"]
    order = await mentee.post(
        "booking", "/v1/orders",
        {
            "offering_id": offering_id,
            "starts_at": slot["starts_at"],
            "promotion_code": promotion_code,
            "accepted_policy": {
                "preset": policy["preset"], "policy_version": policy["policy_version"],
            },
        },
    )  # fmt: skip
    return Purchase.of(order)


async def payment_page(mentee: Person, order_id: str) -> str:
    """Return the id of the Checkout Session, once payments has opened it."""

    async def opened() -> str | None:
        found = await mentee.get("payments", f"/v1/checkouts/{order_id}")
        checkout = _CHECKOUT.search(found.get("url") or "")
        return checkout[0] if checkout else None

    async def look() -> str | None:
        try:
            return await opened()
        except Refused as refused:
            if refused.status == 404:  # payments has not heard of the order yet.
                return None
            raise

    return await until(look, "the payment page")


async def pay(mentee: Person, checkout: str, card: str = GOOD_CARD) -> Json:
    """Pay on Stripe's page; the answer says whether the card was taken."""
    paying = {"card": card, "email": mentee.email, "name": mentee.name}
    return await mentee.caller.send("POST", "stripe", f"/_sim/checkout/{checkout}/pay", body=paying)


async def in_state(person: Person, purchase: Purchase, *states: str) -> Json:
    """Wait until the order is in one of these states, and return it."""

    async def reached() -> Json | None:
        order = await person.get("booking", f"/v1/orders/{purchase.order_id}")
        return order if order["state"] in states else None

    return await until(reached, f"the order being {' or '.join(states)}")


async def review(person: Person, purchase: Purchase, text: str) -> None:
    """Write a review, once profiles has heard of the completion."""

    async def written() -> bool | None:
        path = f"/v1/sessions/{purchase.session_id}/reviews"
        try:
            await person.post("profiles", path, {"rating": 5, "text": text})
        except Refused as refused:
            if refused.status in (404, 409) and refused.code != "already_reviewed":
                return None
            raise
        return True

    await until(written, "the review")


PROFILE: Json = {
    "headline": "Engineering manager who mentors first-time leads",
    "story": "Twelve years of building teams; I help you find your own way to lead one.",
    "expertise": ["engineering-leadership"],
    "languages": ["en"],
    "years": 12,
    "industries": ["software"],
}
OFFERING: Json = {
    "title": "One hour on your next step",
    "description": "We look at where you stand and agree on what to do by next week.",
    "minutes": 60,
    "price_minor": 12_000,
    "currency": "USD",
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 15,
    "minimum_notice_minutes": 120,
    "horizon_days": 30,
    "cancellation_preset": "standard",
}


async def new_mentor(caller: Caller, name: str, *, zone: str = "America/New_York") -> Person:
    """Sign up a mentor whose profile is approved and whose account can receive money."""
    mentor = await new_person(caller, name, wants="mentor", zone=zone)
    await introduce_mentor(mentor, PROFILE, await operator(caller))
    await connect_account(mentor)
    return mentor


async def buy(mentee: Person, offering_id: str, slot: Json) -> Purchase:
    """Hold a time, pay for it, and wait for the confirmation."""
    purchase = await hold(mentee, offering_id, slot)
    await pay(mentee, await payment_page(mentee, purchase.order_id))
    await in_state(mentee, purchase, "confirmed")
    return purchase


async def meet(mentee: Person, mentor: Person, purchase: Purchase) -> None:
    """Come to the room, talk, and mark the session as complete."""
    market = mentee.caller.market
    await market.advance_to(purchase.starts_at)
    for person in (mentor, mentee):
        room = await person.post("booking", f"/v1/sessions/{purchase.session_id}/join")
        if not room["room_url"].startswith("https://"):
            raise JourneyFailed("the room has no address")
    await market.advance_to(purchase.ends_at + timedelta(minutes=1))
    await mentee.post("booking", f"/v1/orders/{purchase.order_id}/complete", {})


async def paid_session(market: Marketplace, say: Say) -> None:
    """Take one paid session from sign-up to the bank, saying each step as it is taken."""
    async with calling(market) as caller:
        say("\nMara signs up as a mentor, is approved, and connects her bank account.")
        mentor = await new_mentor(caller, "Mara Mentor")
        offering = await publish_offering(mentor, OFFERING, zone="America/New_York")
        say("\nMilo signs up as a mentee, states a goal and looks for somebody who leads.")
        mentee = await new_person(caller, "Milo Mentee", wants="mentee", zone="Europe/Berlin")
        await mentee.post("booking", "/v1/goals", {"title": "Lead my first team by autumn"})
        await find_mentor(mentee, "leading engineers", mentor)
        slot = (await free_slots(mentee, offering))[0]
        say(f"\nMilo holds {slot['starts_at']}; his first card is declined, his second is good.")
        purchase = await hold(mentee, offering, slot)
        checkout = await payment_page(mentee, purchase.order_id)
        await pay(mentee, checkout, "4000000000000002")
        await pay(mentee, checkout)
        await in_state(mentee, purchase, "confirmed")
        say("\nThe clock moves to the session: reminders go out, both join, Milo completes it.")
        await meet(mentee, mentor, purchase)
        await review(mentee, purchase, "Clear, kind and to the point.")
        await review(mentor, purchase, "Came prepared.")
        say("\nThe release delay passes; the mentor's share is transferred and paid out.")
        await market.advance_by(RELEASE_DELAY)
        await market.advance_by(AFTER_THE_PAYOUT)
        await show_books(mentee, mentor, purchase, say)


async def show_books(mentee: Person, mentor: Person, purchase: Purchase, say: Say) -> None:
    """Say what both books hold: our ledger and Stripe's."""
    overseer = await operator(mentee.caller)
    money = await overseer.get("payments", f"/v1/orders/{purchase.order_id}/money")
    say("\nThe money of this session:")
    for line in money["items"]:
        say(f"  {line['at'][:19]}  {line['words']:<52} {_amount(line)}")
    await show_trial_balances(mentee.caller, say)


async def show_trial_balances(caller: Caller, say: Say) -> None:
    """Say what both books come to."""
    overseer = await operator(caller)
    balance = await overseer.get("payments", "/v1/operator/ledger/trial-balance")
    say("\nOur ledger:")
    for line in balance["items"]:
        say(f"  {line['account']:<60} {_amount(line)}")
    books = await caller.send("GET", "stripe", "/_sim/books")
    say("\nStripe's books:")
    for line in books["trial_balance"]:
        amount = {"amount_minor": line["amount"], "currency": line["currency"].upper()}
        say(f"  {line['owner'] + ' ' + line['bucket']:<60} {_amount(amount)}")


def _amount(line: Json) -> str:
    return f"{shown(Money(int(line['amount_minor']), str(line['currency']))):>16}"
