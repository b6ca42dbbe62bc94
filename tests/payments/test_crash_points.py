"""P13: whoever is killed at any boundary of the money's paths, everything ends as without (P13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from shared.auth import Role
from shared.contracts import booking
from shared.ids import new_id
from tests.engines import Database
from tests.payments.conftest import DELAY, HOLD, World
from tests.payments.crashing import Story, play
from tests.payments.test_disputes import complete, decide, dispute
from tests.payments.test_mending import mend
from tests.payments.test_recovery import earned, lend, refund

PAID_OUT = timedelta(days=5)
TO_THE_BANK = timedelta(days=2)
AND_BACK = timedelta(days=4)
"""What a card paid is there after two days, leaves at the next midnight, and comes back by then."""
SEED, DEATHS = 11, 10
REFUND = "SELECT stripe_refund_id FROM refunds WHERE order_id = $1"
NewDatabase = Callable[..., Awaitable[Database]]


async def payment(world: World) -> None:
    """Sell a session, and pay for another when its time is sold already.

    We hear of the payment only when we have asked Stripe to close its page.
    """
    await world.buy()
    late = await world.hold()
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "hold"})
    await world.pay(late)
    world.clock.instant += HOLD
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "webhooks/release", {})
    await world.rest()
    await world.say(booking.BookingExpired, late)
    await world.rest()
    await world.say(booking.BookingLost, late, reason="time_sold")
    await world.rest()


async def closing(world: World) -> None:
    """Hold a session that nobody pays."""
    await world.hold()
    await world.rest()
    await world.advance(HOLD + timedelta(minutes=5))


async def refunding(world: World) -> None:
    """Cancel a session: half goes back, the rest is earned."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.rest()
    await world.advance(DELAY)


async def transfer_and_payout(world: World) -> None:
    """Let a session take place: its share goes to the account, and to the bank."""
    mentor = new_id()
    await world.connect(mentor)
    await earned(world, mentor)
    await world.advance(PAID_OUT)


async def reversing(world: World) -> None:
    """Refund after the transfer: the mentor's part of it is taken back."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await refund(world, order, amount_minor=4_000)
    await world.rest()


async def disputing(world: World) -> None:
    """Win a dispute: the bank takes the money, and gives it back."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await complete(world, order)
    opened = await dispute(world, order, 5_000)
    await world.rest()
    await decide(world, opened, "win")
    await world.rest()
    await world.advance(DELAY)


async def losing(world: World) -> None:
    """Lose a dispute after the transfer, with evidence: the mentor's share is taken back."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    opened = await dispute(world, order)
    await world.rest()
    path = f"/v1/operator/disputes/{opened['id']}/evidence"
    said = {"uncategorized_text": "losing_evidence", "reason": "They met"}
    answer = await world.call("POST", path, new_id(), Role.OPERATOR, body=said)
    assert answer[0] == 202, answer
    await world.rest()


async def paying_out_again(world: World) -> None:
    """Let a bank send a payout back; the mentor corrects the account, and it is paid again."""
    mentor = new_id()
    account = await world.connect(mentor)
    await earned(world, mentor)
    await world.sim("POST", "payouts/fail_next", {"account": account})
    await world.advance(AND_BACK)
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.advance(TO_THE_BANK)
    states = await world.pool.fetch("SELECT state FROM payouts WHERE mentor_id = $1", mentor)
    assert sorted(row["state"] for row in states) == ["failed", "paid"]


async def refunding_again(world: World) -> None:
    """Let a bank send a refund back; an operator has it made again."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    returned = await world.pool.fetchval(REFUND, order.order_id)
    assert (await world.sim("POST", f"refunds/{returned}/fail", {}))[0] == 200
    await world.rest()
    assert (await mend(world, order, "retry"))[0] == 202
    await world.rest()
    assert await world.pool.fetchval(REFUND, order.order_id) != returned


STORIES: dict[str, Story] = {
    "payment": payment,
    "closing": closing,
    "refund": refunding,
    "transfer and payout": transfer_and_payout,
    "reversal": reversing,
    "dispute": disputing,
    "dispute lost": losing,
    "payout sent again": paying_out_again,
    "refund sent again": refunding_again,
}
CALLS = {
    "payment": {"checkout.create", "checkout.retrieve", "checkout.expire", "refund.create"},
    "closing": {"checkout.expire"},
    "refund": {"refund.create", "transfer.create"},
    "transfer and payout": {"account.create", "transfer.create", "payout.retrieve"},
    "reversal": {"transfer.create", "transfer.reverse", "refund.create"},
    "dispute": {"dispute.retrieve"},
    "dispute lost": {"dispute.retrieve", "dispute.submit", "transfer.reverse"},
    "payout sent again": {"account.create", "transfer.create", "payout.retrieve"},
    "refund sent again": {"refund.create", "refund.retrieve"},
}
"""What each story must at least be killed at, before and after."""
SAMPLED = ("dispute", "dispute lost", "payout sent again", "refund sent again")


async def sampled(world: World) -> None:
    """Play some of the stories, one after another, on a balance that is never short."""
    await lend(world)
    for name in SAMPLED:
        await STORIES[name](world)


async def test_deaths_at_some_boundaries_change_nothing(database: NewDatabase) -> None:
    """Ten deaths by dice in some of the paths, one after another; all their calls are places."""
    whole, passed = await play(await database("payments"), sampled)
    words = " ".join(passed)
    for call in (call for name in SAMPLED for call in CALLS[name]):
        assert f"before {call} is sent" in words
        assert f"after {call} is answered" in words
    fatal = Random(SEED).sample(range(len(passed)), DEATHS)
    ended, _ = await play(await database("payments"), sampled, fatal)
    assert ended == whole, [passed[each] for each in sorted(fatal)]


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
async def test_a_death_at_any_boundary_changes_nothing(database: NewDatabase, name: str) -> None:
    """Every boundary of each path, one by one."""
    whole, passed = await play(await database("payments"), STORIES[name])
    assert all(f"before {call} is sent" in " ".join(passed) for call in CALLS[name])
    wrong: list[str] = []
    for fatal, place in enumerate(passed):
        ended, _ = await play(await database("payments"), STORIES[name], [fatal])
        if ended != whole:
            wrong.append(f"{fatal}, {place}: {ended - whole} instead of {whole - ended}")
    assert not wrong, "\n".join(wrong)
