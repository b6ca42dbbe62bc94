"""Stripe's notices in a burst, out of order and doubled, beside people who look at their checkouts.

Everything is as in production: API and worker of payments are processes of their own, booking's
facts come through Kafka, and the Stripe simulator answers the calls. It holds back its notices; the
burst is made of them, each signed when it is sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import quantiles
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from joserfc.jwk import ECKey

from bench.engines import Engines
from bench.load import Answers, fire, request
from bench.rounds import UnequalWork, Value
from bench.servers import Api, environment, key_set, server
from bench.topics import own_topics
from shared.bus import Broker, Producer
from shared.clock import monotonic_seconds
from shared.contracts.booking import BookingHeld
from shared.contracts.envelope import enclose
from shared.contracts.topics import TOPICS
from shared.db import Pool, open_pool
from shared.ids import PersonId, new_id
from shared.outbox import Record
from simulators.stripe.webhooks import signature

SECRET = "whsec_bench"  # noqa: S105  Of this run alone.
PRICE_MINOR = 12_000
NOTICES_PER_PURCHASE = 100
FEWEST_PURCHASES, MOST_PURCHASES = 8, 200
DOUBLED = 10
"""Of so many notices one comes twice."""
AT_A_TIME = 1_000
"""So many are signed at once: a signature is good for five minutes."""
MOST_LOOKS, LOOKS_PER_BUYER, LOOKERS = 400, 10, 2
WAIT_SECONDS, POLL_SECONDS = 900.0, 0.2
STATES = "SELECT count(*) FROM orders WHERE state = $1"
STORED = "SELECT count(*) FROM webhooks"
LEFT = """
SELECT (SELECT count(*) FROM webhooks WHERE state = 'waiting')
     + (SELECT count(*) FROM operations WHERE state IN ('planned', 'sent'))
"""
PAYMENTS = "SELECT count(*) FROM ledger_entries WHERE kind = 'payment'"
PAGES = "SELECT checkout_id FROM orders"


@dataclass
class Shop:
    """Payments at work: its API, its database, the simulator, and who bought what."""

    api: Api
    pool: Pool
    broker: Broker
    stripe: aiohttp.ClientSession
    buyers: list[tuple[UUID, PersonId]]

    async def count(self, query: str, *arguments: object) -> int:
        """Return the one number that a query gives."""
        return int(await self.pool.fetchval(query, *arguments))

    async def until(self, true: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is true; raises `TimeoutError` when it takes too long."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not await true():
                await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def shop(engines: Engines) -> AsyncGenerator[Shop]:
    """Run payments on engines of a benchmark."""
    url, key = await engines.new_database("payments"), ECKey.generate_key("P-256", {"kid": "bench"})
    async with AsyncExitStack() as ends:
        topics = [topic.name for topic in TOPICS]
        broker = await ends.enter_async_context(own_topics(engines.kafka, *topics))
        keys = await ends.enter_async_context(key_set(key))
        stripe = await ends.enter_async_context(server(("simulators.stripe",), environment()))
        env = environment() | {
            "PAYMENTS_DATABASE_URL": url,
            "PAYMENTS_STRIPE_KEY": "sk_test_bench",
            "PAYMENTS_STRIPE_BASE_URL": stripe,
            "PAYMENTS_STRIPE_WEBHOOK_SECRETS": SECRET,
            "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": SECRET,
            "PAYMENTS_WEB_URL": "http://web.test",
            "PROFILES_JWKS_URL": keys,
            "KAFKA_BOOTSTRAP_SERVERS": broker.servers,
            "KAFKA_TOPIC_PREFIX": broker.topic_prefix,
        }
        await ends.enter_async_context(server(("services.payments", "worker"), env))
        api = await ends.enter_async_context(server(("services.payments", "api"), env))
        pool = await open_pool(url, process="bench")
        ends.push_async_callback(pool.close)
        session = await ends.enter_async_context(aiohttp.ClientSession(stripe))
        yield Shop(Api(api, key), pool, broker, session, [])


async def measure_burst(engines: Engines, notices: int) -> list[Value]:
    """Send that many notices while people look at their checkouts; raises `UnequalWork`."""
    async with shop(engines) as opened:
        await _sell(opened, _purchases(notices))
        burst, distinct = await _burst(opened, notices)
        quiet = await _looks(opened)
        began = monotonic_seconds()
        sending = asyncio.create_task(_send(opened, burst))
        beside = await _looks_during(opened, sending)
        stored = monotonic_seconds() - began

        async def is_over() -> bool:
            return await opened.count(LEFT) == 0

        await opened.until(is_over)
        obeyed = monotonic_seconds() - began
        await _check(opened, distinct)
    return [
        Value("j", f"notices stored, burst of {notices:,}", "notices/s", (notices / stored,)),
        Value("j", f"burst of {notices:,} until all is obeyed", "s", (obeyed,)),
        Value("j", "look at a checkout, p99, quiet", "ms", (_p99(quiet),)),
        Value("j", "look at a checkout, p99, beside the burst", "ms", (_p99(beside),)),
    ]


def _purchases(notices: int) -> int:
    return max(FEWEST_PURCHASES, min(MOST_PURCHASES, notices // NOTICES_PER_PURCHASE))


async def _sell(opened: Shop, purchases: int) -> None:
    """Let people hold and pay; Stripe's notices of it stay with Stripe."""
    opened.buyers += [(uuid4(), PersonId(uuid4())) for _ in range(purchases)]
    producer = Producer(opened.broker)
    try:
        await producer.send_all([_held(*buyer) for buyer in opened.buyers])
    finally:
        await producer.close()

    async def all_open() -> bool:
        return await opened.count(STATES, "open") == purchases

    await opened.until(all_open)
    for row in await opened.pool.fetch(PAGES):
        async with opened.stripe.post(f"/_sim/checkout/{row['checkout_id']}/pay", json={}) as paid:
            paid.raise_for_status()


def _held(order_id: UUID, mentee_id: PersonId) -> Record:
    now = datetime.now(UTC)
    fact = BookingHeld.model_validate(
        {
            "order_id": order_id, "session_id": uuid4(), "mentor_id": uuid4(),
            "mentee_id": mentee_id, "starts_at": now + timedelta(days=3),
            "ends_at": now + timedelta(days=3, hours=1), "calendar_sequence": 0, "version": 1,
            "offering_id": uuid4(), "title": "One hour on your next step",
            "price_minor": PRICE_MINOR, "currency": "USD", "hold_until": now + timedelta(hours=1),
            "policy": {"preset": "standard", "policy_version": 1}, "sessions": [],
        }
    )  # fmt: skip
    event = enclose(fact, event_id=new_id(), source="/services/booking", time=now)
    return Record(fact.topic, event.subject.encode(), event.value(), event.headers())


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


async def _send(opened: Shop, burst: Sequence[bytes]) -> None:
    for first in range(0, len(burst), AT_A_TIME):
        signed = [_signed(body) for body in burst[first : first + AT_A_TIME]]
        _expect(await fire(opened.api.url, signed), len(signed))


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


async def _looks_during(opened: Shop, sending: asyncio.Task[None]) -> Sequence[float]:
    waits: list[float] = []
    while not sending.done():
        waits += await _looks(opened)
    await sending
    return waits


def _expect(answers: Answers, count: int) -> None:
    if answers.statuses != {200: count}:
        raise UnequalWork(f"{count} requests were answered with {dict(answers.statuses)}")


async def _check(opened: Shop, distinct: int) -> None:
    """Raise `UnequalWork` unless each notice is there once and each purchase is paid once."""
    bought = len(opened.buyers)
    wanted = {STORED: distinct, PAYMENTS: bought}
    for query, number in wanted.items():
        if (found := await opened.count(query)) < number or (query == PAYMENTS and found > number):
            raise UnequalWork(f"{query}: {found} instead of {number}")
    if await opened.count(STATES, "paid") != bought:
        raise UnequalWork("not every purchase is paid")


def _p99(waits: Sequence[float]) -> float:
    return quantiles(waits, n=100, method="inclusive")[98] * 1_000
