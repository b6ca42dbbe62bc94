"""A rolling deploy on one machine: a balancer that believes /readyz, and the next version.

The next version is this tree with what a release may bring: every fact gains an optional field,
every table a column (expand), and each service calls itself by another number.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg
from aiohttp import web

from dev.children import Command, kill, run_to_end, spawn
from dev.client import ANSWER_SECONDS, Caller, Json, read_answer, until
from dev.home import REPOSITORY
from dev.marketplace import Marketplace
from dev.ports import LOOPBACK, free_ports
from dev.status import status_of

NEXT_NUMBER = "2.0.0"
NEW_FIELD = "told_by_the_next_version"
NEW_COLUMN = "of_the_next_version"
DRAIN_SECONDS = 10.0
"""Within this time whoever was told to go has gone (P18)."""
_LOOK_SECONDS = 0.03
_PROBE_SECONDS = 2.0
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename"


@dataclass
class Balancer:
    """Hands requests to the backends that say they are ready, in turn, and repeats none.

    A backend that takes no connection is passed over: nothing has been sent to it yet.
    """

    backends: list[str]
    port: int
    served: Counter[str] = field(default_factory=Counter[str])
    failures: list[str] = field(default_factory=list[str])
    _ready: set[str] = field(default_factory=set[str])
    _turn: int = 0

    @property
    def url(self) -> str:
        """The address that clients are given."""
        return f"http://{LOOPBACK}:{self.port}"

    def is_ready(self, backend: str) -> bool:
        """Whether requests go to this backend now."""
        return backend in self._ready

    async def watch(self, http: aiohttp.ClientSession) -> None:
        """Ask every backend again and again whether it is ready."""
        while True:
            for backend in self.backends:
                good = await _answers(http, f"{backend}/readyz")
                (self._ready.add if good else self._ready.discard)(backend)
            await asyncio.sleep(_LOOK_SECONDS)

    async def hand_on(self, http: aiohttp.ClientSession, request: web.Request) -> web.Response:
        """Answer a request with the answer of a backend."""
        body = await request.read()
        headers = [(n, v) for n, v in request.headers.items() if n.lower() not in _HOP_BY_HOP]
        for backend in self._in_turn():
            try:
                async with http.request(
                    request.method, f"{backend}{request.path_qs}", headers=headers, data=body,
                    allow_redirects=False,
                ) as answer:  # fmt: skip
                    return self._answered(backend, request, answer, await answer.read())
            except aiohttp.ClientConnectorError:
                continue
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                return self._failed(f"{request.method} {backend}{request.path}: {error!r}")
        return self._failed(f"{request.method} {request.path}: nobody is ready")

    def _in_turn(self) -> list[str]:
        self._turn += 1
        ready = [backend for backend in self.backends if backend in self._ready]
        start = self._turn % len(ready) if ready else 0
        return ready[start:] + ready[:start]

    def _answered(
        self, backend: str, request: web.Request, answer: aiohttp.ClientResponse, body: bytes
    ) -> web.Response:
        self.served[backend] += 1
        if answer.status >= 500:
            self.failures.append(f"{request.method} {backend}{request.path}: {answer.status}")
        headers = [(n, v) for n, v in answer.headers.items() if n.lower() not in _HOP_BY_HOP]
        made = web.Response(status=answer.status, body=body)
        for name, value in headers:
            made.headers[name] = value
        return made

    def _failed(self, what: str) -> web.Response:
        self.failures.append(what)
        return web.Response(status=502, text=what)


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    limits = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
    try:
        async with http.get(url, timeout=limits) as answer:
            return answer.ok
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


@asynccontextmanager
async def balanced(backend: str) -> AsyncGenerator[Balancer]:
    """Give a balancer with one backend, which is ready."""
    limits = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        timeout=limits, connector=connector, auto_decompress=False
    ) as http:
        balancer = Balancer([backend], free_ports(1)[0])

        async def hand_on(request: web.Request) -> web.Response:
            return await balancer.hand_on(http, request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", hand_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, balancer.port).start()
        watching = asyncio.create_task(balancer.watch(http))
        try:
            await ready_at(balancer, backend)
            yield balancer
        finally:
            watching.cancel()
            await runner.cleanup()


async def ready_at(balancer: Balancer, backend: str) -> None:
    """Return when the balancer sends requests to a backend."""

    async def ready() -> bool | None:
        return balancer.is_ready(backend) or None

    await until(ready, f"{backend} being ready")


class Balanced(Marketplace):
    """A marketplace some of whose processes are reached by balancers."""

    def __init__(self, market: Marketplace, balancers: dict[str, Balancer]) -> None:
        """Reach the processes named in `balancers` by them, the others as before."""
        super().__init__(market.site)
        self.balancers = balancers

    def url(self, process: str) -> str:
        """Return the address of a process, or of the balancer before it."""
        balancer = self.balancers.get(process)
        return balancer.url if balancer else super().url(process)


class PlainCaller(Caller):
    """A client that asks once: what another one would carry on through is a failure here."""

    async def send(
        self,
        method: str,
        process: str,
        path: str,
        *,
        body: Json | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> Json:
        """Return the answer to one request; raises `Refused` and what the connection raises."""
        url = self.market.url(process) + path
        async with self.http.request(
            method, url, json=body, headers=headers, params=query
        ) as answer:
            return await read_answer(f"{method} {process}{path}", answer)


@dataclass
class Instance:
    """A process of the next version."""

    url: str
    process: asyncio.subprocess.Process
    log: Path

    async def end(self) -> int:
        """Tell it to go, and return how it ended; raises `TimeoutError`."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DRAIN_SECONDS):
            return await self.process.wait()


@dataclass
class NextVersion:
    """The tree of the next version, and what runs of it."""

    market: Marketplace
    folder: Path
    instances: list[Instance] = field(default_factory=list[Instance])

    async def write(self, services: tuple[str, ...]) -> None:
        """Copy this version and change it."""
        for name in ("services", "shared", "web"):
            shutil.copytree(REPOSITORY / name, self.folder / name)
        envelope = self.folder / "shared" / "contracts" / "envelope.py"
        before = "    @property\n    def key(self)"
        _replace(envelope, before, f'    {NEW_FIELD}: str | None = "yes"\n\n{before}')
        for service in services:
            app = self.folder / "services" / service / "app.py"
            present = re.search('^VERSION = ".+"$', app.read_text(), re.MULTILINE)
            assert present is not None, f"{app} names no version"
            _replace(app, present[0], f'VERSION = "{NEXT_NUMBER}"')
            await self._add_columns(service)

    async def _add_columns(self, service: str) -> None:
        """Write a migration for each table: every one is locked for a moment, none with another."""
        url = self.market.site.database_url(f"{service}_owner")
        connection = await asyncpg.connect(url)
        tables = [row["tablename"] for row in await connection.fetch(_TABLES, service)]
        await connection.close()
        folder = self.folder / "services" / service / "migrations"
        for number, table in enumerate(tables):
            name = f"{9000 + number}_{table}.sql"
            text = f'ALTER TABLE "{table}" ADD COLUMN IF NOT EXISTS {NEW_COLUMN} text;\n'
            (folder / name).write_text(text)

    async def migrate(self, service: str) -> None:
        """Run the next version's migrations while this version is at work."""
        await run_to_end(self._command(service, "migrate"), ANSWER_SECONDS)

    async def start(self, service: str, role: str) -> Instance:
        """Start one process of the next version."""
        (port,) = free_ports(1)
        log = self.folder / f"{service}-{role}-{port}.log"
        with log.open("wb") as output:
            command = self._command(service, role, "--port", str(port))
            process = await spawn(command, output.fileno())
        instance = Instance(f"http://{LOOPBACK}:{port}", process, log)
        self.instances.append(instance)
        return instance

    def _command(self, service: str, *words: str) -> Command:
        argv = (sys.executable, "-m", f"services.{service}", *words)
        return Command(argv, self.market.site.environment(service), self.folder)


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file} has no single {old!r}"
    file.write_text(text.replace(old, new))


@asynccontextmanager
async def next_version(
    market: Marketplace, folder: Path, services: tuple[str, ...]
) -> AsyncGenerator[NextVersion]:
    """Give the next version of these services; none of its processes is left running."""
    version = NextVersion(market, folder)
    await version.write(services)
    try:
        yield version
    finally:
        for instance in version.instances:
            await kill(instance.process)


async def end_of_this_version(market: Marketplace, name: str) -> None:
    """Tell a process of the launcher to go; return when it went well and is there again.

    The launcher starts it anew, as a deploy that is taken back would.
    """
    log = market.site.home.log(name)
    said = log.read_text(errors="replace").count(ENDED_WELL)
    (status,) = [p for p in (await status_of(market.site.home))["processes"] if p["name"] == name]
    pid = status["pid"]
    assert pid is not None
    os.kill(pid, signal.SIGTERM)

    async def gone() -> bool | None:
        return True if log.read_text(errors="replace").count(ENDED_WELL) > said else None

    await until(gone, f"the end of {name}", DRAIN_SECONDS)


ENDED_WELL = "ended with 0;"
