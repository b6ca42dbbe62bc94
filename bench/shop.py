"""Payments at work for a benchmark, as in production: processes, Kafka, and Stripe's simulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from joserfc.jwk import ECKey

from bench.engines import Engines
from bench.servers import Api, environment, key_set, server
from bench.topics import own_topics
from shared.bus import Broker
from shared.contracts.booking import BookingHeld
from shared.contracts.envelope import enclose
from shared.contracts.topics import TOPICS
from shared.db import Pool, open_pool
from shared.ids import PersonId, new_id
from shared.outbox import Record

SECRET = "whsec_bench"  # noqa: S105  Of this run alone.
STRIPE_KEY = "sk_test_bench"
NOWHERE = "http://127.0.0.1:9/"
"""Where Stripe's notices go as long as they are dropped."""
PRICE_MINOR = 12_000
WAIT_SECONDS, POLL_SECONDS = 900.0, 0.2


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

    async def tell_stripe(self, path: str, given: dict[str, Any]) -> None:
        """Use a control of the simulator."""
        async with self.stripe.post(f"/_sim{path}", json=given) as answer:
            answer.raise_for_status()

    async def let_stripe_tell(self) -> None:
        """Let Stripe's notices of what happens from now on come to our API."""
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        given = {"url": f"{self.api.url}/webhooks/stripe"}
        where = "/v1/webhook_endpoints/we_platform"
        async with self.stripe.post(where, data=given, headers=headers) as answer:
            answer.raise_for_status()
        await self.tell_stripe("/webhooks", {"mode": "normal"})

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
        told = ("--platform-webhook", NOWHERE, "--platform-secret", SECRET)
        stripe = await ends.enter_async_context(server(("simulators.stripe", *told), environment()))
        env = environment() | {
            "PAYMENTS_DATABASE_URL": url,
            "PAYMENTS_STRIPE_KEY": STRIPE_KEY,
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
        opened = Shop(Api(api, key), pool, broker, session, [])
        await opened.tell_stripe("/webhooks", {"mode": "drop"})
        yield opened


def held(order_id: UUID, mentee_id: PersonId) -> Record:
    """Return the fact that somebody holds a session, as booking announces it."""
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
