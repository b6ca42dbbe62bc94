"""The service on a database of its own, over real HTTP; no worker runs unless a test turns it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import ECKey, KeySet

from services.booking.app import describe
from services.booking.commands.holds import hold_slot
from services.booking.domain.holds import Start, Wish
from services.booking.domain.orders import Order
from services.booking.domain.terms import Terms
from services.booking.events import ears
from services.booking.workers import complete_sessions, expire_holds, lapse_moves
from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.clock import FixedClock
from shared.config import CommonSettings
from shared.contracts.booking import FrozenPolicy
from shared.contracts.envelope import Fact, enclose
from shared.contracts.payments import AccountChanged, CheckoutClosed, PaymentSucceeded
from shared.contracts.profiles import MentorApproved, MentorSuspended
from shared.contracts.topics import facts_by_type
from shared.db import Pool, in_transaction, open_pool
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id
from shared.inbox import Arrival, Inbox
from shared.limits import Limiter
from shared.process import Running, Service
from shared.web.server import Surroundings, build
from tests.engines import Database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday noon."""
SLOT = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
"""A start that `OFFERING` offers with `WEEK`."""
WEEK = {
    "zone": "UTC",
    "weekly": [{"weekday": day, "starts": "00:00", "ends": "24:00"} for day in range(7)],
    "room_url": "https://meet.example.test/room",
}
OFFERING = {
    "title": "Career talk",
    "description": "An hour about where to go.",
    "minutes": 60,
    "price_minor": 12_000,
    "currency": "USD",
    "buffer_before_minutes": 0,
    "buffer_after_minutes": 0,
    "minimum_notice_minutes": 60,
    "horizon_days": 60,
    "cancellation_preset": "standard",
}
STANDARD = {"preset": "standard", "policy_version": 1}
TERMS = Terms()
OUTBOX = "SELECT headers, value FROM outbox WHERE $1::text IS NULL OR key = $1 ORDER BY id"
OVERLAPS = "SELECT count(*) FROM overlapping_participations"


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    person_id: PersonId
    token: str


@dataclass
class Marketplace:
    """Booking, and whatever a test does around it."""

    service: Service
    pool: Pool
    clock: FixedClock
    client: TestClient[web.Request, web.Application]
    key: ECKey
    versions: dict[UUID, int] = field(default_factory=dict[UUID, int])

    def person(self, *roles: Role) -> Person:
        """Return somebody new who is signed in."""
        principal = Principal(PersonId(new_id()), frozenset(roles or (Role.MENTEE,)), new_id())
        return Person(principal.person_id, sign_access_token(self.key, principal))

    async def call(
        self,
        method: str,
        path: str,
        who: Person | None = None,
        *,
        version: int | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """Send a request; a POST carries a fresh Idempotency-Key unless one is given."""
        headers = dict(options.pop("headers", {}))
        if who:
            headers["Authorization"] = f"Bearer {who.token}"
        if method == "POST":
            headers.setdefault("Idempotency-Key", secrets.token_hex(8))
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        async with self.client.request(method, path, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, await answer.json(content_type=None) if text else None

    async def hear(self, fact: Fact) -> str:
        """Let booking hear a fact as it comes from Kafka; return what became of it."""
        event = enclose(fact, event_id=new_id(), source="/services/test", time=self.clock.now())
        inbox = Inbox(self.pool, ears(), self.clock)
        return await inbox.receive(
            Arrival(fact.topic, event.subject, event.headers(), event.value())
        )

    async def facts(self, *kinds: type[Fact], key: UUID | None = None) -> list[Any]:
        """Return what was announced so far, in order; of some kinds or one key when named."""
        known = facts_by_type()
        rows = await self.pool.fetch(OUTBOX, str(key) if key else None)
        found = [
            known[dict(row["headers"])["ce_type"]].model_validate_json(row["value"]) for row in rows
        ]
        return [fact for fact in found if not kinds or isinstance(fact, kinds)]

    def _next_version(self, of: UUID) -> int:
        self.versions[of] = self.versions.get(of, 0) + 1
        return self.versions[of]

    async def approve(self, mentor: Person) -> None:
        """Let booking hear that a mentor is approved."""
        fact = MentorApproved(
            version=self._next_version(mentor.person_id),
            person_id=mentor.person_id,
            verified=True,
            mentor_state="approved",
        )
        assert await self.hear(fact) == "handled"

    async def suspend(self, mentor: Person) -> None:
        """Let booking hear that a mentor is suspended."""
        fact = MentorSuspended(
            version=self._next_version(mentor.person_id),
            person_id=mentor.person_id,
            verified=True,
            mentor_state="suspended",
        )
        assert await self.hear(fact) == "handled"

    async def mentor(self) -> Person:
        """Bring somebody to an approved mentor with an account and hours around the clock."""
        mentor = self.person(Role.MENTEE, Role.MENTOR)
        await self.approve(mentor)
        account = AccountChanged(version=1, mentor_id=mentor.person_id, can_receive=True)
        assert await self.hear(account) == "handled"
        status, answer = await self.call("PUT", "/v1/me/availability", mentor, version=0, json=WEEK)
        assert status == 200, answer
        return mentor

    async def offer(self, mentor: Person, **changes: Any) -> OfferingId:
        """Publish an offering of a mentor."""
        status, made = await self.call("POST", "/v1/me/offerings", mentor, json=OFFERING | changes)
        assert status == 201, made
        path = f"/v1/me/offerings/{made['offering_id']}/publish"
        status, answer = await self.call("POST", path, mentor)
        assert status == 200, answer
        return OfferingId(UUID(made["offering_id"]))

    async def ask(
        self, mentee: Person, offering_id: UUID, starts_at: datetime = SLOT, **options: Any
    ) -> tuple[int, Any]:
        """Ask over HTTP to hold a slot."""
        body = {
            "offering_id": str(offering_id),
            "starts_at": starts_at.isoformat(),
            "accepted_policy": STANDARD,
        }
        return await self.call("POST", "/v1/orders", mentee, json=body, **options)

    async def hold(
        self, mentee_id: PersonId, offering_id: OfferingId, starts_at: datetime = SLOT
    ) -> Order:
        """Hold a slot by command; raises its refusals."""
        wish = Wish(
            OrderId(new_id()),
            (Start(SessionId(new_id()), starts_at),),
            mentee_id,
            FrozenPolicy(**STANDARD),
        )
        return await in_transaction(
            self.pool,
            lambda conn: hold_slot(conn, offering_id, wish, terms=TERMS, now=self.clock.now()),
        )

    async def pay(self, order: Any) -> str:
        """Let booking hear that an order is paid."""
        told = _money_of(order, self._next_version(_id(order, "order_id")))
        paid = PaymentSucceeded(
            **told, amount_minor=12_000, currency="USD", paid_at=self.clock.now()
        )
        return await self.hear(paid)

    async def close_checkout(self, order: Any) -> str:
        """Let booking hear that nobody can pay for an order any more."""
        told = _money_of(order, self._next_version(_id(order, "order_id")))
        return await self.hear(CheckoutClosed(**told))

    async def state(self, order: Any) -> str:
        """Return where an order stands."""
        order_id = _id(order, "order_id")
        row = await self.pool.fetchrow("SELECT state FROM orders WHERE order_id = $1", order_id)
        assert row
        return str(row["state"])

    async def work(self) -> int:
        """Turn the worker's loops until nothing is due; return how much they did."""
        done = 0
        while more := sum(
            [
                await turn(self.pool, self.clock)
                for turn in (expire_holds, complete_sessions, lapse_moves)
            ]
        ):
            done += more
        return done

    async def confirmed(self, mentor: Person, mentee: Person, **terms: Any) -> Any:
        """Bring an order for `SLOT` to confirmed; return it as the mentee sees it."""
        status, order = await self.ask(mentee, await self.offer(mentor, **terms))
        assert status == 201, order
        assert await self.pay(order) == "handled"
        _, order = await self.call("GET", f"/v1/orders/{order['order_id']}", mentee)
        assert order["state"] == "confirmed"
        return order

    def advance(self, span: timedelta) -> None:
        """Let business time pass."""
        self.clock.instant += span

    async def overlaps(self) -> int:
        """Return how many pairs of active participations share somebody's minute."""
        return int(await self.pool.fetchval(OVERLAPS))


def _id(order: Any, name: str) -> UUID:
    return UUID(order[name]) if isinstance(order, dict) else getattr(order, name)


def _money_of(order: Any, version: int) -> dict[str, Any]:
    names = ("order_id", "mentor_id", "mentee_id")
    return {"version": version, **{name: _id(order, name) for name in names}}


@pytest.fixture
async def own_database(database: Callable[..., Awaitable[Database]]) -> Database:
    """Give a database where booking is migrated."""
    return await database("booking")


@pytest.fixture
async def market(
    own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Marketplace]:
    """Give booking on a fresh database, at `NOW`."""
    monkeypatch.setenv("BOOKING_DATABASE_URL", own_database.app_url("booking"))
    monkeypatch.setenv("BOOKING_WEB_URL", "https://web.test/")
    monkeypatch.setenv("PROFILES_JWKS_URL", "http://profiles.test/.well-known/jwks.json")
    service = describe()
    clock = FixedClock(NOW)
    pool = await open_pool(service.database_url, process="test")
    running = Running(pool, clock, CommonSettings())
    key = ECKey.generate_key("P-256", {"kid": "test"})
    app = _application(service, running, key)
    async with TestClient(TestServer(app)) as client:
        yield Marketplace(service, pool, clock, client, key)
    async with asyncio.timeout(10):
        await pool.close()


def _application(service: Service, running: Running, key: ECKey) -> web.Application:
    async def keys() -> KeySet:
        return KeySet([key])

    limiter = Limiter(running.pool)
    around = Surroundings(
        pool=lambda: running.pool,
        clock=running.clock,
        verifier=Verifier(keys),
        limiter=lambda: limiter,
    )
    app = build(service.api, around)
    service.wire(app, running)
    return app
