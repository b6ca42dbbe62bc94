"""Wiring: what the process of booking is made of."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import aiohttp
from aiohttp import web

from services.booking.api import api
from services.booking.api.calendars import REACH
from services.booking.api.surface import TERMS, WEB_URL
from services.booking.commands.offerings import republish_offerings
from services.booking.commands.openings import openings_teller
from services.booking.config import BookingSettings
from services.booking.events import ears
from services.booking.gateway.fetching import Fetcher
from services.booking.gateway.reading import Reader
from services.booking.store.gauges import GAUGES
from services.booking.workers import Librarian, loops
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
    reader = Reader()

    async def close_clients() -> None:
        for client in (*clients, reader):
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
        loops=lambda running: (
            *loops(running.pool, running.clock, terms),
            Librarian(running.pool, running.clock, Fetcher(settings.reach()), reader).loop(),
        ),
        verifier=verifier,
        wire=partial(_wire, settings),
        cleanup=close_clients,
        gauges=GAUGES,
        tellers={
            "booking.offerings": republish_offerings,
            "booking.openings": openings_teller(terms),
        },
    )


def _wire(settings: BookingSettings, app: web.Application, _running: Running) -> None:
    app[TERMS], app[REACH] = settings.terms(), settings.reach()
    app[WEB_URL] = settings.web_url.rstrip("/")
