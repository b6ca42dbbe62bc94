"""What else happens to money: paid ahead, discounted, given back, disputed, bounced, stated.

Each step is a journey of its own through the public API; the demo takes them one after the other,
and the tests of journeys play them on their marketplace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dev.client import Json, Person, until
from dev.journey import (
    AFTER_THE_PAYOUT,
    OFFERING,
    RELEASE_DELAY,
    Purchase,
    calling,
    correct_account,
    free_slots,
    hold,
    in_state,
    meet,
    new_mentor,
    new_person,
    operator,
    pay,
    payment_page,
    publish_offering,
    show_trial_balances,
)
from dev.marketplace import Marketplace, Say
from shared.money import Money, shown

DISPUTED_CARD = "4000000000000259"
"""Its bank disputes every charge as fraudulent (https://docs.stripe.com/testing#disputes)."""
WINNING = "winning_evidence"
"""What a test says to win (https://docs.stripe.com/testing#disputes)."""
CODE, CODE_BASIS_POINTS = "SPRING", 2_000
PACKAGE: Json = {"sessions": 3, "unit_price_minor": 10_000, "valid_months": 6}
GIVEN_BACK_MINOR = 3_000
LONGEST_MONTH = timedelta(days=32)


@dataclass(frozen=True)
class Cast:
    """Who plays: a mentor with an offering, two mentees, and the operator."""

    mentor: Person
    mentee: Person
    other: Person
    overseer: Person
    offering: str

    @property
    def market(self) -> Marketplace:
        """Where they play."""
        return self.mentor.caller.market


async def third_act(market: Marketplace, say: Say) -> None:
    """Play all of it, let the month end, and show both books."""
    async with calling(market) as caller:
        mentor = await new_mentor(caller, "Vera Mentor")
        offering = await publish_offering(mentor, OFFERING, zone="America/New_York")
        mentee = await new_person(caller, "Tom Mentee", wants="mentee", zone="Europe/Berlin")
        other = await new_person(caller, "Uma Mentee", wants="mentee", zone="Europe/Berlin")
        cast = Cast(mentor, mentee, other, await operator(caller), offering)
        say("\nTom buys three sessions at once, for less; a credit of them pays for the first.")
        ahead = await pay_ahead(cast)
        say("\nUma pays with a promotion code of the platform: 20 % less, and Vera earns it all.")
        discounted = await pay_less(cast)
        say("\nUma's bank disputes a payment; the operator answers with the records, and wins.")
        disputed = await win_a_dispute(cast)
        for purchase in sorted((ahead, discounted, disputed), key=lambda each: each.starts_at):
            await meet(cast.mentee if purchase is ahead else cast.other, mentor, purchase)
        say("\nThe operator gives back a part of what Uma paid.")
        await give_back_a_part(cast, discounted)
        say("\nVera's bank refuses a payout; she corrects her account, and it is paid again.")
        await bounce_a_payout(cast)
        say("\nThe month ends.")
        await market.advance_by(LONGEST_MONTH)
        await show_statement(cast, say)
        await show_trial_balances(caller, say)


async def pay_ahead(cast: Cast) -> Purchase:
    """Offer a package, buy it, and book the first of its sessions without a card."""
    package = await cast.mentor.post(
        "payments", "/v1/me/packages", PACKAGE | {"offering_id": cast.offering}
    )
    path = f"/v1/packages/{package['package_id']}/purchases"
    bought = await cast.mentee.post("payments", path, {"as_gift": False})
    await pay(cast.mentee, await payment_page(cast.mentee, bought["purchase_id"]))

    async def credited() -> bool | None:
        found = await cast.mentee.get("payments", "/v1/me/credits")
        return True if found["items"] else None

    await until(credited, "the credits")
    purchase = await hold(cast.mentee, cast.offering, await _slot(cast, 2))
    await in_state(cast.mentee, purchase, "confirmed")
    return purchase


async def pay_less(cast: Cast) -> Purchase:
    """Make a promotion code, look at what it takes off, and pay the rest."""
    await cast.overseer.post(
        "payments",
        "/v1/operator/promotions",
        {"code": CODE, "percent_basis_points": CODE_BASIS_POINTS, "reason": "Spring"},
    )
    slot = await _slot(cast, 3)
    purchase = await hold(cast.other, cast.offering, slot, promotion_code=CODE)
    await pay(cast.other, await payment_page(cast.other, purchase.order_id))
    await in_state(cast.other, purchase, "confirmed")
    return purchase


async def win_a_dispute(cast: Cast) -> Purchase:
    """Pay with a card whose bank disputes it, answer, and get the money back."""
    purchase = await hold(cast.other, cast.offering, await _slot(cast, 4))
    checkout = await payment_page(cast.other, purchase.order_id)
    await pay(cast.other, checkout, DISPUTED_CARD)
    await in_state(cast.other, purchase, "confirmed")
    dispute = await until(lambda: _dispute(cast, purchase, "open"), "the dispute")
    path = f"/v1/operator/disputes/{dispute['dispute_id']}"
    shown = await cast.overseer.get("payments", path)
    said = {name: text for name, text in shown["evidence"].items() if text}
    answer = said | {"uncategorized_text": WINNING, "reason": "They met"}
    await cast.overseer.post("payments", f"{path}/evidence", answer)
    await until(lambda: _dispute(cast, purchase, "closed"), "the decision of the bank")
    return purchase


async def give_back_a_part(cast: Cast, purchase: Purchase) -> None:
    """Give an amount back as was shown, before the rest is released."""
    path = f"/v1/operator/orders/{purchase.order_id}"
    asked = str(GIVEN_BACK_MINOR)
    shown = await cast.overseer.get("payments", f"{path}/refund-preview", amount_minor=asked)
    await cast.overseer.post(
        "payments",
        f"{path}/refund",
        {
            "amount_minor": GIVEN_BACK_MINOR,
            "shown_mentee_minor": shown["mentee_minor"],
            "shown_mentor_minor": shown["mentor_minor"],
            "shown_platform_minor": shown["platform_minor"],
            "reason": "The session began late",
        },
    )


async def bounce_a_payout(cast: Cast) -> None:
    """Let the bank refuse the next payout, correct the account, and see it paid."""
    stripe = cast.mentor.caller
    account = {"account": "any", "code": "account_closed"}
    await stripe.send("POST", "stripe", "/_sim/payouts/fail_next", body=account)
    await cast.market.advance_by(RELEASE_DELAY)
    await cast.market.advance_by(AFTER_THE_PAYOUT)
    await until(lambda: _payout(cast, "failed"), "the failed payout")
    await correct_account(cast.mentor)
    await cast.market.advance_by(AFTER_THE_PAYOUT)
    await until(lambda: _payout(cast, "paid"), "the payout that arrives")


async def show_statement(cast: Cast, say: Say) -> None:
    """Say what the mentor's statements come to."""

    async def stated() -> list[Json] | None:
        found = await cast.mentor.get("payments", "/v1/me/statements")
        items: list[Json] = found["items"]
        return items or None

    for statement in await until(stated, "the statement"):
        say(f"\nVera's statement of {statement['period_from'][:7]}:")
        for side in ("opening", "earned", "given_back", "sent", "came_back", "closing", "paid_out"):
            minor, currency = statement[f"{side}_minor"], statement["currency"]
            say(f"  {side.replace('_', ' '):<60} {shown(Money(minor, currency)):>16}")


async def _slot(cast: Cast, days: int) -> Json:
    soonest = (cast.market.clock.now() + timedelta(days=days)).isoformat()
    slots = await free_slots(cast.mentee, cast.offering)
    return next(each for each in slots if each["starts_at"] > soonest)


async def _dispute(cast: Cast, purchase: Purchase, state: str) -> Json | None:
    found = await cast.overseer.get("payments", "/v1/operator/disputes", state=state)
    items: list[Json] = found["items"]
    return next((each for each in items if each["order_id"] == purchase.order_id), None)


async def _payout(cast: Cast, state: str) -> Json | None:
    found = await cast.mentor.get("payments", "/v1/me/payouts")
    items: list[Json] = found["items"]
    return next((each for each in items if each["state"] == state), None)
