"""Stripe's notices in a burst, out of order and doubled, beside people who buy and who look.

Everything is as in production: API and worker of payments are processes of their own, booking's
facts come through Kafka, and the Stripe simulator answers the calls. It drops its notices of what
is sold at first; the burst is made of them, each signed when it is sent. Of people who hold and pay
beside it, and before it in quiet, the simulator itself tells our API.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID, uuid4

from bench.checkouts import Visit, Visits, over_quiet, p99, waits
from bench.engines import Engines
from bench.load import Answers, fire, request
from bench.rounds import Measurement, UnequalWork, Value
from bench.shop import SECRET, Shop, held, shop
from shared.bus import Producer
from shared.clock import monotonic_seconds
from shared.ids import PersonId
from simulators.stripe.webhooks import signature

NOTICES_PER_PURCHASE = 100
FEWEST_PURCHASES, MOST_PURCHASES = 8, 200
DOUBLED = 10
"""Of so many notices one comes twice."""
AT_A_TIME = 1_000
"""So many are signed at once: a signature is good for five minutes."""
MOST_LOOKS, LOOKS_PER_BUYER, LOOKERS = 400, 10, 2
NOTICES_PER_VISIT = 500
FEWEST_VISITS, MOST_VISITS = 3, 100
"""So many people buy in quiet; beside the burst they come as long as it is sent."""
STATES = "SELECT count(*) FROM orders WHERE state = $1"
STORED = "SELECT count(*) FROM webhooks"
LEFT = """
SELECT (SELECT count(*) FROM webhooks WHERE state = 'waiting')
     + (SELECT count(*) FROM operations WHERE state IN ('planned', 'sent'))
"""
PAYMENTS = "SELECT count(*) FROM ledger_entries WHERE kind = 'payment'"
PAGES = "SELECT checkout_id FROM orders"


@dataclass
class Live:
    """What people did for a while: how long each look took, and who bought."""

    looks: Sequence[float]
    visits: Sequence[Visit]


async def measure_burst(engines: Engines, notices: int) -> list[Measurement | Value]:
    """Send that many notices while people buy, and look at checkouts; raises `UnequalWork`."""
    async with shop(engines) as opened:
        await _sell(
            opened, _between(FEWEST_PURCHASES, MOST_PURCHASES, notices // NOTICES_PER_PURCHASE)
        )
        burst, distinct = await _burst(opened, notices)
        await opened.let_stripe_tell()
        visits = _between(FEWEST_VISITS, MOST_VISITS, notices // NOTICES_PER_VISIT)
        quiet = await _live(opened, visits, lambda: False)
        began = monotonic_seconds()
        sending = asyncio.create_task(_send(opened, burst))
        beside = await _live(opened, FEWEST_VISITS, lambda: not sending.done())
        stored = await sending

        async def is_over() -> bool:
            return await opened.count(LEFT) == 0

        await opened.until(is_over)
        obeyed = monotonic_seconds() - began
        await _check(opened, distinct, len(quiet.visits) + len(beside.visits))
    return [
        Value("j", f"notices stored, burst of {notices:,}", "notices/s", (notices / stored,)),
        Value("j", f"burst of {notices:,} until all is obeyed", "s", (obeyed,)),
        over_quiet("j", "look at a checkout, p99, in a burst", p99(beside.looks), p99(quiet.looks)),
        *waits("j", "in a burst", beside.visits, quiet.visits),
    ]


def _between(fewest: int, most: int, number: int) -> int:
    return max(fewest, min(most, number))


async def _live(opened: Shop, fewest: int, still: Callable[[], bool]) -> Live:
    """Let people buy and look as long as something lasts, at least `fewest`, until all are paid."""
    visits = Visits(opened)
    async with asyncio.TaskGroup() as group:
        group.create_task(visits.come(fewest, still))
        looks = list(await _looks(opened))
        while still():
            looks += await _looks(opened)
    return Live(looks, visits.done)


async def _sell(opened: Shop, purchases: int) -> None:
    """Let people hold and pay; Stripe's notices of it are dropped."""
    opened.buyers += [(uuid4(), PersonId(uuid4())) for _ in range(purchases)]
    producer = Producer(opened.broker)
    try:
        await producer.send_all([held(*buyer) for buyer in opened.buyers])
    finally:
        await producer.close()

    async def all_open() -> bool:
        return await opened.count(STATES, "open") == purchases

    await opened.until(all_open)
    for row in await opened.pool.fetch(PAGES):
        await opened.tell_stripe(f"/checkout/{row['checkout_id']}/pay", {})


async def _burst(opened: Shop, notices: int) -> tuple[list[bytes], int]:
    """Return notices in no order, some of them doubled; and how many different ones they are.

    There are more of them than things that happened: Stripe tells of one change in many ways.
    """
    async with opened.stripe.get("/_sim/history") as answer:
        happened: list[dict[str, Any]] = (await answer.json())["objects"]["event"]
    dice = Random(notices)  # noqa: S311  The same burst each time.
    distinct = notices - notices // DOUBLED
    told = [
        json.dumps({**happened[number % len(happened)], "id": f"evt_{number}"}).encode()
        for number in range(distinct)
    ]
    burst = told + dice.sample(told, notices - distinct)
    dice.shuffle(burst)
    return burst, distinct


async def _send(opened: Shop, burst: Sequence[bytes]) -> float:
    """Send all, and return how long that took."""
    began = monotonic_seconds()
    for first in range(0, len(burst), AT_A_TIME):
        signed = [_signed(body) for body in burst[first : first + AT_A_TIME]]
        _expect(await fire(opened.api.url, signed), len(signed))
    return monotonic_seconds() - began


def _signed(body: bytes) -> bytes:
    mark = signature(body.decode(), [SECRET], int(time.time()))
    return request("POST", "/webhooks/stripe", {"Stripe-Signature": mark}, body)


async def _looks(opened: Shop) -> Sequence[float]:
    looks = min(MOST_LOOKS, LOOKS_PER_BUYER * len(opened.buyers))
    asked = [
        request("GET", f"/v1/checkouts/{order_id}", {"Authorization": f"Bearer {token}"})
        for number in range(looks)
        for order_id, token in [_buyer(opened, number)]
    ]
    answers = await fire(opened.api.url, asked, LOOKERS)
    _expect(answers, looks)
    return answers.waits


def _buyer(opened: Shop, number: int) -> tuple[UUID, str]:
    # A person may ask 20 times a second: everybody looks in turn.
    order_id, person_id = opened.buyers[number % len(opened.buyers)]
    return order_id, opened.api.token(person_id)


def _expect(answers: Answers, count: int) -> None:
    if answers.statuses != {200: count}:
        raise UnequalWork(f"{count} requests were answered with {dict(answers.statuses)}")


async def _check(opened: Shop, distinct: int, visits: int) -> None:
    """Raise `UnequalWork` unless each notice is there once and each purchase is paid once."""
    bought = len(opened.buyers) + visits
    wanted = {STORED: distinct, PAYMENTS: bought}
    for query, number in wanted.items():
        if (found := await opened.count(query)) < number or (query == PAYMENTS and found > number):
            raise UnequalWork(f"{query}: {found} instead of {number}")
    if await opened.count(STATES, "paid") != bought:
        raise UnequalWork("not every purchase is paid")
