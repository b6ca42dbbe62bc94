"""The wiring of `payments`: settings, gateway, API, ears and loops put together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from services.payments.api.routes import build_api
from services.payments.api.terms import TERMS
from services.payments.api.webhooks import SECRETS, Secrets
from services.payments.commands.accounts import republish_accounts
from services.payments.config import Settings
from services.payments.domain.orders import Terms
from services.payments.events import listen
from services.payments.gateway.calls import StripeGateway
from services.payments.store.gauges import GAUGES
from services.payments.workers.loops import loops
from shared.auth import Verifier, keys_from
from shared.config import CommonSettings, load
from shared.contracts.payments import AccountSnapshot
from shared.process import Running, Service

VERSION = "1.0.0"
MIGRATIONS = Path(__file__).parent / "migrations"


class LiveKeyWithMovableClock(SystemExit):
    """A live Stripe key and a clock that can be moved: real money at invented times."""

    def __init__(self) -> None:
        """Say which of the two settings must go."""
        super().__init__("PAYMENTS_STRIPE_KEY is live: unset MENTORIUM_CLOCK_FILE")


class SettlementCurrenciesUnknown(SystemExit):
    """A live Stripe key, and nobody said which balances its account has."""

    def __init__(self) -> None:
        """Say what is missing."""
        super().__init__("PAYMENTS_STRIPE_KEY is live: set PAYMENTS_SETTLEMENT_CURRENCIES")


def describe() -> Service:
    """Return the service as its settings describe it.

    Raises `SettingsMissing`, `LiveKeyWithMovableClock` and `SettlementCurrenciesUnknown`.
    """
    settings = load(Settings)
    if settings.is_live and CommonSettings().mentorium_clock_file is not None:
        raise LiveKeyWithMovableClock
    if settings.is_live and not settings.names_currencies:
        raise SettlementCurrenciesUnknown
    return _Wiring(settings).service()


class _Wiring:
    """Holds the clients that are opened late and closed at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway = StripeGateway(settings.stripe_key, settings.stripe_base_url)
        self._http: aiohttp.ClientSession | None = None

    def service(self) -> Service:
        settings = self._settings
        return Service(
            name="payments",
            title="Mentorium payments",
            version=VERSION,
            migrations=MIGRATIONS,
            database_url=settings.database_url,
            migrate_database_url=settings.migrate_database_url,
            api=build_api(),
            ears=lambda _running: listen(terms_of(settings)),
            loops=lambda running: loops(
                running.pool,
                self._gateway,
                running.clock,
                frozenset(settings.settlement_currencies),
            ),
            verifier=self._verifier,
            wire=self._wire,
            cleanup=self._close,
            gauges=GAUGES,
            tellers={AccountSnapshot.topic: republish_accounts},
        )

    def _verifier(self, _running: Running) -> Verifier:
        self._http = aiohttp.ClientSession()
        return Verifier(keys_from(self._settings.jwks_url, self._http))

    def _wire(self, app: web.Application, _running: Running) -> None:
        app[TERMS] = terms_of(self._settings)
        app[SECRETS] = Secrets(
            self._settings.stripe_webhook_secrets, self._settings.stripe_connect_webhook_secrets
        )

    async def _close(self) -> None:
        await self._gateway.close()
        if self._http is not None:
            await self._http.close()


def terms_of(settings: Settings) -> Terms:
    """Return the terms that are frozen on every purchase."""
    return Terms(
        web_url=settings.web_url,
        platform_share_basis_points=settings.platform_share_basis_points,
        release_delay=timedelta(hours=settings.release_delay_hours),
        settlement_currencies=frozenset(settings.settlement_currencies),
    )
