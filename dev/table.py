"""The table of processes: every one that makes up a running marketplace, in one place.

`docker-compose.yml` has a container for each of them with the same needs; a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum

import aiohttp

from dev.children import Command
from dev.environment import Site
from dev.home import REPOSITORY, Home
from dev.kafka import Kafka
from dev.ports import LOOPBACK
from dev.postgres import SERVICES, Postgres
from ops.config import CannotOperate
from ops.topics import topic_states
from shared.bus import Broker
from shared.migrate import is_migrated

_PROBE_SECONDS = 2.0
PORT_NAMES = (
    "postgres", "kafka", "kafka-controller", "stripe", "mail", "mail-smtp", "web",
    *(f"{service}-{part}" for service in SERVICES for part in ("api", "worker")),
)  # fmt: skip


class Kind(Enum):
    """How a process lives."""

    SERVER = "server"
    """Runs until it is stopped; ready when its probe says so."""
    ONE_SHOT = "one-shot"
    """Runs to its end; ready when it ended well."""


@dataclass(frozen=True)
class Process:
    """One row: how it is started, what must be ready before it, how one sees that it is ready."""

    name: str
    needs: tuple[str, ...]
    prepare: Callable[[], Awaitable[Command]]
    ready: Callable[[], Awaitable[bool]]
    url: str | None = None
    kind: Kind = Kind.SERVER
    done: Callable[[], Awaitable[bool]] | None = None
    """Whether a one-shot has nothing to do: a warm start does not wait for its interpreter."""
    set_up: Callable[[], Awaitable[None]] | None = None
    """What is done each time it has become ready, before those that need it start."""


async def _always_ready() -> bool:
    return True


def table(site: Site) -> tuple[Process, ...]:
    """Return the processes of a marketplace; those that somebody else provides are left out."""
    engines = (
        *((_postgres(site),) if site.embeds_postgres else ()),
        *((_kafka(site),) if site.embeds_kafka else ()),
    )
    outsiders = (
        *((_stripe(site),) if site.simulates_stripe else ()),
        *((_mail(site),) if site.catches_mail else ()),
    )
    services = tuple(row for service in SERVICES for row in _service(site, service))
    rows = (*engines, *outsiders, _topics(site), *services, _web(site))
    return _without_absent_needs(rows)


def _without_absent_needs(rows: tuple[Process, ...]) -> tuple[Process, ...]:
    names = {row.name for row in rows}
    return tuple(
        replace(row, needs=tuple(need for need in row.needs if need in names)) for row in rows
    )


def postgres_of(home: Home, port: int) -> Postgres:
    """Return the embedded PostgreSQL of a home."""
    return Postgres(home.root / "postgres", port, home.passwords)


def _postgres(site: Site) -> Process:
    engine = postgres_of(site.home, site.ports["postgres"])
    url = f"postgresql://{LOOPBACK}:{engine.port}"
    return Process("postgres", (), engine.prepare, engine.ready, url, set_up=engine.set_up_roles)


def _kafka(site: Site) -> Process:
    folder = site.home.root / "kafka"
    engine = Kafka(folder, site.ports["kafka"], site.ports["kafka-controller"])
    return Process("kafka", (), engine.prepare, engine.ready, f"kafka://{engine.bootstrap}")


def _stripe(site: Site) -> Process:
    secrets, hooks = site.home.secrets, f"{site.url('payments-api')}/webhooks"
    options = {
        "--state": str(site.home.folder("stripe")),
        "--platform-webhook": f"{hooks}/stripe",
        "--platform-secret": secrets["stripe_webhook_secret"],
        "--connect-webhook": f"{hooks}/stripe-connect",
        "--connect-secret": secrets["stripe_connect_webhook_secret"],
    }
    words = [word for option in options.items() for word in option]
    return _server(site, "stripe", "stripe", (), ["simulators.stripe", *words])


def _mail(site: Site) -> Process:
    smtp = str(site.ports["mail-smtp"])
    words = ["simulators.mail", "--smtp-port", smtp, "--state", str(site.home.folder("mail"))]
    return _server(site, "mail", "mail", (), words)


def _topics(site: Site) -> Process:
    env = site.environment("ops")
    broker = Broker(site.kafka_bootstrap, env.get("KAFKA_TOPIC_PREFIX", ""))

    async def done() -> bool:
        try:
            states = await topic_states(broker, int(env.get("KAFKA_REPLICATION", "1")))
        except CannotOperate:
            return False
        return all(state.exists and not state.differs for state in states)

    return _one_shot(site, "topics", "ops", ("kafka",), ["ops", "topics", "create"], done)


def _service(site: Site, service: str) -> tuple[Process, ...]:
    module, migrated = f"services.{service}", f"{service}-migrate"
    migrations = REPOSITORY / "services" / service / "migrations"
    url = site.environment(service).get(f"{service.upper()}_MIGRATE_DATABASE_URL")

    async def done() -> bool:
        return url is not None and await is_migrated(url, migrations, service)

    return (
        _one_shot(site, migrated, service, ("postgres",), [module, "migrate"], done),
        _server(site, f"{service}-api", service, (migrated,), [module, "api"]),
        _server(site, f"{service}-worker", service, (migrated, "topics"), [module, "worker"]),
    )


def _web(site: Site) -> Process:
    return _server(site, "web", "web", (), ["web"])


def _server(
    site: Site, name: str, owner: str, needs: tuple[str, ...], module: list[str]
) -> Process:
    """Return the row of a Python server that is given its port and answers /readyz."""
    url = site.url(name)
    command = _python(site, owner, [*module, "--port", str(site.ports[name])])

    async def prepare() -> Command:
        return command

    async def ready() -> bool:
        return await answers_ok(f"{url}/readyz")

    return Process(name, needs, prepare, ready, url)


def _one_shot(
    site: Site,
    name: str,
    owner: str,
    needs: tuple[str, ...],
    module: list[str],
    done: Callable[[], Awaitable[bool]],
) -> Process:
    command = _python(site, owner, module)

    async def prepare() -> Command:
        return command

    return Process(name, needs, prepare, _always_ready, kind=Kind.ONE_SHOT, done=done)


def _python(site: Site, owner: str, words: list[str]) -> Command:
    argv = (sys.executable, "-m", *words)
    return Command(argv, site.environment(owner), REPOSITORY)


async def answers_ok(url: str) -> bool:
    """Whether an HTTP GET of `url` succeeds now."""
    limits = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=limits) as session, session.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
