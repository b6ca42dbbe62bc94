"""The service on a database of its own, over real HTTP, with a reader who can open what is sealed.

No worker runs: facts stay in the outbox, where the tests read them, and loops are turned by hand.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from services.profiles.app import describe
from services.profiles.config import Settings
from services.profiles.events import EARS
from shared.clock import FixedClock
from shared.config import CommonSettings
from shared.contracts.booking import BookingConfirmed, OfferingPublished, SessionCompleted
from shared.contracts.envelope import Fact, enclose
from shared.contracts.sealed import OneTimeMessage
from shared.contracts.topics import facts_by_type
from shared.db import Pool, open_pool
from shared.ids import new_id
from shared.inbox import Arrival, Inbox
from shared.limits import Limiter
from shared.process import Loop, Running, Service
from shared.seal import new_seal_key, public_half, unseal
from shared.web.server import Surroundings, build
from tests.engines import Database, Databases

NOON = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)
PASSWORD = "wombat kettle orchid 71"
OPERATOR = "operator@mentorium.test"
TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = 'profiles' AND tablename <> ALL($1::text[])
"""
KEPT = ("migrations", "expertise")
OUTBOX = "SELECT topic, headers, value FROM outbox ORDER BY id"


@dataclass
class Person:
    """Somebody with an account, and the tokens of a sign-in."""

    person_id: UUID
    email: str
    access: str
    refresh: str
    roles: list[str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@dataclass
class Marketplace:
    """Everything a test does with `profiles`."""

    service: Service
    running: Running
    client: TestClient[Any, Any]
    clock: FixedClock
    seal_key: str
    secret: bytes

    @property
    def pool(self) -> Pool:
        return self.running.pool

    async def call(
        self,
        method: str,
        path: str,
        *,
        as_: Person | None = None,
        version: int | None = None,
        **options: Any,
    ) -> tuple[int, Any]:
        """Send a request; POSTs carry a fresh Idempotency-Key, which routes may ignore."""
        headers = dict(options.pop("headers", {}))
        if as_:
            headers |= as_.headers
        if method == "POST":
            headers.setdefault("Idempotency-Key", secrets.token_hex(8))
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        async with self.client.request(method, path, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, await answer.json(content_type=None) if text else None

    async def facts(self, kind: type[Fact] | None = None) -> list[Any]:
        """Return what was announced so far, in order."""
        kinds = facts_by_type()
        rows = await self.pool.fetch(OUTBOX)
        found = [
            kinds[dict(row["headers"])["ce_type"]].model_validate_json(row["value"]) for row in rows
        ]
        return [fact for fact in found if kind is None or isinstance(fact, kind)]

    async def mails(self, email: str) -> list[tuple[str, OneTimeMessage]]:
        """Return the one-time messages to an address, as their reader opens them."""
        opened = [
            (fact.kind, unseal(fact.sealed, self.seal_key, OneTimeMessage))
            for fact in await self.facts()
            if hasattr(fact, "message_id")
        ]
        return [(kind, mail) for kind, mail in opened if mail.email == email]

    async def token(self, email: str, kind: str) -> str:
        """Return the token of the last link of a kind that was mailed to an address."""
        return [m.link for k, m in await self.mails(email) if k == kind][-1].split("token=")[1]

    async def sign_up(self, email: str, **changes: Any) -> tuple[int, Any]:
        body = {
            "email": email,
            "password": PASSWORD,
            "name": "Ada",
            "locale": "en",
            "zone": "Europe/Berlin",
            "wants": "both",
        } | changes
        return await self.call("POST", "/v1/accounts", json=body)

    async def sign_in(self, email: str, password: str = PASSWORD) -> Person:
        status, answer = await self.call(
            "POST", "/v1/sign-ins", json={"email": email, "password": password}
        )
        assert status == 201, answer
        return Person(
            UUID(answer["person_id"]),
            email,
            answer["access_token"],
            answer["refresh_token"],
            answer["roles"],
        )

    async def person(self, email: str, name: str = "Ada") -> Person:
        """Sign somebody up, prove the address by the mailed link, and sign in."""
        status, _ = await self.sign_up(email, name=name)
        assert status == 202
        status, _ = await self.verify(await self.token(email, "verify_email"))
        assert status == 200
        return await self.sign_in(email)

    async def verify(self, token: str, password: str = PASSWORD) -> tuple[int, Any]:
        """Prove an address by a mailed link and the password of its sign-up."""
        body = {"token": token, "password": password}
        return await self.call("POST", "/v1/accounts/verify", json=body)

    async def hear(self, fact: Fact) -> str:
        """Let the service hear a fact as it comes from Kafka; return what became of it."""
        event = enclose(fact, event_id=new_id(), source="/services/booking", time=self.clock.now())
        inbox = Inbox(self.pool, EARS, self.clock)
        return await inbox.receive(
            Arrival(fact.topic, event.subject, event.headers(), event.value())
        )

    async def turn(self, name: str) -> int:
        """Turn one of the service's loops once."""
        loops: dict[str, Loop] = {loop.name: loop for loop in self.service.loops(self.running)}
        return await loops[name].step()

    async def mentor(
        self,
        operator: Person,
        name: str,
        *,
        price: int = 12_000,
        currency: str = "USD",
        published: bool = True,
        **profile: Any,
    ) -> Person:
        """Bring somebody to an approved mentor with an offering."""
        person = await self.person(f"m{secrets.token_hex(4)}@mentorium.test", name)
        body = {
            "headline": "I help people grow",
            "story": "Years of practice.",
            "expertise": ["python"],
            "languages": ["en"],
            "years": 9,
            "industries": [],
        }
        status, answer = await self.call(
            "PUT", "/v1/me/mentor-profile", as_=person, version=0, json=body | profile
        )
        assert status == 200, answer
        status, answer = await self.call("POST", "/v1/me/mentor-profile/submit", as_=person)
        assert (status, answer) == (200, {"state": "submitted"})
        path = f"/v1/operator/mentors/{person.person_id}/approve"
        status, answer = await self.call("POST", path, as_=operator, json={})
        assert (status, answer) == (200, {"state": "approved"})
        if published:
            await self.offer(person, price=price, currency=currency)
        return person

    async def offer(self, mentor: Person, *, price: int, currency: str = "USD") -> None:
        offering = OfferingPublished(
            version=1,
            offering_id=new_id(),
            mentor_id=mentor.person_id,
            title="An hour",
            minutes=60,
            price_minor=price,
            currency=currency,
            published=True,
        )
        assert await self.hear(offering) == "handled"

    async def completed_session(self, mentor: Person, mentee: Person) -> UUID:
        """Let a session between two people be confirmed and completed now."""
        session_id, order_id = new_id(), new_id()
        now = self.clock.now()
        times: dict[str, Any] = {
            "order_id": order_id,
            "session_id": session_id,
            "mentor_id": mentor.person_id,
            "mentee_id": mentee.person_id,
            "starts_at": now - timedelta(hours=1),
            "ends_at": now,
            "calendar_sequence": 0,
        }
        confirmed = BookingConfirmed(version=2, title="An hour", **times)
        completed = SessionCompleted(version=3, by="mentee", completed_at=now, **times)
        assert await self.hear(confirmed) == "handled"
        assert await self.hear(completed) == "handled"
        return session_id


@pytest.fixture(scope="session")
async def house(databases: Databases) -> AsyncGenerator[Database]:
    """Give the database that these tests share, one after the other."""
    made = await databases.create("profiles")
    yield made
    await databases.drop(made.name)


@pytest.fixture
async def own(house: Database) -> Database:
    """Give a database where nobody is registered and nothing happened."""
    conn = await asyncpg.connect(house.superuser_url)
    try:
        # Logs are only ever added to, by a trigger; between tests even they begin anew.
        await conn.execute("SET session_replication_role = replica")
        rows = await conn.fetch(TABLES, list(KEPT))
        names = (f"profiles.{row['tablename']}" for row in rows)
        await conn.execute(f"TRUNCATE {', '.join(names)}")
    finally:
        await conn.close()
    return house


@pytest.fixture
async def market(own: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Marketplace]:
    """Give the running service on an empty database."""
    monkeypatch.setenv("MENTORIUM_ENV", "development")
    seal_key, secret = new_seal_key(), secrets.token_bytes(32)
    settings = Settings(
        database_url=own.app_url("profiles"),
        key_secret=SecretStr(base64.b64encode(secret).decode()),
        operator_emails=(OPERATOR,),
        web_url="https://mentorium.test",
        SEAL_PUBLIC_KEY=public_half(seal_key),
    )
    service = describe(settings)
    clock = FixedClock(NOON)
    pool = await open_pool(settings.database_url, process="test")
    running = Running(pool, clock, CommonSettings())
    limiter = Limiter(pool)
    around = Surroundings(
        pool=lambda: pool,
        clock=clock,
        verifier=service.verifier(running),
        limiter=lambda: limiter,
    )
    app = build(service.api, around)
    service.wire(app, running)
    async with TestClient(TestServer(app)) as client:
        yield Marketplace(service, running, client, clock, seal_key, secret)
    async with asyncio.timeout(10):
        await pool.close()


@pytest.fixture
async def operator(market: Marketplace) -> Person:
    """Give the operator, who proved the address named in the settings."""
    return await market.person(OPERATOR, "Olga")
