"""The wiring of `profiles`: settings in, a described service out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from aiohttp import web
from joserfc.jwk import KeySet

from services.profiles.api import DESK, Desk, api
from services.profiles.commands.accounts import republish_contacts, republish_people
from services.profiles.commands.keys import Keyring, published_keys
from services.profiles.commands.office import Office
from services.profiles.commands.passwords import Passwords
from services.profiles.config import Settings
from services.profiles.domain.keys import key_set
from services.profiles.events import EARS
from services.profiles.store.gauges import GAUGES
from services.profiles.workers import loops
from shared.auth import KEYS_FRESH_SECONDS, Verifier
from shared.clock import BusinessInstant
from shared.config import CommonSettings, load
from shared.db import Connection, Pool, in_transaction
from shared.limits import Limiter
from shared.outbox import Announcer
from shared.process import Running, Service
from shared.republish import Teller, Told

VERSION = "0.1.0"
JWKS_PATH = "/.well-known/jwks.json"


def describe(settings: Settings | None = None) -> Service:
    """Return this service as the environment, or a test, configures it."""
    given = settings or load(Settings)
    office = Office(
        announcer=Announcer("profiles"),
        seal_public_key=given.seal_public_key,
        web_url=given.web_url,
        secret=given.secret,
        operator_emails=frozenset(given.operator_emails),
        rotation=given.rotation,
        allow_test_addresses=CommonSettings().mentorium_env == "development",
    )
    return Service(
        name="profiles",
        title="profiles",
        version=VERSION,
        migrations=Path(__file__).parent / "migrations",
        database_url=given.database_url,
        migrate_database_url=given.migrate_database_url,
        api=api,
        ears=lambda _running: EARS,
        loops=lambda running: loops(running.pool, office, running.clock),
        verifier=lambda running: Verifier(partial(_published, running.pool, office)),
        wire=partial(_wire, office),
        gauges=GAUGES,
        tellers={
            "profiles.people": _teller(office, republish_people),
            "profiles.contacts": _teller(office, republish_contacts),
        },
    )


class _Tell(Protocol):
    async def __call__(
        self, conn: Connection, office: Office, cursor: str | None, *, now: BusinessInstant
    ) -> Told: ...


def _teller(office: Office, tell: _Tell) -> Teller:
    return lambda conn, cursor, now: tell(conn, office, cursor, now=now)


def _wire(office: Office, app: web.Application, running: Running) -> None:
    limiter = Limiter(running.pool)
    app[DESK] = Desk(office, Keyring(office.secret, office.rotation), Passwords(), limiter)

    async def show_keys(_request: web.Request) -> web.Response:
        keys = await _published(running.pool, office)
        return web.json_response(
            keys.as_dict(private=False),
            headers={"Cache-Control": f"public, max-age={KEYS_FRESH_SECONDS}"},
        )

    app.router.add_get(JWKS_PATH, show_keys)


async def _published(pool: Pool, office: Office) -> KeySet:
    keys = await in_transaction(
        pool, lambda conn: published_keys(conn, office.secret, office.rotation)
    )
    return key_set(keys)
