"""One trace from a hold over HTTP to the call to Stripe, as a collector gets it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from joserfc.jwk import KeySet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from dev.ports import LOOPBACK, free_ports
from ops.topics import create_topics
from services.payments.domain.orders import Terms
from services.payments.events import listen
from services.payments.gateway.calls import StripeGateway
from services.payments.workers.loops import loops
from shared.auth import Verifier
from shared.bus import Broker, Consumer, Producer
from shared.clock import SystemBusinessClock
from shared.contracts.booking import BookingHeld, FrozenPolicy
from shared.contracts.topics import TOPICS
from shared.db import Connection, Pool, open_pool
from shared.ids import new_id
from shared.inbox import Inbox
from shared.limits import Limiter
from shared.outbox import Announcer, Relay
from shared.telemetry import begin_tracing, end_tracing
from shared.web.api import ANYONE, Api, Call
from shared.web.server import Surroundings, build
from shared.web.shapes import View
from tests.engines import Database, KafkaServer
from tests.payments.conftest import NOON
from tests.shared.conftest import eventually

REPOSITORY = Path(__file__).parents[2]
ORDERS = next(topic.name for topic in TOPICS if topic.name == "booking.orders")
TITLE = "A title nobody else may read"
REPLICATION = 1
ROUTE = "/v1/orders"
START_SECONDS = 60
TERMS = Terms("https://web.test", 1_500, timedelta(hours=48))


@dataclass
class Collector:
    """A server that takes spans as OTLP over HTTP."""

    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    bodies: list[bytes] = field(default_factory=list[bytes])

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v1/traces", self.take)
        return app

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        self.bodies.append(await request.read())
        sent = ExportTraceServiceRequest.FromString(self.bodies[-1])
        found = [
            span
            for resource in sent.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        self.spans |= {span.span_id.hex(): span for span in found}
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> Span:
        """Return the one span of that name."""
        (found,) = (span for span in self.spans.values() if span.name == name)
        return found

    def ways(self, of: str) -> set[tuple[str, ...]]:
        """Return the names from the root of a trace down to each of its spans."""
        return {self._way(span) for span in self.spans.values() if span.trace_id.hex() == of}

    def _way(self, span: Span) -> tuple[str, ...]:
        parent = self.spans.get(span.parent_span_id.hex())
        return (*(self._way(parent) if parent else ()), span.name)


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Collector]:
    """Give a collector that the process sends its spans to."""
    made = Collector()
    async with TestServer(made.application()) as server:
        endpoint = str(server.make_url("")).rstrip("/")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        begin_tracing("test", "1", endpoint)
        yield made
        await asyncio.to_thread(end_tracing)


class Held(View):
    """The order is held."""


def api_of(title: str) -> Api:
    """Return an API that announces a hold as booking does."""
    api, announcer = Api("booking"), Announcer("booking")

    async def hold(call: Call, conn: Connection) -> Held:
        """Hold a session."""
        fact = BookingHeld(
            version=1,
            order_id=new_id(),
            session_id=new_id(),
            mentor_id=new_id(),
            mentee_id=new_id(),
            starts_at=NOON,
            ends_at=NOON,
            calendar_sequence=0,
            offering_id=new_id(),
            title=title,
            price_minor=12_000,
            currency="USD",
            hold_until=NOON,
            policy=FrozenPolicy(preset="standard", policy_version=1),
        )
        await announcer.announce(conn, fact, at=call.now)
        return Held()

    api.post(ROUTE, may=ANYONE)(hold)
    return api


async def hold_over_http(pool: Pool) -> str:
    """Hold a session over HTTP and carry the fact no further than the outbox; return the trace."""
    limiter, clock = Limiter(pool), SystemBusinessClock()
    around = Surroundings(lambda: pool, clock, Verifier(nobody), lambda: limiter)
    async with (
        TestServer(build(api_of(TITLE), around)) as server,
        ClientSession() as session,
        session.post(server.make_url(ROUTE)) as answer,
    ):
        assert answer.status == 201, await answer.text()
        return answer.headers["X-Trace-Id"]


async def nobody() -> KeySet:
    """Return no key: everybody may hold here."""
    return KeySet([])


async def carry(broker: Broker, pool: Pool) -> None:
    """Let the relay carry what is in the outbox to Kafka."""
    producer = Producer(broker)
    async with pool.acquire() as conn:
        assert await Relay("booking", pool, producer, asyncio.Event()).carry(conn) == 1
    await producer.close()


async def hear(broker: Broker, pool: Pool) -> None:
    """Let payments read from Kafka until it has planned its call."""
    inbox = Inbox(pool, listen(TERMS), SystemBusinessClock())
    stopping = asyncio.Event()
    reading = asyncio.create_task(Consumer(broker, "payments", [ORDERS], inbox).run(stopping))

    async def planned() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM operations"))

    await eventually(planned, what="the plan of a call")
    stopping.set()
    await reading


async def call_stripe(pool: Pool) -> None:
    """Let the worker make the call; nobody answers it."""
    nowhere = f"http://{LOOPBACK}:{free_ports(1)[0]}"
    gateway = StripeGateway("sk_test_x", nowhere, network_retries=0)
    every = loops(pool, gateway, SystemBusinessClock())
    (call,) = (loop for loop in every if loop.name == "make_calls_0")
    assert await call.step() == 1
    await gateway.close()


async def test_one_trace_leads_from_the_hold_to_stripe(
    database: Callable[..., Awaitable[Database]],
    kafka: KafkaServer,
    topic_prefix: str,
    collector: Collector,
):
    """HTTP, SQL, outbox, Kafka, the other service's SQL and its call: each below its cause."""
    own, broker = await database("booking", "payments"), Broker(kafka.bootstrap, topic_prefix)
    await create_topics(broker, REPLICATION)
    async with (
        await open_pool(own.app_url("booking"), process="test") as booking,
        await open_pool(own.app_url("payments"), process="test") as payments,
    ):
        trace_id = await hold_over_http(booking)
        await carry(broker, booking)
        await hear(broker, payments)
        await call_stripe(payments)
    await asyncio.to_thread(end_tracing)
    served, handled = f"POST {ROUTE}", f"process {ORDERS}"
    assert collector.ways(trace_id) >= {
        (served,),
        (served, "INSERT order_facts INSERT outbox"),
        (served, f"send {ORDERS}"),
        (served, handled),
        (served, handled, "INSERT orders"),
        (served, handled, "INSERT operations"),
        (served, handled, "stripe checkout.create"),
        (served, handled, "stripe checkout.create", "UPDATE operations"),
    }
    kinds = (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER)
    names = (served, f"send {ORDERS}", handled)
    assert tuple(collector.named(name).kind for name in names) == kinds
    said = b"".join(collector.bodies)
    assert b"INSERT INTO outbox" in said
    assert TITLE.encode() not in said, "no value of a statement leaves with its span"


def test_without_a_collector_nothing_of_opentelemetry_is_loaded():
    """Off by default: every module of the kit and of a service, and not one of the SDK's."""
    program = """
import sys
import services.payments.app, shared.process, web.app
from shared.telemetry import begin_tracing, tracing
begin_tracing("x", "1", None)
assert not tracing()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True,
        timeout=START_SECONDS, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
