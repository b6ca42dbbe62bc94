"""Whether a whole marketplace has come to rest, and when it will next act by itself.

At rest means: no service has accepted work that is not finished, nothing is due on the business
clock, every fact has been taken in by every reader, and the Stripe simulator (when there is one)
has nothing under way. Each service says what it has in two views of its schema, read as ops_reader:
`in_flight (kind, subject, since)` and `due (kind, subject, due_at)`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self, get_args

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

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    KafkaError,
    aiohttp.ClientError,
)

_GOING_ON = """
SELECT '{service} ' || kind AS what FROM {service}.in_flight
UNION ALL SELECT '{service} ' || kind || ' due' FROM {service}.due WHERE due_at <= $1
"""
_NEXT_DUE = "SELECT min(due_at) AS due_at FROM {service}.due WHERE due_at > $1"

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
    """Return when the marketplace is at rest; raises `NotAtRest` after `seconds`."""
    async with Watch(market) as watch:
        await watch.wait_for_rest(clock, seconds)


class Watch:
    """Looks at a marketplace again and again; a context whose connections are kept meanwhile.

    Connecting takes longer than looking. What breaks is connected anew at the next look.
    """

    def __init__(self, market: Marketplace) -> None:
        """Look at `market`; nothing is connected yet."""
        self._market = market
        self._lines: _Lines | None = None

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self._hang_up()

    async def wait_for_rest(self, clock: BusinessClock, seconds: float = REST_SECONDS) -> None:
        """Return when the marketplace is at rest; raises `NotAtRest` after `seconds`.

        A part that cannot be looked at (it is being restarted, say) counts as not at rest.
        """
        going_on: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while going_on := await self.what_goes_on(clock):
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            what = ", ".join(going_on)
            raise NotAtRest(f"not at rest after {seconds:g} s: {what}") from None

    async def what_goes_on(self, clock: BusinessClock) -> list[str]:
        """Return what keeps the marketplace from rest, in words; empty when it is at rest.

        One look is not enough: a fact may leave an outbox just before we look there and reach its
        reader just after we looked at Kafka. So two looks must both find nothing, and no fact may
        have been published between them.
        """
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                lines = await self._connected()
                found, ends = await lines.look(clock)
                if found:
                    return found
                found, ends_later = await lines.look(clock)
        except _AWAY as error:
            await self._hang_up()
            return [f"cannot be looked at: {type(error).__name__} {error}".rstrip()]
        return found or ([] if ends == ends_later else ["facts are being published"])

    async def next_due(self, after: datetime) -> datetime | None:
        """Return the first instant after `after` at which something happens by itself, if any."""
        async with asyncio.timeout(_LOOK_SECONDS):
            return await (await self._connected()).next_due(after)

    async def _connected(self) -> _Lines:
        if self._lines is None:
            self._lines = lines = _Lines(self._market)
            await lines.connect()
        return self._lines

    async def _hang_up(self) -> None:
        lines, self._lines = self._lines, None
        if lines:
            await lines.hang_up()


class _Lines:
    """The connections over which a marketplace is looked at."""

    def __init__(self, market: Marketplace) -> None:
        self._market = market
        self._broker = Broker(market.kafka_servers, market.topic_prefix)
        self._open = AsyncExitStack()
        self._going_on = " UNION ALL ".join(_GOING_ON.format(service=s) for s in market.services)
        self._next_due = " UNION ALL ".join(_NEXT_DUE.format(service=s) for s in market.services)

    async def connect(self) -> None:
        """Connect with all parts; what was connected when one is away waits for `hang_up`."""
        limits = aiohttp.ClientTimeout(total=_LOOK_SECONDS)
        self._http = await self._open.enter_async_context(aiohttp.ClientSession(timeout=limits))
        self._database = await asyncpg.connect(self._market.database_url, timeout=_LOOK_SECONDS)
        self._open.push_async_callback(self._database.close, timeout=_LOOK_SECONDS)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._market.kafka_servers,
            request_timeout_ms=_KAFKA_DEADLINE_MS,
            retry_backoff_ms=_KAFKA_RETRY_MS,
        )
        self._open.push_async_callback(self._consumer.stop)
        await self._consumer.start()
        self._admin = AIOKafkaAdminClient(
            bootstrap_servers=self._market.kafka_servers, request_timeout_ms=_KAFKA_DEADLINE_MS
        )
        self._open.push_async_callback(self._admin.close)
        await self._admin.start()

    async def hang_up(self) -> None:
        """Close what is open; what is away already is let go."""
        with suppress(*_AWAY):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._open.aclose()

    async def look(self, clock: BusinessClock) -> tuple[list[str], Ends]:
        """Return what goes on by one look and, when nothing does, where every partition ends."""
        rows = await self._database.fetch(self._going_on, clock.now())
        if rows:
            counted = Counter(str(row["what"]) for row in rows)
            return [f"{count} × {what}" for what, count in sorted(counted.items())], {}
        if self._market.simulator_url and not (await self._ask("rest"))["resting"]:
            return ["the Stripe simulator is working"], {}
        return await self._behind()

    async def next_due(self, after: datetime) -> datetime | None:
        """Return the first instant after `after` that a service or the simulator waits for."""
        rows = await self._database.fetch(self._next_due, after)
        instants = [row["due_at"] for row in rows]
        if self._market.simulator_url and (answer := await self._ask("due"))["next"]:
            instants.append(datetime.fromisoformat(str(answer["next"])))
        return min((each for each in instants if each and each > after), default=None)

    async def _behind(self) -> tuple[list[str], Ends]:
        """Return which readers have facts before them, and where every partition ends."""
        rows = await progress_of(self._admin, self._consumer, self._broker, self._market.services)
        lags: Counter[str] = Counter()
        for row in rows:
            lags[row.reader] += row.lag
        found = [f"{reader} has {lag} facts before it" for reader, lag in lags.items() if lag]
        return found, {(row.topic, row.partition): row.end for row in rows}

    async def _ask(self, what: str) -> dict[str, object]:
        url = f"{self._market.simulator_url}/_sim/{what}"
        async with self._http.get(url, raise_for_status=True) as answer:
            return await answer.json()
