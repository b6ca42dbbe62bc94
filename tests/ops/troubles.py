"""Every trouble an alert speaks of, planted for real, and what lifts it once its runbook was typed.

A trouble is a context: inside it something is wrong. What it gives says where it shows, what a
runbook's blanks are filled in with, and what the restarted or mended process then does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.notifications.events import hear
from shared.bus import Broker, Consumer, Producer
from shared.clock import monotonic_seconds
from shared.contracts import profiles
from shared.contracts.topics import TOPICS, Service
from shared.ids import new_id
from shared.inbox import Arrival, Inbox
from shared.outbox import Record, Relay
from shared.process import Supervisor, wake_up
from shared.seal import new_seal_key, public_half, seal
from tests.notifications.conftest import contents
from tests.ops.promql import Shown
from tests.ops.ward import Ward

QUICK_WATCH_SECONDS = 0.1
QUICK_SEND_SECONDS = 2.0
BACKLOG = 1_500
BLOCKED_SECONDS = 1.0
"""Longer than a process sleeps between two looks at its lag: none falls between two blocks."""
LATER_SECONDS = 200.0
REQUESTS = 2
TASKS = 7


async def _nothing() -> None:
    """Nothing more is needed."""


@dataclass
class Trouble:
    """One that is on: where it shows, what it is called, and what happens when it is mended."""

    look: Callable[[], Awaitable[Shown]]
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    mended: Callable[[], Awaitable[object]] = _nothing
    meanwhile: Callable[[], Awaitable[object]] = _nothing
    """What happens between two looks, so that there is something to see."""
    worker: Callable[[], Awaitable[object]] = _nothing
    """What goes on all the time, also while commands are typed."""


Plant = Callable[[Ward], AbstractAsyncContextManager[Trouble]]
TROUBLES: dict[str, Plant] = {}


def trouble(name: str) -> Callable[[Callable[[Ward], AsyncGenerator[Trouble]]], Plant]:
    """Return a decorator that makes a function the trouble of an alert."""

    def add(plant: Callable[[Ward], AsyncGenerator[Trouble]]) -> Plant:
        TROUBLES[name] = asynccontextmanager(plant)
        return TROUBLES[name]

    return add


def at(ward: Ward, service: Service) -> Callable[[], Awaitable[Shown]]:
    """Return the look at one process."""
    return ward.watched[service].look


@trouble("ProcessDown")
async def process_down(ward: Ward) -> AsyncGenerator[Trouble]:
    """Its server is gone."""
    process = ward.watched["booking"]
    await process.stop()
    yield Trouble(process.look, mended=process.start)


@trouble("RequestsFail")
async def requests_fail(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a mistake of ours in a handler."""
    process = ward.watched["booking"]

    async def mistake() -> None:
        raise RuntimeError("a mistake of ours")

    async def mend() -> None:
        process.handler = None

    process.handler = mistake
    yield Trouble(process.look, mended=mend, meanwhile=lambda: process.asked(REQUESTS))


@trouble("RequestsSlow")
async def requests_slow(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a statement that takes its time."""
    process = ward.watched["booking"]

    async def slow() -> None:
        await process.pool.execute("SELECT pg_sleep(1.01)")

    async def mend() -> None:
        process.handler = None

    process.handler = slow
    yield Trouble(process.look, mended=mend, meanwhile=lambda: process.asked(1))


@trouble("MailWaits")
async def mail_waits(ward: Ward) -> AsyncGenerator[Trouble]:
    """Take the mail server away for ten minutes."""
    mail = ward.mail
    await mail.meet()
    await mail.mailbox.stop()
    await mail.confirm()
    await mail.work()
    mail.clock.instant += timedelta(minutes=10)

    async def mend() -> None:
        await mail.mailbox.start()
        await mail.leases_end()
        await mail.work()

    yield Trouble(at(ward, "notifications"), mended=mend)


@trouble("WorkOverdue")
async def work_overdue(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a payment page that nobody closes when its time has come."""
    await ward.world.hold()
    await ward.world.rest()
    ward.world.clock.instant += timedelta(minutes=30)
    yield Trouble(at(ward, "payments"), mended=ward.world.rest)


@trouble("DeadLetters")
async def dead_letters(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a contact sealed for a key that this version does not have."""
    later_key = new_seal_key()
    person = new_id()
    content = contents.Contact(
        person_id=person, version=1, name="A", email="a@x.test", locale="en", zone="UTC"
    )
    sealed = seal(content, public_half(later_key))
    fact = profiles.ContactSealed(version=1, person_id=person, sealed=sealed)
    assert await ward.mail.hear(fact) == "parked"
    event = await ward.mail.pool.fetchval(
        "SELECT event_id FROM kept_events WHERE key = $1", str(person)
    )
    next_version = Inbox(ward.mail.pool, hear(later_key), ward.mail.clock)
    yield Trouble(at(ward, "notifications"), {"event": str(event)}, mended=next_version.take_up)


@trouble("EventsWait")
async def events_wait(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a payment for an order that booking did not tell of."""
    mail = replace(ward.mail, order=new_id(), session=new_id())
    await mail.meet()
    assert await mail.hear(mail.paid()) == "deferred"
    await mail.pool.execute("UPDATE kept_events SET kept_at = now() - interval '1 hour'")

    async def what_was_missing_is_told() -> None:
        assert await mail.hear(mail.held()) == "handled"
        await mail.work()

    yield Trouble(at(ward, "notifications"), mended=what_was_missing_is_told)


@trouble("OutboxStuck")
async def outbox_stuck(ward: Ward) -> AsyncGenerator[Trouble]:
    """Facts for topics that nobody made."""
    process = ward.watched["booking"]
    prefix = f"{ward.prefix}absent."
    ward.environment["KAFKA_TOPIC_PREFIX"] = prefix
    await process.pool.execute(
        """INSERT INTO outbox (event_id, topic, key, headers, value, recorded_at)
        VALUES ($1, 'booking.orders', 'k', '[]', 'v', now() - interval '5 minutes')""",
        new_id(),
    )
    producer = Producer(Broker(ward.kafka.bootstrap, prefix), send_seconds=QUICK_SEND_SECONDS)
    supervisor = Supervisor()
    supervisor.start("relay", Relay("booking", process.pool, producer, asyncio.Event()).run)
    yield Trouble(process.look)
    ward.environment["KAFKA_TOPIC_PREFIX"] = ward.prefix
    await supervisor.stop()
    await producer.close()


class _Slow:
    """Takes nothing in until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def receive(self, _arrival: Arrival) -> str:
        await self.go.wait()
        return "ignored"


@trouble("ConsumerBehind")
async def consumer_behind(ward: Ward) -> AsyncGenerator[Trouble]:
    """More records than one slow reader takes in."""
    topic, broker, slow = TOPICS[5].name, Broker(ward.kafka.bootstrap, ward.prefix), _Slow()
    producer = Producer(broker)
    await producer.send_all([Record(topic, b"k", b"v", ())] * BACKLOG)
    await producer.close()
    consumer = Consumer(broker, "booking", [topic], slow, watch_seconds=QUICK_WATCH_SECONDS)
    stopping = asyncio.Event()
    reading = asyncio.create_task(consumer.run(stopping))

    async def more_hands() -> None:
        slow.go.set()

    yield Trouble(at(ward, "booking"), mended=more_hands)
    stopping.set()
    await reading


@trouble("TasksKeepFailing")
async def tasks_keep_failing(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a task whose other side is away: it begins anew and fails again."""
    supervisor = Supervisor()

    async def shaky(_stopping: asyncio.Event) -> None:
        raise ConnectionError

    for _ in range(TASKS):
        supervisor.start("shaky", shaky)
    yield Trouble(at(ward, "booking"), mended=supervisor.stop)


@trouble("GaugesBlind")
async def gauges_blind(ward: Ward) -> AsyncGenerator[Trouble]:
    """Minutes go by without anybody reading the gauges."""
    process, later = ward.watched["payments"], [LATER_SECONDS]

    async def look() -> Shown:
        shown = await process.look(own=not later)
        shown.at += sum(later)
        return shown

    async def mend() -> None:
        later.clear()

    yield Trouble(look, mended=mend)


@trouble("DatabasePoolFull")
async def database_pool_full(ward: Ward) -> AsyncGenerator[Trouble]:
    """Somebody holds every connection."""
    process = ward.watched["booking"]
    async with AsyncExitStack() as held:
        for _ in range(process.pool.get_max_size()):
            await held.enter_async_context(process.pool.acquire())
        yield Trouble(lambda: process.look(own=False), mended=held.aclose)


@trouble("EventLoopBlocked")
async def event_loop_blocked(ward: Ward) -> AsyncGenerator[Trouble]:
    """Something computes and gives no way."""
    supervisor, blocking = Supervisor(), [BLOCKED_SECONDS]
    supervisor.start("wake_up", wake_up)

    async def compute() -> None:
        until = monotonic_seconds() + sum(blocking)
        while monotonic_seconds() < until:
            pass

    async def mend() -> None:
        blocking.clear()

    yield Trouble(lambda: ward.watched["booking"].look(own=False), mended=mend, meanwhile=compute)
    await supervisor.stop()
