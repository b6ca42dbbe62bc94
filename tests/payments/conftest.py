"""The service on a database of its own, against the Stripe simulator, over real HTTP.

Both read one business clock that the tests move. No worker process runs: the loops are turned by
hand until everything is at rest, and facts stay in the outbox, where the tests read them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import ECKey, KeySet

from services.payments.api.routes import build_api
from services.payments.api.terms import TERMS
from services.payments.api.webhooks import SECRETS, Secrets
from services.payments.domain.orders import Order, Terms
from services.payments.events import listen
from services.payments.gateway.calls import StripeGateway
from services.payments.gateway.line import Pace
from services.payments.store.orders import load_order
from services.payments.workers.loops import loops
from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.clock import FixedClock
from shared.contracts import booking
from shared.contracts.envelope import Fact, enclose
from shared.contracts.topics import facts_by_type
from shared.db import Pool, open_pool
from shared.ids import PersonId, new_id
from shared.inbox import Arrival, Inbox
from shared.limits import Limiter
from shared.process import Loop
from shared.web.server import Surroundings, build
from simulators.stripe.server import Settings as SimulatorSettings
from simulators.stripe.server import create_app
from tests.engines import Database

NOON = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)
HOLD = timedelta(minutes=15)
SHARE = 1_500
DELAY = timedelta(hours=48)
PLATFORM_SECRETS = ("whsec_platform_new", "whsec_platform_old")
CONNECT_SECRETS = ("whsec_connect",)
TERMS_OF_NOW = Terms("https://web.test", SHARE, DELAY)
CALL_TIMEOUT_SECONDS = 0.6
UNLIMITED = 100_000.0
"""Calls per second where not the pace is tried."""
REST_SECONDS = 30.0
TURN_PAUSE_SECONDS = 0.02
OUTBOX = "SELECT headers, value FROM outbox ORDER BY id"
UNDONE = "SELECT kind, subject FROM in_flight WHERE kind <> 'outbox'"
TRY_AGAIN = """UPDATE operations SET next_try_at = now()
    WHERE state = 'sent' AND outcome ->> 'because' = 'balance_insufficient'"""
"""What waits for the balance keeps real time, and days pass here in less than its back-off."""

F = TypeVar("F", bound=Fact)


@dataclass
class Bought:
    """One purchase as booking knows it; `version` counts booking's facts.

    `parts` are the sessions of a series with their prices, the first of them `session_id`.
    """

    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    price_minor: int
    currency: str
    version: int = 0
    parts: dict[UUID, int] = field(default_factory=dict[UUID, int])

    def common(self, version: int) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "session_id": self.session_id,
            "mentor_id": self.mentor_id,
            "mentee_id": self.mentee_id,
            "starts_at": NOON + timedelta(days=3),
            "ends_at": NOON + timedelta(days=3, hours=1),
            "calendar_sequence": 0,
            "version": version,
        }


@dataclass
class World:
    """Everything a test does with `payments`."""

    pool: Pool
    clock: FixedClock
    client: TestClient[Any, Any]
    stripe: TestClient[Any, Any]
    gateway: StripeGateway
    loops: list[Loop]
    inbox: Inbox
    key: ECKey

    def headers(self, person_id: UUID, *roles: Role) -> dict[str, str]:
        principal = Principal(PersonId(person_id), frozenset(roles), new_id())
        return {"Authorization": f"Bearer {sign_access_token(self.key, principal)}"}

    async def call(
        self, method: str, path: str, person_id: UUID, *roles: Role, body: Any = None
    ) -> tuple[int, Any]:
        """Make a request for a person; POSTs carry a fresh Idempotency-Key."""
        headers = self.headers(person_id, *roles)
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(8)
        async with self.client.request(method, path, headers=headers, json=body) as answer:
            return answer.status, await answer.json() if await answer.read() else None

    async def hear(self, fact: Fact, *, times: int = 1) -> str:
        """Let the service hear a fact as it comes from Kafka; return what became of the last."""
        event = enclose(fact, event_id=new_id(), source="/services/booking", time=self.clock.now())
        arrival = Arrival(fact.topic, event.subject, event.headers(), event.value())
        outcomes = [await self.inbox.receive(arrival) for _ in range(times)]
        return outcomes[-1]

    async def say(self, kind: type[booking.OrderFact], order: Bought, **details: Any) -> str:
        """Let booking say something about an order."""
        order.version += 1
        return await self.hear(kind.model_validate(order.common(order.version) | details))

    async def hold(
        self,
        price_minor: int = 12_000,
        currency: str = "USD",
        mentor_id: UUID | None = None,
        *,
        parts: Sequence[int] = (),
        hold: timedelta = HOLD,
        version: int = 0,
        mentee_id: UUID | None = None,
        promotion_code: str | None = None,
    ) -> Bought:
        """Let booking hold a session for a mentee, or a series whose parts have these prices."""
        price_minor = sum(parts) or price_minor
        prices = {new_id(): part for part in parts}
        session_id = next(iter(prices), new_id())
        mentor_id = mentor_id or new_id()
        mentee_id = mentee_id or new_id()
        order = Bought(
            new_id(), session_id, mentor_id, mentee_id, price_minor, currency, version, prices
        )
        outcome = await self.say(
            booking.BookingHeld,
            order,
            offering_id=new_id(),
            title="Career talk",
            price_minor=price_minor,
            currency=currency,
            hold_until=self.clock.now() + hold,
            policy={"preset": "standard", "policy_version": 1},
            promotion_code=promotion_code,
            sessions=_sold(prices),
        )
        assert outcome == "handled"
        return order

    async def buy(self, price_minor: int = 12_000, currency: str = "USD", **more: Any) -> Bought:
        """Hold, pay and confirm a session."""
        order = await self.hold(price_minor, currency, **more)
        await self.rest()
        await self.pay(order)
        await self.rest()
        await self.say(booking.BookingConfirmed, order, title="Career talk")
        return order

    async def pay(self, order: Bought, card: str = "4242424242424242") -> None:
        """Pay on Stripe's page, as the mentee would."""
        checkout_id = (await self.order(order)).checkout_id
        status, answer = await self.sim("POST", f"checkout/{checkout_id}/pay", {"card": card})
        assert status == 200, answer

    async def connect(self, mentor_id: UUID, *, complete: bool = True) -> str:
        """Take a mentor through Stripe's onboarding; return the account."""
        await self.begin_to_connect(mentor_id)
        await self.rest()
        _, account = await self.call("GET", "/v1/me/account", mentor_id, Role.MENTOR)
        if complete:
            await self.sim("POST", f"accounts/{account['account_id']}/complete", {})
            await self.rest()
        return str(account["account_id"])

    async def begin_to_connect(self, mentor_id: UUID) -> None:
        """Let a mentor ask for a connected account."""
        body = {
            "country": "US",
            "return_url": "https://web.test/back",
            "refresh_url": "https://web.test/again",
        }
        status, answer = await self.call(
            "POST", "/v1/me/account", mentor_id, Role.MENTOR, body=body
        )
        assert status == 202, answer

    async def sim(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Direct the simulator, or look at its books."""
        async with self.stripe.request(method, f"/_sim/{path}", json=body) as answer:
            return answer.status, await answer.json() if await answer.read() else None

    async def fault(self, method: str, path: str, kind: str, count: int = 1) -> None:
        """Let the next matching calls meet trouble."""
        order = {"method": method, "path": path, "kind": kind, "count": count}
        assert (await self.sim("POST", "faults", order))[0] in (200, 201)

    async def movements(self, kind: str) -> list[Any]:
        """Return the simulator's balance transactions of the platform of one kind."""
        history = (await self.sim("GET", "history"))[1]
        rows = history["objects"]["balance_transaction"]
        return [row for row in rows if row["type"] == kind]

    async def rest(self) -> None:
        """Turn the loops until nothing is left to do; fails when that takes too long."""
        async with asyncio.timeout(REST_SECONDS):
            while True:
                await self.turn()
                if await self.undone():
                    await asyncio.sleep(TURN_PAUSE_SECONDS)
                    continue
                if (await self.sim("GET", "rest"))[1]["resting"] and not await self.undone():
                    return

    async def turn(self) -> None:
        """Turn every loop once."""
        for loop in self.one_of_each():
            while await loop.step():
                pass

    def one_of_each(self) -> list[Loop]:
        """Return one loop of each kind: several callers help nobody who takes turns."""
        return list({loop.name.rstrip("0123456789"): loop for loop in self.loops}.values())

    async def undone(self) -> bool:
        """Return whether work is in flight or due."""
        due = "SELECT 1 FROM due WHERE due_at <= $1"
        return bool(await self.pool.fetch(UNDONE) or await self.pool.fetch(due, self.clock.now()))

    async def advance(self, by: timedelta) -> None:
        """Let business time pass, from one due instant to the next as `dev clock` does."""
        target = self.clock.instant + by
        while True:
            due = await self.pool.fetchval("SELECT min(due_at) FROM due")
            sim = (await self.sim("GET", "due"))[1]["next"]
            instants = [due, datetime.fromisoformat(sim) if sim else None, target]
            step = min(found for found in instants if found is not None)
            self.clock.instant = max(self.clock.instant, min(step, target))
            await self.pool.execute(TRY_AGAIN)
            await self.rest()
            if self.clock.instant >= target:
                return

    async def told(self, kind: type[F]) -> list[F]:
        """Return the facts of one kind told so far, in order."""
        return [fact for fact in await self.facts() if isinstance(fact, kind)]

    async def facts(self) -> list[Fact]:
        """Return every fact told so far, in order."""
        found: list[Fact] = []
        for row in await self.pool.fetch(OUTBOX):
            kind = facts_by_type()[dict(row["headers"])["ce_type"]]
            found.append(kind.model_validate_json(row["value"]))
        return found

    async def order(self, order: Bought) -> Order:
        """Return the order as it is stored."""
        async with self.pool.acquire() as conn:
            found = await load_order(conn, order.order_id)
        assert found is not None
        return found

    async def balances(self) -> dict[str, int]:
        """Return the balance of every ledger account (one currency)."""
        rows = await self.pool.fetch("SELECT account, amount_minor FROM ledger_balances")
        return {row["account"]: row["amount_minor"] for row in rows if row["amount_minor"]}

    async def check_books(self) -> None:
        """Assert that both books balance, agree to the cent, and that clearing is empty."""
        books = (await self.sim("GET", "books"))[1]
        assert books["balanced"]
        platform = books["accounts"]["platform"]
        theirs: dict[str, int] = {}
        for bucket in platform.values():
            for currency, amount in bucket.items():
                theirs[currency.upper()] = theirs.get(currency.upper(), 0) + amount
        rows = await self.pool.fetch(
            "SELECT currency, amount_minor FROM ledger_balances WHERE account = 'stripe_balance'"
        )
        ours = {row["currency"]: row["amount_minor"] for row in rows}
        assert {name: n for name, n in theirs.items() if n} == {
            name: n for name, n in ours.items() if n
        }
        for view in ("ledger_imbalances", "clearing_leftovers"):
            assert await self.pool.fetch(f"SELECT 1 FROM {view}") == []  # noqa: S608  Constants.


def _sold(prices: dict[UUID, int]) -> list[dict[str, Any]]:
    return [
        {
            "session_id": each,
            "starts_at": NOON + timedelta(days=3 + 7 * place),
            "ends_at": NOON + timedelta(days=3 + 7 * place, hours=1),
            "price_minor": part,
        }
        for place, (each, part) in enumerate(prices.items())
    ]


@pytest.fixture
async def payments_database(
    database: Callable[..., Awaitable[Database]],
) -> Database:
    """Give a migrated database of this test's own."""
    return await database("payments")


@asynccontextmanager
async def open_world(
    database: Database,
    open_gateway: Callable[[str], StripeGateway],
    of_workers: Callable[[Pool], Pool] = lambda pool: pool,
) -> AsyncGenerator[World]:
    """Give the service with the simulator on a migrated database, both at rest at noon.

    Workers reach the database through what `of_workers` makes of the pool.
    """
    clock = FixedClock(NOON)
    pool = await open_pool(database.app_url("payments"), process="test", largest=8)
    key = ECKey.generate_key("P-256", {"kid": "test"})
    async with AsyncExitStack() as ends:
        ends.push_async_callback(pool.close)
        served = TestClient(TestServer(_application(pool, clock, key)))
        client = await ends.enter_async_context(served)
        simulated = TestClient(TestServer(_simulator(client, clock)))
        stripe = await ends.enter_async_context(simulated)
        gateway = open_gateway(str(stripe.make_url("")))
        ends.push_async_callback(gateway.close)
        own = of_workers(pool)
        inbox = Inbox(own, listen(TERMS_OF_NOW), clock)
        turned = [*loops(own, gateway, clock), Loop("kept_events", inbox.take_up, 0.0)]
        yield World(pool, clock, client, stripe, gateway, turned, inbox, key)


@pytest.fixture
async def world(payments_database: Database) -> AsyncGenerator[World]:
    """Give the service with the simulator, both at rest at noon."""

    def gateway(address: str) -> StripeGateway:
        return StripeGateway(
            "sk_test_payments", address, CALL_TIMEOUT_SECONDS, pace=Pace(UNLIMITED)
        )

    async with open_world(payments_database, gateway) as opened:
        yield opened


def _application(pool: Pool, clock: FixedClock, key: ECKey) -> web.Application:
    async def keys() -> KeySet:
        return KeySet([key])

    limiter = Limiter(pool)
    app = build(build_api(), Surroundings(lambda: pool, clock, Verifier(keys), lambda: limiter))
    app[TERMS] = TERMS_OF_NOW
    app[SECRETS] = Secrets(PLATFORM_SECRETS, CONNECT_SECRETS)
    return app


def _simulator(client: TestClient[Any, Any], clock: FixedClock) -> web.Application:
    settings = SimulatorSettings(
        platform_webhook=str(client.make_url("/webhooks/stripe")),
        platform_secrets=[PLATFORM_SECRETS[0]],
        connect_webhook=str(client.make_url("/webhooks/stripe-connect")),
        connect_secrets=list(CONNECT_SECRETS),
    )
    return create_app(settings, clock)
