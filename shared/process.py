"""The life of a process: start, supervised tasks, health, and a drain with deadlines.

A service is described once as a `Service`; `main` runs it as `api`, `worker`, `migrate` or `all`.
The API needs PostgreSQL alone: without Kafka the outbox waits. Tasks that fail begin anew with
growing pauses; SIGTERM turns readiness off, stops taking, finishes, commits and closes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from shared.auth import Verifier
from shared.bus import Broker, Consumer, Producer
from shared.clock import BusinessClock, business_clock, monotonic_seconds
from shared.config import CommonSettings
from shared.contracts.topics import Service as ServiceName
from shared.contracts.topics import read_by
from shared.db import CONNECT_SECONDS, Bells, Pool, wait_for_pool
from shared.errors import is_transient
from shared.health import KIT_GAUGES, Gauges, add_health
from shared.idempotency import prune_answers
from shared.inbox import Ears, Inbox
from shared.limits import Limiter, prune_buckets
from shared.log import configure_logs, logger
from shared.migrate import migrate, wait_until_migrated
from shared.outbox import Relay, bell_of
from shared.republish import Republisher, Teller
from shared.telemetry import (
    EVENT_LOOP_LAG,
    LOOP_SECONDS,
    TASK_RESTARTS,
    Measure,
    begin_tracing,
    end_tracing,
)
from shared.web.api import Api
from shared.web.server import Surroundings, build, runner

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
STEADY_SECONDS = 30.0
DRAIN_SECONDS = 8.0
NOTICE_SECONDS = 0.2
"""How long readiness is off before the server stops taking, so that balancers see it."""
KEPT_POLL_SECONDS = 0.5
REPUBLISH_POLL_SECONDS = 1.0
PRUNE_EVERY_SECONDS = 600.0
GAUGES_POLL_SECONDS = 2.5
WAKE_SECONDS = 0.5
"""How often the process looks whether it still wakes up in time."""

_log = logger("process")

Step = Callable[[], Awaitable[int]]
"""One turn of a worker; returns how much it did, so that a full batch is followed at once."""


@dataclass(frozen=True)
class Loop:
    """Something a worker does again and again: at a ring of `bell`, and every `poll_seconds`."""

    name: str
    step: Step
    poll_seconds: float
    bell: str | None = None


@dataclass
class Running:
    """What a started process offers to the wiring of its service."""

    pool: Pool
    clock: BusinessClock
    common: CommonSettings


@dataclass(frozen=True)
class Service:
    """One service, described for `main`.

    `ears` and `loops` are called once the pool is open. `verifier` says where keys come from.
    `cleanup` closes clients at the end. `tellers` tell the present state of a topic again. `gauges`
    are read by the worker.
    """

    name: ServiceName
    title: str
    version: str
    migrations: Path
    database_url: str
    migrate_database_url: str | None
    api: Api
    ears: Callable[[Running], Ears]
    loops: Callable[[Running], Sequence[Loop]]
    verifier: Callable[[Running], Verifier]
    wire: Callable[[web.Application, Running], None] = lambda _app, _running: None
    cleanup: Callable[[], Awaitable[None]] | None = None
    tellers: Mapping[str, Teller] = field(default_factory=dict[str, Teller])
    gauges: Sequence[Measure] = ()


@dataclass
class Supervisor:
    """Runs tasks until told to stop; a task that fails is logged and begins anew."""

    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def start(self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        """Run `run(stopping)` under supervision."""
        self._tasks.append(asyncio.create_task(self._keep_running(name, run), name=name))

    async def _keep_running(
        self, name: str, run: Callable[[asyncio.Event], Awaitable[None]]
    ) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self.stopping.is_set():
            started = monotonic_seconds()
            try:
                await run(self.stopping)
                continue
            except (Exception, asyncio.CancelledError) as error:
                if _is_being_cancelled():
                    raise
                TASK_RESTARTS.labels(name).inc()
                report = _log.warning if is_transient(error) else _log.exception
                report("task_failed", task=name, error=type(error).__name__)
            if monotonic_seconds() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Ask every task to finish, and cancel the ones that miss the deadline."""
        self.stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        for task in late:
            _log.warning("task_cancelled", task=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _is_being_cancelled() -> bool:
    """Return whether somebody cancels this task, and not a library something inside of it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def turn(loop: Loop, bells: Bells, stopping: asyncio.Event) -> None:
    """Run one loop until `stopping` is set; raises what its step raises."""
    bell = bells.bell(loop.bell) if loop.bell else asyncio.Event()
    while not stopping.is_set():
        bell.clear()
        with LOOP_SECONDS.labels(loop.name).time():
            busy = await loop.step()
        if busy:
            continue
        waits = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(bell.wait())]
        await asyncio.wait(waits, timeout=loop.poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def wake_up(stopping: asyncio.Event) -> None:
    """Measure how late the process wakes up: whatever blocks the loop delays everybody."""
    while not stopping.is_set():
        began = monotonic_seconds()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), WAKE_SECONDS)
        if not stopping.is_set():
            EVENT_LOOP_LAG.observe(max(0.0, monotonic_seconds() - began - WAKE_SECONDS))


def main(service: Callable[[], Service], arguments: Sequence[str] | None = None) -> None:
    """Run a service as its command line says: `api | worker | migrate | all`."""
    asked = _parser().parse_args(arguments)
    common = CommonSettings()
    described = service()
    configure_logs(f"{described.name}-{asked.role}", form=common.log_format, level=common.log_level)
    if asked.role == "migrate":
        sys.exit(asyncio.run(_migrate(described)))
    process = f"{described.name}-{asked.role}"
    begin_tracing(process, described.version, common.otel_exporter_otlp_endpoint)
    status = asyncio.run(_serve(described, common, asked.role, asked.host, asked.port))
    end_tracing()
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("api", "worker", "migrate", "all"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    return parser


async def _migrate(service: Service) -> int:
    if service.migrate_database_url is None:
        _log.error("setting_missing", setting=f"{service.name.upper()}_MIGRATE_DATABASE_URL")
        return 2
    applied = await migrate(service.migrate_database_url, service.migrations, service.name)
    _log.info("migrated", applied=len(applied))
    return 0


async def _serve(service: Service, common: CommonSettings, role: str, host: str, port: int) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    opening = asyncio.create_task(_open(service, role))
    if not await _before(told, opening):
        return 0
    running = Running(await opening, business_clock(common.mentorium_clock_file), common)
    supervisor = Supervisor()
    supervisor.start("wake_up", wake_up)
    producer = Producer(_broker(service, common))
    if role in ("worker", "all"):
        _start_work(service, running, supervisor, producer)
    app = _application(service, running, supervisor, serves=role != "worker")
    serving = runner(app, drain_seconds=DRAIN_SECONDS)
    await serving.setup()
    site = web.TCPSite(serving, host, port, reuse_address=True)
    await site.start()
    _log.info("listening", url=f"http://{host}:{serving.addresses[0][1]}")
    await told.wait()
    _log.info("draining")
    supervisor.stopping.set()
    await asyncio.sleep(NOTICE_SECONDS)
    await asyncio.gather(supervisor.stop(), serving.cleanup())
    await producer.close()
    if service.cleanup:
        await service.cleanup()
    with suppress(TimeoutError):
        await asyncio.wait_for(running.pool.close(), DRAIN_SECONDS)
    _log.info("stopped")
    return 0


async def _open(service: Service, role: str) -> Pool:
    """Open the pool and wait for the migrations of this version: both may come later than we."""
    pool = await wait_for_pool(service.database_url, process=f"{service.name}-{role}")
    await wait_until_migrated(pool, service.migrations, service.name)
    return pool


async def _before(told: asyncio.Event, opening: asyncio.Task[Pool]) -> bool:
    """Return whether the pool was open before the process was told to stop."""
    stop = asyncio.create_task(told.wait())
    await asyncio.wait({stop, opening}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not opening.done():
        opening.cancel()
        return False
    return True


def _broker(service: Service, common: CommonSettings) -> Broker:
    return Broker(common.kafka_bootstrap_servers, common.kafka_topic_prefix, service.name)


def _start_work(
    service: Service, running: Running, supervisor: Supervisor, producer: Producer
) -> None:
    bells = Bells(service.database_url, process=service.name)
    ears = service.ears(running)
    inbox = Inbox(running.pool, ears, running.clock)
    consumer = Consumer(
        _broker(service, running.common),
        service.name,
        [topic.name for topic in read_by(service.name)],
        inbox,
    )
    relay = Relay(service.name, running.pool, producer, bells.bell(bell_of(service.name)))
    republisher = Republisher(running.pool, service.tellers, running.clock)
    loops = [
        *service.loops(running),
        Loop("republish", republisher.step, REPUBLISH_POLL_SECONDS),
        Loop("kept_events", inbox.take_up, KEPT_POLL_SECONDS),
        Loop(
            "gauges", Gauges(running.pool, service.gauges, running.clock).step, GAUGES_POLL_SECONDS
        ),
        Loop("prune_inbox", inbox.prune, PRUNE_EVERY_SECONDS),
        Loop("prune_answers", lambda: prune_answers(running.pool), PRUNE_EVERY_SECONDS),
        Loop("prune_buckets", lambda: prune_buckets(running.pool), PRUNE_EVERY_SECONDS),
    ]
    supervisor.start("relay", relay.run)
    if consumer.topics:
        supervisor.start("consumer", consumer.run)
    for loop in loops:
        if loop.bell:
            bells.bell(loop.bell)
        supervisor.start(loop.name, lambda stopping, loop=loop: turn(loop, bells, stopping))
    supervisor.start("bells", lambda stopping: _listen(bells, stopping))


async def _listen(bells: Bells, stopping: asyncio.Event) -> None:
    listening = asyncio.create_task(bells.listen())
    stop = asyncio.create_task(stopping.wait())
    done, pending = await asyncio.wait({listening, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.wait(pending, timeout=CONNECT_SECONDS)
    if listening in done:
        listening.result()


def _application(
    service: Service, running: Running, supervisor: Supervisor, *, serves: bool
) -> web.Application:
    around = Surroundings(
        pool=lambda: running.pool,
        clock=running.clock,
        verifier=service.verifier(running),
        limiter=_once(lambda: Limiter(running.pool)),
        trusted_proxies=running.common.trusted_proxies,
    )
    app = build(service.api if serves else Api(service.title), around)
    service.wire(app, running)
    kit = Gauges(running.pool, KIT_GAUGES, running.clock)
    add_health(app, service.api, service.version, running.pool, kit, supervisor.stopping)
    return app


def _once(make: Callable[[], Limiter]) -> Callable[[], Limiter]:
    made = make()
    return lambda: made
