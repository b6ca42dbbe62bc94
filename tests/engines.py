"""The engines that tests run on: real PostgreSQL and Kafka, started by us, by Docker or by others.

`--stack=embedded` (the default) starts our own, `--stack=containers` the published images where a
Docker engine runs, `--stack=external` uses POSTGRES_SUPERUSER_URL and KAFKA_BOOTSTRAP_SERVERS. An
engine that cannot start fails the tests that need it, with the reason; nothing weaker stands in.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

import asyncpg

from dev.children import Command, kill, spawn, stop
from dev.kafka import Kafka
from dev.ports import free_ports
from dev.postgres import (
    ROLES,
    SERVICES,
    SUPERUSER,
    Postgres,
    apply_roles,
    postgres_url,
    reachable_folder,
)

START_SECONDS = 60.0
STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_LOG_TAIL_CHARACTERS = 4_000
_SERVICES_FOLDER = Path(__file__).parents[1] / "services"
_STATEMENT_SECONDS = 60.0
_MEMORY = Path("/dev/shm")
_ENGINES_BYTES = 6 << 30
"""Free room from which on engines live there: more than two runs side by side write."""


class EngineFailed(RuntimeError):
    """An engine did not start, or left by itself; carries the end of its log."""


class _Engine(Protocol):
    async def prepare(self) -> Command: ...
    async def ready(self) -> bool: ...


E = TypeVar("E", bound=_Engine)


class EngineProcess(Generic[E]):
    """An embedded engine that a test may stop, kill and start again on the same data and port."""

    def __init__(self, engine: E, log: Path) -> None:
        """Stand for `engine`, whose output goes to the file `log`."""
        self.engine = engine
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self._command: Command | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None, "the engine has not been started"
        return self._process.pid

    async def start(self, seconds: float = START_SECONDS) -> None:
        """Start the engine and return when it answers; raises `EngineFailed`."""
        self._command = await self.engine.prepare()
        with self.log.open("ab") as output:
            self._process = await spawn(self._command, output.fileno())
        try:
            async with asyncio.timeout(seconds):
                while not await self.engine.ready():
                    self._check_alive()
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            await self.kill()
            raise EngineFailed(self._explain(f"did not answer within {seconds:g} s")) from None

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask the engine to end; kill it when it has not within `seconds`."""
        if self._process and self._command:
            await stop(self._process, self._command.stop_signal, seconds)

    async def kill(self) -> None:
        """Kill the engine (SIGKILL), as a crash would."""
        if self._process:
            await kill(self._process)

    def _check_alive(self) -> None:
        if self._process and self._process.returncode is not None:
            raise EngineFailed(self._explain(f"ended with {self._process.returncode}"))

    def _explain(self, what: str) -> str:
        tail = self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        return f"{type(self.engine).__name__} {what}; its log ends:\n{tail}"


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server: where it is (`postgres_url`), and the password of every role."""

    address: str
    passwords: Mapping[str, str] = field(repr=False)
    superuser: str = SUPERUSER

    def url(self, role: str, database: str) -> str:
        """Return the address with which `role` reaches `database`."""
        return postgres_url(role, self.passwords[role], self.address, database)

    def superuser_url(self, database: str = "postgres") -> str:
        """Return the superuser's address of `database`."""
        return self.url(self.superuser, database)


@dataclass(frozen=True)
class KafkaServer:
    """A Kafka cluster by its bootstrap address."""

    bootstrap: str


@dataclass(frozen=True)
class Database:
    """A test's own database, with the addresses of its roles."""

    server: PostgresServer
    name: str

    def app_url(self, service: str) -> str:
        """Return the address of the service's runtime role."""
        return self.server.url(f"{service}_app", self.name)

    def owner_url(self, service: str) -> str:
        """Return the address of the service's migrating role."""
        return self.server.url(f"{service}_owner", self.name)

    @property
    def ops_url(self) -> str:
        """The address of the role that reads all schemas."""
        return self.server.url("ops_reader", self.name)

    @property
    def superuser_url(self) -> str:
        """The superuser's address, for what a test must do behind everybody's back."""
        return self.server.superuser_url(self.name)


class Databases:
    """Makes databases for tests: a template per set of services, migrated once, then cloned."""

    def __init__(self, server: PostgresServer) -> None:
        """Make them on `server`."""
        self._server = server
        self._mark = secrets.token_hex(4)
        self._made = 0
        self._templates: dict[tuple[str, ...], str] = {}
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turns = asyncio.Lock()

    async def create(self, *services: str, migrated: bool = True) -> Database:
        """Return a new database where `services` (none named: all present) are migrated.

        Roles, schemas and extensions of all four services are always there; with
        `migrated=False` nothing else is.
        """
        wanted = (tuple(sorted(services)) or present_services()) if migrated else ()
        template = self._templates.get(wanted) or await self._make_template(wanted)
        self._made += 1
        name = f"test_{self._mark}_{self._made}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        await self._restrict(name)
        return Database(self._server, name)

    async def drop(self, name: str) -> None:
        """Drop a database, ending whatever is connected to it."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def close(self) -> None:
        """Drop the templates, for servers that outlive the tests, and hang up."""
        for name in self._templates.values():
            await self.drop(name)
        if self._connection:
            await self._connection.close()

    async def _make_template(self, services: tuple[str, ...]) -> str:
        name = f"template_{self._mark}_{len(self._templates)}"
        await self._execute(f'CREATE DATABASE "{name}"')
        await apply_roles(self._server.superuser_url(name), self._server.passwords)
        for service in services:
            await _migrate(Database(self._server, name), service)
        self._templates[services] = name
        return name

    async def _restrict(self, name: str) -> None:
        """Give a clone the rights of its template: they are not copied with it."""
        await self._execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        await self._execute(f'GRANT CONNECT ON DATABASE "{name}" TO {", ".join(ROLES)}')

    async def _execute(self, statement: str) -> None:
        """Run a statement on the one connection kept for it: connecting takes longer than most."""
        async with self._turns:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(
                    self._server.superuser_url(), command_timeout=_STATEMENT_SECONDS
                )
            await self._connection.execute(statement)


def present_services() -> tuple[str, ...]:
    """Return the services whose migrations are here: a service is tested without the others too."""
    found = (name for name in SERVICES if (_SERVICES_FOLDER / name / "migrations").is_dir())
    return tuple(sorted(found))


async def _migrate(database: Database, service: str) -> None:
    from shared.migrate import migrate  # Only tests of migrated schemas need it.

    folder = _SERVICES_FOLDER / service / "migrations"
    await migrate(database.owner_url(service), folder, service)


def _in_memory() -> Path | None:
    """Return the file system in memory, if there is one with enough room for engines."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENGINES_BYTES:
        return _MEMORY
    return None


@contextmanager
def engine_folder() -> Generator[Path]:
    """Give a temporary folder that the engine's own account can enter, in memory where possible.

    Every test has a database of its own, which is some hundred files: on a disk they take several
    times as long to make and to drop.
    """
    with tempfile.TemporaryDirectory(prefix="mentorium-test-", dir=_in_memory()) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder
        shutil.rmtree(reachable_folder(folder / "postgres"), ignore_errors=True)


def new_passwords(superuser: str = SUPERUSER) -> dict[str, str]:
    """Return a fresh password for every role."""
    return {role: secrets.token_urlsafe(18) for role in (*ROLES, superuser)}


def embedded_postgres(folder: Path, *, durable: bool) -> EngineProcess[Postgres]:
    """Return a PostgreSQL that has not been started, with its data in `folder`."""
    engine = Postgres(folder / "postgres", free_ports(1)[0], new_passwords(), durable)
    return EngineProcess(engine, folder / "postgres.log")


def embedded_kafka(folder: Path) -> EngineProcess[Kafka]:
    """Return a Kafka broker that has not been started, with its data in `folder`."""
    return EngineProcess(Kafka(folder / "kafka", *free_ports(2)), folder / "kafka.log")


@asynccontextmanager
async def run_postgres(stack: str) -> AsyncGenerator[PostgresServer]:
    """Give a PostgreSQL server of the chosen stack for as long as the context lasts."""
    if stack == "external":
        yield _external_postgres()
    elif stack == "containers":
        from tests.containers import postgres_container

        with postgres_container(new_passwords()) as address_and_passwords:
            yield PostgresServer(*address_and_passwords)
    else:
        with engine_folder() as folder:
            async with running(embedded_postgres(folder, durable=False)) as process:
                yield postgres_server(process)


@asynccontextmanager
async def run_kafka(stack: str) -> AsyncGenerator[KafkaServer]:
    """Give a Kafka cluster of the chosen stack for as long as the context lasts."""
    if stack == "external":
        yield KafkaServer(_from_environment("KAFKA_BOOTSTRAP_SERVERS"))
    elif stack == "containers":
        from tests.containers import kafka_container

        with kafka_container() as bootstrap:
            yield KafkaServer(bootstrap)
    else:
        with engine_folder() as folder:
            async with running(embedded_kafka(folder)) as process:
                yield KafkaServer(process.engine.bootstrap)


@asynccontextmanager
async def running(process: EngineProcess[E]) -> AsyncGenerator[EngineProcess[E]]:
    """Start an engine, give it, and stop it at the end."""
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


def postgres_server(process: EngineProcess[Postgres]) -> PostgresServer:
    """Return the address and passwords of an embedded server."""
    engine = process.engine
    return PostgresServer(engine.address, engine.passwords)


def _external_postgres() -> PostgresServer:
    parts = urlsplit(_from_environment("POSTGRES_SUPERUSER_URL"))
    superuser = unquote(parts.username or SUPERUSER)
    passwords = new_passwords(superuser) | {superuser: unquote(parts.password or "")}
    return PostgresServer(f"{parts.hostname}:{parts.port or 5432}", passwords, superuser)


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise EngineFailed(f"--stack=external needs {name} in the environment")
    return value
