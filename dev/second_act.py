"""What else happens to a mentor's time: asked for, moved, missed, sold weekly, waited for.

Each step is a journey of its own through the public API; the demo takes them one after the other,
and the tests of journeys one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dev.client import JourneyFailed, Json, Person, until
from dev.journey import (
    AFTER_THE_PAYOUT,
    OFFERING,
    RELEASE_DELAY,
    Purchase,
    buy,
    calling,
    free_slots,
    hold,
    in_state,
    new_mentor,
    new_person,
    pay,
    payment_page,
    publish_offering,
)
from dev.marketplace import Marketplace, Say

ZONE = "America/New_York"
BY_REQUEST: Json = OFFERING | {"title": "A look at your plans", "by_request": True}
WEEKLY: Json = OFFERING | {"title": "Week by week", "price_minor": 9_999, "horizon_days": 365}
ABSENCE = timedelta(minutes=16)
"""Nobody is missing before a quarter of an hour has gone by."""
WEEKS = 3
WEEK = timedelta(days=7)
LOOK_FOR_CHANGE = timedelta(days=300)


@dataclass(frozen=True)
class Cast:
    """Who plays: a mentor with three offerings, and two mentees."""

    mentor: Person
    mentee: Person
    other: Person
    instant: str
    by_request: str
    weekly: str

    @property
    def market(self) -> Marketplace:
        """Where they play."""
        return self.mentor.caller.market


async def second_act(market: Marketplace, say: Say) -> None:
    """Play all of it, and let the money find its place."""
    dates = await play(market, say)
    await market.advance_to(dates[-1] + timedelta(days=3))
    await market.advance_by(RELEASE_DELAY)
    await market.advance_by(AFTER_THE_PAYOUT)


async def play(market: Marketplace, say: Say) -> Sequence[datetime]:
    """Play all of it; return when the sessions that are then still ahead begin."""
    async with calling(market) as caller:
        mentor = await new_mentor(caller, "Nora Mentor", zone=ZONE)
        offered = [
            await publish_offering(mentor, each, zone=ZONE)
            for each in (OFFERING, BY_REQUEST, WEEKLY)
        ]
        mentee = await new_person(caller, "Mina Mentee", wants="mentee", zone="Europe/Berlin")
        other = await new_person(caller, "Ole Mentee", wants="mentee", zone="Europe/Berlin")
        cast = Cast(mentor, mentee, other, *offered)
        say("\nMina asks for a session; Nora accepts, Mina pays.")
        asked = await request(cast)
        say("\nMina moves it by a day, more than a day ahead: nobody has to agree.")
        await move(cast, asked)
        say("\nOle waits for a time that Mina has; she calls it off, and it is offered to him.")
        await wait_for_a_slot(cast)
        say("\nMina comes to a session, Nora does not: everything goes back, and amends are made.")
        await miss(cast)
        say(
            "\nMina buys three weeks at one time, over the change of the clocks; one is called off."
        )
        dates = await buy_series(cast)
        for at in dates:
            say(f"  {at.astimezone(ZoneInfo(ZONE)):%a %d %b %H:%M} in {ZONE}, {at:%H:%M} UTC")
        return dates


async def request(cast: Cast) -> Purchase:
    """Ask for a session by request, have it accepted, pay for it."""
    slot = await _slot_after(cast.mentee, cast.by_request, timedelta(days=4))
    purchase = await hold(cast.mentee, cast.by_request, slot)
    await in_state(cast.mentor, purchase, "requested")
    await cast.mentor.post("booking", f"/v1/orders/{purchase.order_id}/accept")
    await pay(cast.mentee, await payment_page(cast.mentee, purchase.order_id))
    await in_state(cast.mentee, purchase, "confirmed")
    return purchase


async def move(cast: Cast, purchase: Purchase) -> Purchase:
    """Move a session to the next day as its mentee, with what was shown."""
    wanted = (purchase.starts_at + timedelta(days=1)).isoformat()
    path = f"/v1/orders/{purchase.order_id}"
    shown = await cast.mentee.get("booking", f"{path}/move-preview", starts_at=wanted)
    body = {
        "starts_at": wanted,
        "shown_immediate": shown["immediate"],
        "shown_refundable_after": shown["refundable_after"],
    }
    return Purchase.of(await cast.mentee.post("booking", f"{path}/move", body))


async def wait_for_a_slot(cast: Cast) -> Purchase:
    """Wait for a time that somebody has, get it when it is called off, and buy it."""
    slot = await _slot_after(cast.mentee, cast.instant, timedelta(days=3))
    taken = await buy(cast.mentee, cast.instant, slot)
    window = {
        "offering_id": cast.instant,
        "from": slot["starts_at"],
        "until": (taken.starts_at + timedelta(minutes=1)).isoformat(),
    }
    await cast.other.post("booking", "/v1/waitlist", window)
    await call_off(cast.mentee, taken.order_id, None)

    async def offered() -> Json | None:
        orders = await cast.other.get("booking", "/v1/orders", role="mentee", state="offered")
        found: list[Json] = orders["items"]
        return found[0] if found else None

    purchase = Purchase.of(await until(offered, "the offered time"))
    await cast.other.post("booking", f"/v1/orders/{purchase.order_id}/accept")
    await pay(cast.other, await payment_page(cast.other, purchase.order_id))
    await in_state(cast.other, purchase, "confirmed")
    return purchase


async def miss(cast: Cast) -> Purchase:
    """Come to a session whose mentor does not, and say so."""
    slot = await _slot_after(cast.mentee, cast.instant, timedelta(days=2))
    purchase = await buy(cast.mentee, cast.instant, slot)
    await cast.market.advance_to(purchase.starts_at)
    await cast.mentee.post("booking", f"/v1/sessions/{purchase.session_id}/join")
    await cast.market.advance_to(purchase.starts_at + ABSENCE)
    await cast.mentee.post("booking", f"/v1/orders/{purchase.order_id}/report-absence", {})
    await in_state(cast.mentee, purchase, "no_show")
    return purchase


async def buy_series(cast: Cast) -> Sequence[datetime]:
    """Buy weekly sessions over the mentor's next change of the clocks; call the second one off.

    Returns when the others begin.
    """
    first = await _week_before_the_change(cast)
    dates = await cast.mentee.get(
        "booking", f"/v1/offerings/{cast.weekly}/series",
        starts_at=first, weeks=str(WEEKS),
    )  # fmt: skip
    if not dates["clock_changes"] or not all(each["free"] for each in dates["dates"]):
        raise JourneyFailed(f"no series over a change of the clocks: {dates}")
    offering = await cast.mentee.get("booking", f"/v1/offerings/{cast.weekly}")
    policy = offering["policy"]
    order = await cast.mentee.post(
        "booking", "/v1/series",
        {
            "offering_id": cast.weekly,
            "starts": [each["starts_at"] for each in dates["dates"]],
            "accepted_policy": {
                "preset": policy["preset"], "policy_version": policy["policy_version"],
            },
        },
    )  # fmt: skip
    purchase = Purchase.of(order)
    await pay(cast.mentee, await payment_page(cast.mentee, purchase.order_id))
    await in_state(cast.mentee, purchase, "confirmed")
    await call_off(cast.mentee, purchase.order_id, order["sessions"][1]["session_id"])
    kept = (order["sessions"][0], order["sessions"][2])
    return [datetime.fromisoformat(each["starts_at"]) for each in kept]


async def call_off(mentee: Person, order_id: str, session_id: str | None) -> Json:
    """Call a session off with the share that the preview shows."""
    named = {"session_id": session_id} if session_id else {}
    path = f"/v1/orders/{order_id}"
    preview = await mentee.get("booking", f"{path}/cancellation-preview", **named)
    shown = {"shown_refund_basis_points": preview["refund_basis_points"]}
    return await mentee.post("booking", f"{path}/cancel", {**named, **shown})


async def _slot_after(person: Person, offering_id: str, span: timedelta) -> Json:
    soonest = person.caller.market.clock.now() + span
    slots = await free_slots(person, offering_id)
    return next(each for each in slots if datetime.fromisoformat(each["starts_at"]) > soonest)


async def _week_before_the_change(cast: Cast) -> str:
    """Return the first free start within the week before the clocks of the mentor change."""
    change = next_change(ZoneInfo(ZONE), cast.market.clock.now())
    found = await cast.mentee.get(
        "booking", f"/v1/offerings/{cast.weekly}/slots",
        **{"from": (change - timedelta(days=6)).isoformat(), "until": change.isoformat()},
    )  # fmt: skip
    return str(found["items"][0]["starts_at"])


def next_change(zone: ZoneInfo, now: datetime) -> datetime:
    """Return the midnight (UTC) before the clocks of a zone change next, a week ahead at least."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + WEEK
    for _ in range(LOOK_FOR_CHANGE.days):
        following = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            return day
        day = following
    raise JourneyFailed(f"the clocks of {zone} do not change")
