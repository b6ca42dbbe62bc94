"""Wiring: what the process of booking is made of."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from services.booking.api import api
from services.booking.api.surface import TERMS, WEB_URL
from services.booking.commands.offerings import republish_offerings
from services.booking.commands.openings import openings_teller
from services.booking.config import BookingSettings
from services.booking.domain.terms import Terms
from services.booking.events import ears
from services.booking.store.gauges import GAUGES
from services.booking.workers import loops
from shared.auth import Verifier, keys_from
from shared.config import load
from shared.process import Running, Service

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION = "1.0.0"


def describe() -> Service:
    """Return the service as the environment sets it up; raises `SettingsMissing`."""
    settings = load(BookingSettings)
    terms = settings.terms()
    clients: list[aiohttp.ClientSession] = []

    async def close_clients() -> None:
        for client in clients:
            await client.close()

    def verifier(_running: Running) -> Verifier:
        clients.append(aiohttp.ClientSession())
        return Verifier(keys_from(settings.jwks_url, clients[-1]))

    return Service(
        name="booking",
        title="Booking",
        version=VERSION,
        migrations=MIGRATIONS,
        database_url=settings.database_url,
        migrate_database_url=settings.migrate_database_url,
        api=api,
        ears=lambda _running: ears(),
        loops=lambda running: loops(running.pool, running.clock, terms),
        verifier=verifier,
        wire=partial(_wire, terms, settings.web_url.rstrip("/")),
        cleanup=close_clients,
        gauges=GAUGES,
        tellers={
            "booking.offerings": republish_offerings,
            "booking.openings": openings_teller(terms),
        },
    )


def _wire(terms: Terms, web_url: str, app: web.Application, _running: Running) -> None:
    app[TERMS], app[WEB_URL] = terms, web_url
