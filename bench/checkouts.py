"""People who hold, open a payment page and pay, so many a second, and how long they wait for it.

The hold comes from booking through Kafka, the page is Stripe's as soon as the order has it, the
payment is made there at once, and Stripe tells our API of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from uuid import UUID, uuid4

from bench.rounds import Measurement
from bench.shop import WAIT_SECONDS, Shop, held
from shared.bus import Producer
from shared.clock import monotonic_seconds
from shared.ids import PersonId

PER_SECOND = 3.0
LOOK_SECONDS = 0.025
"""Pages and payments are looked for this often: no wait is known better."""
ENOUGH_FOR_P99 = 100
STATES = "SELECT order_id, state, checkout_id FROM orders WHERE order_id = ANY($1::uuid[])"


@dataclass
class Visit:
    """One purchase: when it was held, when its page was there and paid, when we knew of it."""

    held_at: float
    page_at: float = 0.0
    paid_at: float = 0.0

    @property
    def hold_to_page(self) -> float:
        """How long somebody waited for the page."""
        return self.page_at - self.held_at

    @property
    def pay_to_paid(self) -> float:
        """How long it took from the payment, which is made as soon as the page is there."""
        return self.paid_at - self.page_at


class Visits:
    """Purchases that begin one after the other; `done` are those that were paid."""

    def __init__(self, opened: Shop) -> None:
        """Let people come to a shop."""
        self.done: list[Visit] = []
        self._opened = opened
        self._on_the_way: dict[UUID, Visit] = {}

    async def come(self, fewest: int, still: Callable[[], bool]) -> None:
        """Let people come while `still` says so, at least `fewest`; wait until all have paid."""
        began, come = monotonic_seconds(), 0
        async with asyncio.TaskGroup() as paying, self._producer() as producer:
            while come < fewest or still():
                if monotonic_seconds() >= began + come / PER_SECOND:
                    await self._hold(producer)
                    come += 1
                await self._look(paying)
            async with asyncio.timeout(WAIT_SECONDS):
                while self._on_the_way:
                    await self._look(paying)

    @asynccontextmanager
    async def _producer(self) -> AsyncGenerator[Producer]:
        producer = Producer(self._opened.broker)
        try:
            yield producer
        finally:
            await producer.close()

    async def _hold(self, producer: Producer) -> None:
        order_id = uuid4()
        self._on_the_way[order_id] = Visit(monotonic_seconds())
        await producer.send_all([held(order_id, PersonId(uuid4()))])

    async def _look(self, paying: asyncio.TaskGroup) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        for row in await self._opened.pool.fetch(STATES, list(self._on_the_way)):
            visit = self._on_the_way[row["order_id"]]
            if row["state"] == "open" and not visit.page_at:
                visit.page_at = monotonic_seconds()
                page = f"/checkout/{row['checkout_id']}/pay"
                paying.create_task(self._opened.tell_stripe(page, {}))
            elif row["state"] == "paid":
                visit.paid_at = monotonic_seconds()
                self.done.append(self._on_the_way.pop(row["order_id"]))


def waits(
    bench: str, when: str, beside: Sequence[Visit], quiet: Sequence[Visit]
) -> list[Measurement]:
    """Return how long people waited when something was going on, over the same in quiet times."""
    ways: tuple[tuple[str, Callable[[Visit], float]], ...] = (
        ("hold to page", lambda visit: visit.hold_to_page),
        ("payment to paid", lambda visit: visit.pay_to_paid),
    )
    return [
        over_quiet(
            bench, f"{name}, {which}, {when}", figure(map(way, beside)), figure(map(way, quiet))
        )
        for name, way in ways
        for which, figure in _figures(min(len(beside), len(quiet)))
    ]


def over_quiet(bench: str, name: str, beside: float, quiet: float) -> Measurement:
    """Return a wait in milliseconds over the same wait in quiet times; more than 1 is slower."""
    ours, control = (beside * 1_000,), (quiet * 1_000,)
    return Measurement(bench, name, "quiet", "ms", 0, None, ours, control)


def p99(seconds: Iterable[float]) -> float:
    """Return the wait that one of a hundred exceeds."""
    return quantiles(seconds, n=100, method="inclusive")[98]


def _figures(count: int) -> Sequence[tuple[str, Callable[[Iterable[float]], float]]]:
    """Return what can be said of so many: of few there is no hundredth."""
    return (("p99", p99),) if count >= ENOUGH_FOR_P99 else (("median", median), ("greatest", max))
