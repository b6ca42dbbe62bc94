"""A marketplace of the real parts in one process, for planting troubles and watching them.

PostgreSQL, Kafka, the Stripe simulator and a mail server are real; workers' loops are turned by
hand, so that a trouble lasts until its runbook was followed.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import time
from typing import Any

import aiohttp
import asyncpg
import yaml
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from ops.cli import app as ops
from services.booking.store import gauges as booking
from services.notifications.events import hear
from services.notifications.gateway import MailServer
from services.notifications.store import gauges as notifications
from services.notifications.workers import Postman
from services.payments.gateway.calls import StripeGateway
from services.payments.store import gauges as payments
from services.profiles.store import gauges as profiles
from shared.auth import Verifier
from shared.clock import BusinessClock, FixedClock, SystemBusinessClock
from shared.contracts.topics import Service
from shared.db import Pool, open_pool
from shared.health import KIT_GAUGES, Gauges, add_health
from shared.inbox import Inbox
from shared.limits import Limiter
from shared.telemetry import Measure
from shared.web.api import ANYONE, Api, Call
from shared.web.server import Surroundings, build
from shared.web.shapes import View
from tests.engines import Database, KafkaServer
from tests.notifications.conftest import (
    HOST,
    NOW,
    SEAL_KEY,
    SENDER,
    Mailbox,
    Marketplace,
    open_secret,
)
from tests.ops.promql import REPOSITORY, Shown
from tests.payments.conftest import World, open_world

OWN: Mapping[Service, Sequence[Measure]] = {
    "profiles": profiles.GAUGES,
    "booking": booking.GAUGES,
    "payments": payments.GAUGES,
    "notifications": notifications.GAUGES,
}
COMMAND = re.compile(r"^\$ (.+)$", re.MULTILINE)
CONTAINERS = set(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"])
PROCESSES = {f"{service}-{role}" for service in OWN for role in ("api", "worker")}
COMPOSE_VERBS = {"logs", "ps", "restart", "run", "stats", "stop", "top", "up"}
SMALL_POOL = 4
WRONG_OR_WELL = (0, 1)
"""How a command that looks may end: it found nothing, or something."""


class Done(View):
    """A request went well."""


@dataclass
class Watched:
    """A process as Prometheus sees it: an address that shows /metrics, and does some work."""

    service: Service
    pool: Pool
    clock: BusinessClock
    handler: Callable[[], Awaitable[None]] | None = None
    url: str = ""
    _server: TestServer | None = None

    async def start(self) -> None:
        """Listen anew."""
        self.own = Gauges(self.pool, OWN[self.service], self.clock)
        api = Api(self.service)
        api.get("/v1/work", may=ANYONE)(self.work)
        limiter = Limiter(self.pool)
        around = Surroundings(lambda: self.pool, self.clock, Verifier(_nobody), lambda: limiter)
        app = build(api, around)
        kit = Gauges(self.pool, KIT_GAUGES, self.clock)
        add_health(app, api, "1", self.pool, kit, asyncio.Event())
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = str(self._server.make_url(""))

    async def stop(self) -> None:
        """Be gone."""
        assert self._server
        await self._server.close()

    async def work(self, call: Call) -> Done:
        """Do what the trouble wants."""
        del call
        if self.handler:
            await self.handler()
        return Done()

    async def asked(self, times: int) -> None:
        """Be asked for something, so that there is something to measure."""
        async with aiohttp.ClientSession(self.url) as session:
            for _ in range(times):
                async with session.get("/v1/work") as answer:
                    await answer.read()

    async def look(self, *, own: bool = True) -> Shown:
        """Read what it shows now, as Prometheus does."""
        target = {"job": "mentorium", "instance": "x", "process": f"{self.service}-worker"}
        shown = Shown(time())
        for name in PROCESSES - {target["process"]}:
            shown.up(1, job="mentorium", instance="elsewhere", process=name)
        try:
            if own:
                await self.own.step(anew=True)
            async with (
                aiohttp.ClientSession(self.url) as session,
                session.get("/metrics") as answer,
            ):
                shown.add(await answer.text(), **target)
            shown.up(1, **target)
        except (aiohttp.ClientError, asyncpg.InterfaceError):
            shown.up(0, **target)
        shown.at = time()
        return shown


async def _nobody() -> Any:
    raise NotImplementedError


@dataclass
class Ward:
    """Everything a trouble may be planted in."""

    database: Database
    kafka: KafkaServer
    prefix: str
    world: World
    mail: Marketplace
    watched: Mapping[Service, Watched]
    environment: dict[str, str] = field(default_factory=dict[str, str])

    async def spoil(self, sql: str, *arguments: Any) -> None:
        """Change something behind everybody's back, with every guard switched off."""
        conn = await asyncpg.connect(self.database.superuser_url)
        try:
            await conn.execute("SET session_replication_role = replica")
            await conn.execute(sql, *arguments)
        finally:
            await conn.close()

    async def follow(self, commands: str, names: Mapping[str, str], endings: Sequence[int]) -> None:
        """Type the commands of a runbook; fail when one ends otherwise than in `endings`."""
        found = COMMAND.findall(commands)
        assert found, "a runbook says what to type"
        for line in found:
            for name, value in names.items():
                line = line.replace(f"<{name}>", value)
            assert "<" not in line, f"nobody knows what to fill in: {line}"
            await self._type(shlex.split(line), endings)

    async def _type(self, words: list[str], endings: Sequence[int]) -> None:
        if words[:3] == ["python", "-m", "ops"]:
            ended = await asyncio.to_thread(
                CliRunner().invoke, ops, words[3:], env=self.environment
            )
            assert ended.exit_code in endings, f"{words}: {ended.output}{ended.exception}"
        elif words[0] == "psql":
            conn = await asyncpg.connect(self.database.ops_url)
            assert await conn.fetch(words[words.index("-c") + 1])
            await conn.close()
        else:
            # No engine for containers runs here: what they would do, the trouble does at the end.
            assert words[:2] == ["docker", "compose"]
            assert words[2] in COMPOSE_VERBS
            named = [word for word in words[3:] if re.fullmatch(r"[a-z]+-[a-z]+", word)]
            assert set(named) <= CONTAINERS


@asynccontextmanager
async def open_ward(database: Database, kafka: KafkaServer, prefix: str) -> AsyncGenerator[Ward]:
    """Give a ward on a database where all services are migrated."""
    async with AsyncExitStack() as ends:

        async def pool_of(service: Service, largest: int = SMALL_POOL) -> Pool:
            made = await open_pool(database.app_url(service), process="test", largest=largest)
            ends.push_async_callback(asyncio.wait_for, made.close(), 10)
            return made

        world = await ends.enter_async_context(
            open_world(database, lambda url: StripeGateway("sk_test_x", url))
        )
        mail = await _mail(await pool_of("notifications"), ends)
        watched: dict[Service, Watched] = {
            "booking": Watched("booking", await pool_of("booking"), SystemBusinessClock()),
            "payments": Watched("payments", await pool_of("payments"), world.clock),
            "notifications": Watched("notifications", await pool_of("notifications"), mail.clock),
        }
        for each in watched.values():
            await each.start()
            ends.push_async_callback(each.stop)
        yield Ward(
            database, kafka, prefix, world, mail, watched, _settings(database, kafka, prefix, world)
        )


async def _mail(pool: Pool, ends: AsyncExitStack) -> Marketplace:
    clock, mailbox = FixedClock(NOW), Mailbox()
    await mailbox.start()
    ends.push_async_callback(mailbox.stop)
    postman = Postman(pool, clock, MailServer(HOST, mailbox.port, SENDER), open_secret)
    return Marketplace(pool, clock, mailbox, Inbox(pool, hear(SEAL_KEY), clock), postman)


def _settings(database: Database, kafka: KafkaServer, prefix: str, world: World) -> dict[str, str]:
    """Return what the operator's commands are told."""
    urls = {f"OPS_{service.upper()}_DATABASE_URL": database.app_url(service) for service in OWN}
    return urls | {
        "OPS_DATABASE_URL": database.ops_url,
        "OPS_STRIPE_BASE_URL": str(world.stripe.make_url("")).rstrip("/"),
        "OPS_STRIPE_KEY": "sk_test_payments",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": prefix,
    }
