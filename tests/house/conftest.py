"""Every service that is here, described as for a real start, on a database of its own."""

from __future__ import annotations

import base64
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import ECKey, KeySet

from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.clock import SystemBusinessClock
from shared.config import CommonSettings
from shared.db import Pool, open_pool
from shared.ids import PersonId, new_id
from shared.limits import Limiter
from shared.process import Running, Service
from shared.seal import new_seal_key, public_half
from shared.web.server import Surroundings, build
from tests.engines import Database

MakeDatabase = Callable[..., Awaitable[Database]]
Client = TestClient[web.Request, web.Application]
_KEY = base64.b64encode(bytes(32)).decode()
_SEAL = new_seal_key()
ENVIRONMENT = {
    "MENTORIUM_ENV": "development",
    "PROFILES_KEY_SECRET": _KEY,
    "PROFILES_WEB_URL": "http://web.test",
    "SEAL_PUBLIC_KEY": public_half(_SEAL),
    "PROFILES_JWKS_URL": "http://profiles.test/.well-known/jwks.json",
    "BOOKING_WEB_URL": "http://web.test",
    "PAYMENTS_STRIPE_KEY": "sk_test_house",
    "PAYMENTS_STRIPE_BASE_URL": "http://stripe.test",
    "PAYMENTS_STRIPE_WEBHOOK_SECRETS": "whsec_house",
    "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_house_connect",
    "PAYMENTS_WEB_URL": "http://web.test",
    "NOTIFICATIONS_SEAL_PRIVATE_KEY": _SEAL,
    "NOTIFICATIONS_SMTP_HOST": "mail.test",
    "NOTIFICATIONS_SMTP_PORT": "25",
    "NOTIFICATIONS_WEB_URL": "http://web.test",
}
"""What every service is told; nothing outside is called by these tests."""

Describe = Callable[[str], Service]


@pytest.fixture
def describe(monkeypatch: pytest.MonkeyPatch) -> Describe:
    """Give a function that describes a service as its `app.py` does; no database is opened."""

    def described(name: str, database_url: str = "postgresql://nowhere/none") -> Service:
        for variable, value in ENVIRONMENT.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv(f"{name.upper()}_DATABASE_URL", database_url)
        return importlib.import_module(f"services.{name}.app").describe()

    return described


@dataclass(frozen=True)
class Served:
    """A service answering over HTTP, and tokens for whoever asks it."""

    service: Service
    client: Client
    pool: Pool
    key: ECKey

    def token(self, *roles: Role, person_id: UUID | None = None) -> dict[str, str]:
        """Return the header of a signed-in person with these roles; a stranger unless named."""
        person = Principal(PersonId(person_id or new_id()), frozenset(roles), new_id())
        return {"Authorization": f"Bearer {sign_access_token(self.key, person)}"}


class Serve(Protocol):
    """Serves the API of a service in this process, on a fresh database or a given one."""

    async def __call__(
        self, name: str, own: Database | None = None, limiter: Callable[[Pool], Limiter] = Limiter
    ) -> Served: ...


@pytest.fixture
async def serve(database: MakeDatabase, describe: Describe) -> AsyncGenerator[Serve]:
    """Give a function that serves the API of a service in this process."""
    async with AsyncExitStack() as ends:

        async def served(
            name: str, own: Database | None = None, limiter: Callable[[Pool], Limiter] = Limiter
        ) -> Served:
            own = own or await database(name)
            pool = await ends.enter_async_context(
                await open_pool(own.app_url(name), process="test")
            )
            service = describe(name)
            key = ECKey.generate_key("P-256", {"kid": "test"})

            async def source() -> KeySet:
                return KeySet([key])

            running = Running(pool, SystemBusinessClock(), CommonSettings())
            limits = limiter(pool)
            around = Surroundings(lambda: pool, running.clock, Verifier(source), lambda: limits)
            app = build(service.api, around)
            service.wire(app, running)
            client = await ends.enter_async_context(TestClient(TestServer(app)))
            if service.cleanup:
                ends.push_async_callback(service.cleanup)
            return Served(service, client, pool, key)

        yield served
