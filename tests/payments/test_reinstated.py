"""A dispute after a partial refund that is lost and won after all: each step is booked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Any

import pytest

from services.payments.commands.webhooks import store_webhook
from services.payments.domain.seen import EventSeen
from services.payments.gateway.shapes import read_event
from shared.contracts import booking
from shared.contracts.payments import DisputeClosed, DisputeOpened, TransferSent
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.checking import is_told_in_order
from tests.payments.conftest import DELAY, Bought, World
from tests.payments.test_disputes import decide, dispute, part_of

PRICE, REFUNDED = 12_000, 6_000
MENTOR, PLATFORM = 5_100, 900
AFTER = {
    "win": "lose",
    "closed: lost": "lose",
    "closed: won": "win",
    "funds_reinstated": "win",
}
"""What a bank's decision and the notices of it come after."""
STEPS = ("created", "funds_withdrawn", "lose", *AFTER)
ORDERS = [
    steps
    for steps in permutations(STEPS)
    if all(steps.index(step) > steps.index(before) for step, before in AFTER.items())
]
"""Every order in which both decisions are made, and the notices of all that was are heard."""
FEE_COMES_BACK = {"win": {"fee_returned": True}}
SAMPLED, AT_ONCE = 4, 42
BOOKED = """
SELECT kind, count(*) FROM ledger_entries
WHERE entry_id IN (SELECT entry_id FROM ledger_lines WHERE order_id = $1) GROUP BY kind
"""
ONCE = {
    "refund_planned": 1,
    "refund_settled": 1,
    "dispute_withdrawn": 1,
    "dispute_loss": 2,
    "dispute_reinstated": 1,
    "dispute_fee": 2,
}
"""The loss, of what exceeds the rest, and the fee are posted when they come and when they go."""


@dataclass
class Quarrel:
    """A purchase, its dispute at Stripe, and in which order what happens."""

    order: Bought
    dispute: Any
    steps: Sequence[str]


async def begin(
    world: World, orders: Sequence[Sequence[str]], *, transferred: bool
) -> list[Quarrel]:
    """Have as many purchases half refunded, and then disputed whole; nothing is heard of that."""
    bought = [await world.hold(mentor_id=new_id()) for _ in orders]
    for each in bought:
        await world.begin_to_connect(each.mentor_id)
    await world.rest()
    accounts = await world.pool.fetch("SELECT stripe_account_id FROM accounts")
    for row in accounts:
        await world.sim("POST", f"accounts/{row[0]}/complete", {})
    for each in bought:
        await world.pay(each)
    await world.rest()
    for each in bought:
        await world.say(booking.BookingConfirmed, each, title="Career talk")
    await world.sim("POST", "webhooks", {"mode": "drop"})
    for each in bought:
        await world.say(booking.BookingCancelled, each, by="mentee", refund_basis_points=5_000)
    await world.rest()
    if transferred:
        await world.advance(DELAY)
    sent = await world.told(TransferSent)
    assert [each.amount_minor for each in sent] == ([MENTOR] * len(orders) if transferred else [])
    disputes = [await dispute(world, each, PRICE) for each in bought]
    return [Quarrel(*each) for each in zip(bought, disputes, orders, strict=True)]


async def notices(world: World) -> dict[tuple[str, str], EventSeen]:
    """Return Stripe's notices by what they are about and what they say."""
    found: dict[tuple[str, str], EventSeen] = {}
    for row in (await world.sim("GET", "history"))[1]["objects"]["event"]:
        about, kind = row["data"]["object"], row["type"]
        name = kind.removeprefix("charge.dispute.")
        name = f"closed: {about['status']}" if name == "closed" else name
        subject = about["id"] if name != kind else about.get("payment_intent", "")
        found[subject, name] = read_event(row)
    return found


async def play(world: World, quarrels: Sequence[Quarrel], dice: Random) -> None:
    """Let one step after the other happen, or be heard of, once or twice, to each of them."""
    for place in range(len(STEPS)):
        for each in quarrels:
            if (how := each.steps[place]) in ("lose", "win"):
                await decide(world, each.dispute, how, **FEE_COMES_BACK.get(how, {}))
        known = await notices(world)
        for each in quarrels:
            for event in heard_at(place, each, known, dice) * dice.randint(1, 2):
                await in_transaction(
                    world.pool, lambda conn, event=event: store_webhook(conn, event)
                )
        await world.turn()


def heard_at(
    place: int, quarrel: Quarrel, known: Mapping[tuple[str, str], EventSeen], dice: Random
) -> list[EventSeen]:
    """Return the notice of a step, if one is heard of then, and by chance some of the refund."""
    paid = quarrel.dispute["payment_intent"]
    of_refund = [known[about, name] for about, name in known if about == paid and "refund" in name]
    of_step = known.get((quarrel.dispute["id"], quarrel.steps[place]))
    return [*([of_step] if of_step else []), *of_refund[: dice.randint(0, 2)]]


async def check(world: World, order: Bought) -> None:
    """Assert that each step was booked once, and that each side has its share."""
    booked = Counter(dict(tuple(row) for row in await world.pool.fetch(BOOKED, order.order_id)))
    assert {kind: booked[kind] for kind in ONCE} == ONCE
    lines = await part_of(world, order)
    fee = lines["stripe_fees"]
    assert lines == {
        "stripe_fees": fee,
        "stripe_balance": PRICE - fee - REFUNDED - MENTOR,
        "platform_revenue": -PLATFORM,
    }


async def try_orders(
    world: World, orders: Sequence[Sequence[str]], *, transferred: bool
) -> list[list[str]]:
    """Play some orders side by side; at the end everybody has what they would without a dispute.

    Return which ends of each dispute were told.
    """
    quarrels = await begin(world, orders, transferred=transferred)
    await play(world, quarrels, Random(15))
    await world.rest()
    await world.check_books()
    await world.advance(DELAY)
    await world.check_books()
    told = await world.facts()
    ended: list[list[str]] = []
    for each in quarrels:
        await check(world, each.order)
        assert is_told_in_order(each.order, told)
        about = [fact for fact in told if getattr(fact, "order_id", None) == each.order.order_id]
        assert sum(isinstance(fact, DisputeOpened) for fact in about) == 1
        ends = [fact.outcome for fact in about if isinstance(fact, DisputeClosed)]
        assert ends in (["won"], ["lost", "won"])
        ended.append(ends)
    received = [row["amount"] for row in await world.movements("adjustment")]
    assert sorted(received) == sorted([PRICE, -PRICE] * len(quarrels))
    return ended


@pytest.mark.parametrize("transferred", [False, True], ids=["kept", "transferred"])
async def test_a_lost_dispute_that_is_won_leaves_no_trace(
    world: World, *, transferred: bool
) -> None:
    """A sample of the orders, before the mentor has the share and after."""
    ended = await try_orders(world, Random(15).sample(ORDERS, SAMPLED), transferred=transferred)
    assert ["lost", "won"] in ended, "One loss at least is heard of before it is undone."


@pytest.mark.long
@pytest.mark.parametrize("transferred", [False, True], ids=["kept", "transferred"])
@pytest.mark.parametrize("first", range(0, len(ORDERS), AT_ONCE))
async def test_every_order_of_a_dispute_that_is_won_after_all_ends_the_same(
    world: World, first: int, *, transferred: bool
) -> None:
    """All orders, some at once."""
    await try_orders(world, ORDERS[first : first + AT_ONCE], transferred=transferred)
