"""Case 20: 12.5 % of what no third divides, refunded, disputed and decided, in both books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from shared.contracts import booking
from shared.contracts.payments import EarningsReleased
from shared.ids import new_id
from tests.payments.conftest import DELAY, Bought, World
from tests.payments.test_disputes import FEE, decide, dispute, part_of
from tests.payments.test_fees import set_rule

SHARE, THIRD = 1_250, 3_333
PAID_OUT = timedelta(days=6)


@dataclass(frozen=True)
class Parts:
    """A price and its parts by hand, in minor units: in each of them something is left over."""

    price: int
    mentee: int
    mentor: int
    platform: int


BY_HAND = {
    # There is no part of a yen.
    "JPY": Parts(100_001, mentee=33_330, mentor=58_337, platform=8_334),
    # A dinar has a thousand fils, and Stripe moves tens of them: 33,333 and 58,345 are rounded.
    "KWD": Parts(100_010, mentee=33_330, mentor=58_340, platform=8_340),
    # A forint is charged in hundredths and paid out whole: 583,363 is rounded.
    "HUF": Parts(1_000_001, mentee=333_300, mentor=583_300, platform=83_401),
}


@pytest.mark.parametrize("end", ["win", "lose"])
async def test_a_third_refunded_and_the_rest_disputed(world: World, end: str) -> None:
    """Whole units that sum to the price; what is left over is the platform's, or the bank's."""
    mentor = new_id()
    assert (await set_rule(world, share_basis_points=SHARE))[0] == 202
    await world.connect(mentor)
    orders = {currency: await _refunded(world, mentor, currency) for currency in BY_HAND}
    await world.rest()
    disputes = [await dispute(world, order) for order in orders.values()]
    await world.rest()
    taken = [parts.mentor + parts.platform for parts in BY_HAND.values()]
    assert [opened["amount"] for opened in disputes] == taken
    await world.check_books()
    for opened in disputes:
        await decide(world, opened, end)
    await world.rest()
    await world.advance(DELAY + PAID_OUT)
    await world.check_books()
    nothing = dict.fromkeys(BY_HAND, (0, 0))
    kept = nothing if end == "lose" else {
        currency: (parts.mentor, parts.platform) for currency, parts in BY_HAND.items()
    }  # fmt: skip
    assert await _released(world) == {name: parts for name, parts in kept.items() if any(parts)}
    shares = {currency: mentor for currency, (mentor, _) in kept.items() if mentor}
    assert await _moved(world, "transfer") == shares
    assert await _moved(world, "refund") == {name: each.mentee for name, each in BY_HAND.items()}
    paid = await world.pool.fetch("SELECT currency, amount_minor FROM payouts WHERE state = 'paid'")
    assert sorted(tuple(row) for row in paid) == sorted(shares.items())
    for currency, order in orders.items():
        left, platform = await part_of(world, order), kept[currency][1]
        costs = {"stripe_fees": left["stripe_fees"], "dispute_fees": FEE}
        revenue = {"platform_revenue": -platform} if platform else {}
        assert left == costs | revenue | {"stripe_balance": platform - sum(costs.values())}


async def _refunded(world: World, mentor: UUID, currency: str) -> Bought:
    order = await world.buy(BY_HAND[currency].price, currency, mentor_id=mentor)
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=THIRD)
    return order


async def _released(world: World) -> dict[str, tuple[int, int]]:
    return {
        fact.currency: (fact.mentor_minor, fact.platform_minor)
        for fact in await world.told(EarningsReleased)
    }


async def _moved(world: World, kind: str) -> dict[str, int]:
    """Return what Stripe moved away by one kind of movement, one in each currency."""
    moved = [(row["currency"].upper(), -row["amount"]) for row in await world.movements(kind)]
    assert len(moved) == len(dict(moved))
    return dict(moved)
