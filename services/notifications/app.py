"""The wiring of `notifications`: settings, routes, ears, loops."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from pathlib import Path

import aiohttp

from services.notifications.api import make_api
from services.notifications.config import Settings
from services.notifications.domain.letters import Sender
from services.notifications.events import hear
from services.notifications.gateway import MailServer
from services.notifications.store.gauges import GAUGES
from services.notifications.workers import Postman, loops
from shared.auth import Verifier, keys_from
from shared.config import load
from shared.contracts.sealed import OneTimeMessage
from shared.process import Loop, Running, Service
from shared.seal import unseal

VERSION = "1"
KEYS_SECONDS = 3.0


def describe() -> Service:
    """Return the service as its environment says; raises `SettingsMissing`."""
    settings = load(Settings)
    seal_key = settings.seal_private_key.get_secret_value()
    clients: list[aiohttp.ClientSession] = []

    def recognise(_running: Running) -> Verifier:
        client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=KEYS_SECONDS))
        clients.append(client)
        return Verifier(keys_from(settings.jwks_url, client))

    def work(running: Running) -> Sequence[Loop]:
        def open_secret(sealed: str) -> OneTimeMessage:
            return unseal(sealed, seal_key, OneTimeMessage)

        return loops(Postman(running.pool, running.clock, _mail_server(settings), open_secret))

    async def close() -> None:
        for client in clients:
            await client.close()

    return Service(
        name="notifications",
        title="notifications",
        version=VERSION,
        migrations=Path(__file__).parent / "migrations",
        database_url=settings.database_url,
        migrate_database_url=settings.migrate_database_url,
        api=make_api(_sender(settings)),
        ears=lambda _running: hear(seal_key),
        loops=work,
        verifier=recognise,
        cleanup=close,
        gauges=GAUGES,
    )


def _sender(settings: Settings) -> Sender:
    name, address = parseaddr(settings.sender)
    return Sender(name, address, settings.web_url.rstrip("/"))


def _mail_server(settings: Settings) -> MailServer:
    password = settings.smtp_password
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=_sender(settings),
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        starttls=settings.smtp_starttls,
    )
