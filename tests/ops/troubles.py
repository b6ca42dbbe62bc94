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
from shared.contracts import booking, profiles
from shared.contracts.topics import TOPICS, Service
from shared.ids import new_id
from shared.inbox import Arrival, Inbox
from shared.outbox import Record, Relay
from shared.process import Supervisor, wake_up
from shared.seal import new_seal_key, public_half, seal
from tests.notifications.conftest import contents
from tests.ops.promql import Shown
from tests.ops.ward import Ward
from tests.payments.test_recovery import earned, lend, refund

QUICK_WATCH_SECONDS = 0.1
QUICK_SEND_SECONDS = 2.0
BACKLOG = 1_500
BLOCKED_SECONDS = 0.4
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


@trouble("LedgerWrong")
async def ledger_wrong(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant an entry with one side only, written around the guards."""
    line = """
        INSERT INTO payments.ledger_lines
            (entry_id, line_number, account, amount_minor, currency)
        VALUES ($1, $2, $3, $4, 'USD')
    """
    entry = new_id()
    await ward.spoil(
        """INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at)
        VALUES ($1, 'planted', 'payment', now())""",
        entry,
    )
    await ward.spoil(line, entry, 1, "stripe_balance", 100)

    async def add_the_missing_line() -> None:
        await ward.spoil(line, entry, 2, "platform_revenue", -100)

    yield Trouble(at(ward, "payments"), mended=add_the_missing_line)


@trouble("BooksDiffer")
async def books_differ(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a movement in Stripe's list that nobody here asked for, an hour ago."""
    await ward.spoil(
        """INSERT INTO payments.stripe_movements
            (movement_id, type, source, amount_minor, fee_minor, currency, created_at)
        VALUES ('txn_by_hand', 'adjustment', 'adj_by_hand', -700, 0, 'USD', $1)""",
        ward.world.clock.now() - timedelta(hours=1),
    )
    await ward.spoil("INSERT INTO payments.ledger_questions (source) VALUES ('adj_by_hand')")
    names = {
        "source": "adj_by_hand",
        "account": "outside_stripe",
        "who moved it and why": "Paid to an auditor by hand",
    }
    yield Trouble(at(ward, "payments"), names, worker=ward.world.turn)


@trouble("CallUndetermined")
async def call_undetermined(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a call whose answer is lost and whose effect was not found."""
    order = await ward.world.hold()
    operation = await ward.world.pool.fetchval(
        """UPDATE operations SET state = 'undetermined', attempts = 1, first_sent_at = $2
        WHERE subject = $1 RETURNING operation_id""",
        str(order.order_id),
        ward.world.clock.now(),
    )
    names = {"operation": str(operation), "what Stripe shows": "no effect there"}
    yield Trouble(at(ward, "payments"), names, worker=ward.world.turn)


@trouble("RefundFailed")
async def refund_failed(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a refund that Stripe took and that came back."""
    order = await ward.world.buy()
    await ward.world.say(
        booking.BookingCancelled, order, by="mentor", reason=None, refund_basis_points=10_000
    )
    await ward.world.rest()
    now = ward.world.clock.now()
    await ward.spoil(
        "UPDATE payments.refunds SET state = 'failed', failed_at = $2 WHERE order_id = $1",
        order.order_id,
        now,
    )
    yield Trouble(at(ward, "payments"), {"order": str(order.order_id)}, worker=ward.world.turn)


@trouble("DisputeUnanswered")
async def dispute_unanswered(ward: Ward) -> AsyncGenerator[Trouble]:
    """Let a bank dispute a payment, and nobody look at it until two days before its end."""
    order = await ward.world.buy()
    charge = (await ward.world.order(order)).charge_id
    opened = (await ward.world.sim("POST", "disputes", {"charge": charge}))[1]
    await ward.world.rest()
    await ward.world.advance(timedelta(days=12))
    names = {"order": str(order.order_id), "dispute": opened["id"]}
    yield Trouble(at(ward, "payments"), names, mended=ward.world.rest, worker=ward.world.turn)


@trouble("TransferRefused")
async def transfer_refused(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a share that Stripe did not want to send, until the mentor's account is in order."""
    order = await ward.world.buy()
    now = ward.world.clock.now()
    await ward.world.say(booking.SessionCompleted, order, by="mentee", completed_at=now)
    await ward.world.advance(timedelta(days=5))
    await ward.spoil(
        "UPDATE payments.earnings SET transfer_state = 'refused' WHERE order_id = $1",
        order.order_id,
    )
    yield Trouble(
        at(ward, "payments"),
        {"order": str(order.order_id)},
        mended=lambda: ward.world.connect(order.mentor_id),
        worker=ward.world.turn,
    )


@trouble("MentorOwesMuch")
async def mentor_owes_much(ward: Ward) -> AsyncGenerator[Trouble]:
    """Give a session back after it was paid out, before the bank sends a later payout back."""
    world, mentor = ward.world, new_id()
    await world.connect(mentor)
    order = await earned(world, mentor, 60_000)
    await world.advance(timedelta(days=10))
    await lend(world)
    await earned(world, mentor, 70_000)
    await refund(world, order, refund_basis_points=10_000)
    await world.rest()
    await world.sim("POST", "payouts/fail_next", {})
    await world.advance(timedelta(days=10))
    names = {"mentor": str(mentor), "currency": "USD"}
    yield Trouble(at(ward, "payments"), names, worker=world.turn)


@trouble("PaidWithoutOutcome")
async def paid_without_outcome(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a payment that booking does not hear of for ten minutes."""
    order = await ward.world.hold()
    await ward.world.rest()
    await ward.world.pay(order)
    await ward.world.rest()
    ward.world.clock.instant += timedelta(minutes=10)
    event = new_id()
    await ward.spoil(
        """INSERT INTO booking.kept_events (event_id, topic, key, headers, state, error)
        VALUES ($1, 'payments.orders', 'its order', '{}', 'parked', 'planted')""",
        event,
    )

    async def handled() -> None:
        await ward.spoil("DELETE FROM booking.kept_events WHERE event_id = $1", event)
        await ward.world.say(booking.BookingConfirmed, order, title="Career talk")

    names = {"event": str(event), "what was mended": "the new version"}
    yield Trouble(at(ward, "payments"), names, mended=handled)


@trouble("StripeAway")
async def stripe_away(ward: Ward) -> AsyncGenerator[Trouble]:
    """Plant a call that was tried five times."""
    order = await ward.world.hold()
    await ward.world.pool.execute(
        "UPDATE operations SET attempts = 5, state = 'sent', first_sent_at = $2 WHERE subject = $1",
        str(order.order_id),
        ward.world.clock.now(),
    )
    yield Trouble(at(ward, "payments"), mended=ward.world.rest)


@trouble("StripeCircuitOpen")
async def stripe_circuit_open(ward: Ward) -> AsyncGenerator[Trouble]:
    """Cut every connection to Stripe until the worker gives up speaking to it."""
    world = ward.world
    await world.sim("POST", "faults", {"kind": "reset", "count": None})
    await world.hold()
    while not world.gateway.line.circuit.is_open:
        await world.turn()
        await world.pool.execute("UPDATE operations SET next_try_at = now()")
    await world.turn()

    async def mend() -> None:
        await world.stripe.delete("/_sim/faults")
        await world.rest()

    yield Trouble(at(ward, "payments"), mended=mend, meanwhile=world.turn)


@trouble("EventsUnread")
async def events_unread(ward: Ward) -> AsyncGenerator[Trouble]:
    """Have nobody read Stripe's list of events for four days."""
    await ward.world.rest()
    long_ago = ward.world.clock.now() - timedelta(days=4)
    await ward.spoil("UPDATE payments.event_reads SET read_at = $1, next_read_at = $1", long_ago)
    yield Trouble(at(ward, "payments"), mended=ward.world.rest)


@trouble("WebhooksWait")
async def webhooks_wait(ward: Ward) -> AsyncGenerator[Trouble]:
    """Notices of a payment that nobody obeys for ten minutes."""
    order = await ward.world.hold()
    await ward.world.rest()
    await ward.world.pay(order)

    async def look() -> Shown:
        await ward.spoil(
            """UPDATE payments.webhooks SET received_at = now() - interval '10 minutes'
            WHERE state = 'waiting'"""
        )
        return await at(ward, "payments")()

    yield Trouble(look, mended=ward.world.rest)


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
