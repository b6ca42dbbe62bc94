"""Workers that die at a chosen boundary: before or after a commit, or a call to Stripe.

Every boundary of a story is recorded by name when it is played once; then it is played again and
again, each time with one death, and must end in the same picture. Whoever died is started anew: its
transaction is rolled back, its leases end, and Kafka delivers again what it had not taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from services.payments.domain.operations import Refused
from services.payments.domain.requests import Request
from services.payments.domain.seen import Seen
from services.payments.events import listen
from services.payments.gateway.calls import StripeGateway
from services.payments.gateway.line import Circuit, Pace
from shared.clock import BusinessClock
from shared.db import Connection, Pool
from shared.inbox import Arrival, Inbox
from shared.process import Loop
from tests.engines import Database
from tests.payments.conftest import TERMS_OF_NOW, UNLIMITED, World, open_world
from tests.payments.mortal import HURRY, Died

WROTE = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
LINES = """
SELECT l.order_id, e.kind, l.account, l.amount_minor, l.currency
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
"""
OPEN = "SELECT kind, state FROM operations WHERE state NOT IN ('done', 'refused')"
STATEFUL = ("refund", "transfer", "transfer_reversal", "charge", "payout", "dispute")
HOUSEKEEPING = frozenset({"tell_line", "fold_balances", "compare_books"})
"""Loops that are no part of any story: what they write they would write at any time."""

Story = Callable[[World], Awaitable[None]]
Picture = Counter[tuple[object, ...]]


@dataclass
class Boundaries:
    """The places passed so far; at each `fatal` place somebody dies."""

    fatal: frozenset[int] = frozenset()
    names: list[str] = field(default_factory=list[str])
    who: str = ""

    def pass_by(self, what: str) -> None:
        """Come to a place where one can die; raises `Died` at a fatal one."""
        if self.who in HOUSEKEEPING:
            return
        self.names.append(f"{self.who}: {what}")
        if len(self.names) - 1 in self.fatal:
            raise Died


class _MortalConnection:
    def __init__(self, conn: Connection, boundaries: Boundaries) -> None:
        self._conn = conn
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def transaction(self) -> AbstractAsyncContextManager[object]:
        if self._conn.is_in_transaction():
            return self._conn.transaction()
        return self._outermost()

    @asynccontextmanager
    async def _outermost(self) -> AsyncGenerator[None]:
        async with self._conn.transaction():
            yield
            wrote = await self._conn.fetchval(WROTE)
            if wrote:
                self._boundaries.pass_by("before its commit")
        if wrote:
            self._boundaries.pass_by("after its commit")


class _MortalPool:
    def __init__(self, pool: Pool, boundaries: Boundaries) -> None:
        self._pool = pool
        self._boundaries = boundaries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    @asynccontextmanager
    async def acquire(self, *, timeout: float | None = None) -> AsyncGenerator[_MortalConnection]:
        async with self._pool.acquire(timeout=timeout) as conn:
            yield _MortalConnection(conn, self._boundaries)


class _MortalGateway(StripeGateway):
    boundaries = Boundaries()

    async def perform(self, request: Request, key: str) -> Seen | Refused:
        self.boundaries.pass_by(f"before {request.kind} is sent")
        answer = await super().perform(request, key)
        self.boundaries.pass_by(f"after {request.kind} is answered")
        return answer


@asynccontextmanager
async def mortal_world(database: Database, boundaries: Boundaries) -> AsyncGenerator[World]:
    """Give a world whose workers die at the fatal boundary and are started anew."""

    def gateway(address: str) -> StripeGateway:
        circuit = Circuit(first_rest_seconds=0.0)
        made = _MortalGateway("sk_test_payments", address, pace=Pace(UNLIMITED), circuit=circuit)
        made.boundaries = boundaries
        return made

    def mortal(pool: Pool) -> Pool:
        return cast("Pool", _MortalPool(pool, boundaries))

    async with open_world(database, gateway, mortal) as world:
        world.loops = [_kept(world, loop, boundaries) for loop in world.loops]
        world.inbox = _Kafka(mortal(world.pool), world.clock, boundaries)
        yield world


def _kept(world: World, loop: Loop, boundaries: Boundaries) -> Loop:
    async def step() -> int:
        boundaries.who = loop.name
        try:
            return await loop.step()
        except Died:
            for statement in HURRY:
                await world.pool.execute(statement)
            return 1

    return Loop(loop.name, step, loop.poll_seconds, loop.bell)


class _Kafka(Inbox):
    """Delivers again what a consumer that died had not taken."""

    def __init__(self, pool: Pool, clock: BusinessClock, boundaries: Boundaries) -> None:
        super().__init__(pool, listen(TERMS_OF_NOW), clock)
        self._boundaries = boundaries

    async def receive(self, arrival: Arrival) -> str:
        self._boundaries.who = "inbox"
        try:
            return await super().receive(arrival)
        except Died:
            again = await super().receive(arrival)
            return "handled" if again == "duplicate" else again


async def picture(world: World) -> Picture:
    """Return what can be seen of a world at rest: postings, facts, and everything at Stripe."""
    rows = await world.pool.fetch("SELECT order_id FROM orders ORDER BY order_id")
    place = {row["order_id"]: number for number, row in enumerate(rows)}
    seen: Picture = Counter()
    for row in await world.pool.fetch(LINES):
        order_id, *line = row
        seen[("line", place.get(order_id), *line)] += 1
    for fact in await world.facts():
        seen[("fact", place.get(getattr(fact, "order_id", None)), type(fact).__name__)] += 1
    objects = (await world.sim("GET", "history"))[1]["objects"]
    for row in objects["balance_transaction"]:
        whose = row["owner"] == "platform"
        seen[("moved", whose, row["type"], row["amount"], row["currency"])] += 1
    for kind in STATEFUL:
        for row in objects.get(kind, []):
            seen[(kind, row["owner"] == "platform", row["amount"], row.get("status"))] += 1
    for row in await world.pool.fetch(OPEN):
        seen[("open", row["kind"], row["state"])] += 1
    return seen


async def play(
    database: Database, story: Story, fatal: Iterable[int] = ()
) -> tuple[Picture, list[str]]:
    """Play a story with deaths at some boundaries; return how it ended and what was passed."""
    boundaries = Boundaries(frozenset(fatal))
    async with mortal_world(database, boundaries) as world:
        await story(world)
        await world.check_books()
        return await picture(world), boundaries.names
