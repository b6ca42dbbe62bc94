"""Several workers at once: each call is made once, each due thing done once, whoever is killed."""

from __future__ import annotations

import asyncio

from services.payments.workers.loops import loops
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.process import Loop
from tests.payments.conftest import DELAY, HOLD, NOON, World

ORDERS = 6


async def test_three_workers_do_everything_once(world: World) -> None:
    """Three replicas race on pages, payments, refunds and releases: one effect each."""
    world.loops = [*world.loops, *_more(world), *_more(world)]
    bought = [await world.hold() for _ in range(ORDERS)]
    await _race(world)
    for order in bought[: ORDERS - 1]:
        await world.pay(order)
    await _race(world)
    for order in bought[:2]:
        await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    for order in bought[2 : ORDERS - 1]:
        await world.say(booking.SessionCompleted, order, by="mentee", completed_at=NOON)
    await _race(world)
    world.clock.instant += max(DELAY, HOLD)
    await _race(world)
    assert len(await world.told(facts.CheckoutOpened)) == ORDERS
    assert len(await world.told(facts.PaymentSucceeded)) == ORDERS - 1
    assert len(await world.told(facts.RefundIssued)) == 2
    assert len(await world.told(facts.EarningsReleased)) == ORDERS - 1
    assert len(await world.told(facts.CheckoutClosed)) == 1
    await world.check_books()


def _more(world: World) -> list[Loop]:
    return loops(world.pool, world.gateway, world.clock)


async def _race(world: World) -> None:
    """Turn all loops at the same time, then let the rest come to an end."""
    await asyncio.gather(*(loop.step() for loop in world.loops))
    await world.rest()
