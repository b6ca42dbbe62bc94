"""Whether a whole marketplace has come to rest, and when it will next act by itself.

At rest means: no service has accepted work that is not finished, nothing is due on the business
clock, every fact has been taken in by every reader, and the Stripe simulator (when there is one)
has nothing under way. Each service says what it has in two views of its schema, read as ops_reader:
`in_flight (kind, subject, since)` and `due (kind, subject, due_at)`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.lag import progress_of
from shared.bus import Broker
from shared.clock import BusinessClock
from shared.contracts.topics import Service

ALL_SERVICES: tuple[Service, ...] = get_args(Service)
REST_SECONDS = 120.0
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 15.0
_KAFKA_DEADLINE_MS = 5_000
_KAFKA_RETRY_MS = 10
"""The client asks for each topic's leader after one such pause; the default makes a look slow."""

_IN_FLIGHT = "SELECT kind FROM {schema}.in_flight"
_OVERDUE = "SELECT kind FROM {schema}.due WHERE due_at <= $1"
_NEXT_DUE = "SELECT min(due_at) FROM {schema}.due WHERE due_at > $1"

Ends = dict[tuple[str, int], int]
"""Where each partition that somebody reads ends, by topic and number."""


@dataclass(frozen=True)
class Marketplace:
    """Where to look: the database as ops_reader, Kafka, and the simulator unless Stripe is real."""

    database_url: str
    kafka_servers: str
    topic_prefix: str = ""
    simulator_url: str | None = None
    services: tuple[Service, ...] = ALL_SERVICES


class NotAtRest(TimeoutError):
    """The marketplace did not come to rest in time; says what was still going on."""


async def wait_for_rest(
    market: Marketplace, clock: BusinessClock, seconds: float = REST_SECONDS
) -> None:
    """Return when the marketplace is at rest; raises `NotAtRest` after `seconds`.

    A part that cannot be looked at (it is being restarted, say) counts as not at rest.
    """
    going_on: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while going_on := await what_goes_on(market, clock):
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise NotAtRest(f"not at rest after {seconds:g} s: {', '.join(going_on)}") from None


async def what_goes_on(market: Marketplace, clock: BusinessClock) -> list[str]:
    """Return what keeps the marketplace from rest, in words; empty when it is at rest.

    One look is not enough: a fact may leave an outbox just before we look there and reach its
    reader just after we looked at Kafka. So two looks must both find nothing, and no fact may have
    been published between them.
    """
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            found, ends = await _look(market, clock)
            if found:
                return found
            found, ends_later = await _look(market, clock)
    except (OSError, TimeoutError, asyncpg.PostgresError, KafkaError, aiohttp.ClientError) as error:
        return [f"cannot be looked at: {type(error).__name__} {error}".rstrip()]
    return found or ([] if ends == ends_later else ["facts are being published"])


async def next_due(market: Marketplace, after: datetime) -> datetime | None:
    """Return the first instant after `after` at which something happens by itself, if any."""
    connection = await asyncpg.connect(market.database_url, timeout=_LOOK_SECONDS)
    try:
        queries = (_NEXT_DUE.format(schema=service) for service in market.services)
        instants = [await connection.fetchval(query, after) for query in queries]
    finally:
        await connection.close()
    if market.simulator_url and (answer := await _ask(f"{market.simulator_url}/_sim/due"))["next"]:
        instants.append(datetime.fromisoformat(str(answer["next"])))
    return min((each for each in instants if each and each > after), default=None)


async def _look(market: Marketplace, clock: BusinessClock) -> tuple[list[str], Ends]:
    found = await _unfinished(market, clock)
    if not found and market.simulator_url:
        resting = (await _ask(f"{market.simulator_url}/_sim/rest"))["resting"]
        found = [] if resting else ["the Stripe simulator is working"]
    return (found, {}) if found else await _behind(market)


async def _unfinished(market: Marketplace, clock: BusinessClock) -> list[str]:
    """Count what is in flight and what is overdue, by service and kind."""
    counted: Counter[str] = Counter()
    connection = await asyncpg.connect(market.database_url, timeout=_LOOK_SECONDS)
    try:
        for service in market.services:
            in_flight = await connection.fetch(_IN_FLIGHT.format(schema=service))
            overdue = await connection.fetch(_OVERDUE.format(schema=service), clock.now())
            counted.update(f"{service} {row['kind']}" for row in in_flight)
            counted.update(f"{service} {row['kind']} due" for row in overdue)
    finally:
        await connection.close()
    return [f"{count} × {what}" for what, count in sorted(counted.items())]


async def _behind(market: Marketplace) -> tuple[list[str], Ends]:
    """Return which readers have facts before them, and where every partition ends."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=market.kafka_servers,
        request_timeout_ms=_KAFKA_DEADLINE_MS,
        retry_backoff_ms=_KAFKA_RETRY_MS,
    )
    admin = AIOKafkaAdminClient(
        bootstrap_servers=market.kafka_servers, request_timeout_ms=_KAFKA_DEADLINE_MS
    )
    try:
        await consumer.start()
        await admin.start()
        return await _lags(market, admin, consumer)
    finally:
        await consumer.stop()
        await admin.close()


async def _lags(
    market: Marketplace, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
) -> tuple[list[str], Ends]:
    broker = Broker(market.kafka_servers, market.topic_prefix)
    rows = await progress_of(admin, consumer, broker, market.services)
    lags: Counter[str] = Counter()
    for row in rows:
        lags[row.reader] += row.lag
    found = [f"{reader} has {lag} facts before it" for reader, lag in lags.items() if lag]
    return found, {(row.topic, row.partition): row.end for row in rows}


async def _ask(url: str) -> dict[str, object]:
    limits = aiohttp.ClientTimeout(total=_LOOK_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=limits) as session,
        session.get(url, raise_for_status=True) as answer,
    ):
        return await answer.json()
