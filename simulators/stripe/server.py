"""Wiring: one aiohttp application of API, pages, controls, clock and postman."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from shared.clock import BusinessClock
from simulators.stripe.api import Api
from simulators.stripe.control import Control
from simulators.stripe.events import set_endpoint
from simulators.stripe.pages import Pages
from simulators.stripe.stage import Stage
from simulators.stripe.store import Store
from simulators.stripe.webhooks import Postman

BODY_BYTES_MAX = 1_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How a simulator is set up; secrets may be several, so that they can be rolled."""

    folder: Path | None = None
    public_url: str | None = None
    platform_webhook: str | None = None
    platform_secrets: list[str] = field(default_factory=list[str])
    connect_webhook: str | None = None
    connect_secrets: list[str] = field(default_factory=list[str])


def create_app(settings: Settings, clock: BusinessClock) -> web.Application:
    """Return the application; it works as soon as it is started and stops cleanly."""
    stage = Stage(Store(settings.folder), clock, settings.public_url)
    with stage.act() as act:
        if settings.platform_webhook:
            secrets = settings.platform_secrets
            set_endpoint(act, "platform", settings.platform_webhook, secrets)
        if settings.connect_webhook:
            set_endpoint(act, "connect", settings.connect_webhook, settings.connect_secrets)
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    for part in (Api(stage), Pages(stage), Control(stage)):
        part.add_to(app)
    app.router.add_get("/livez", _alive)
    app.router.add_get("/readyz", _alive)
    app.cleanup_ctx.append(_lifetime(stage))
    return app


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _lifetime(stage: Stage) -> Any:
    async def context(_app: web.Application) -> AsyncIterator[None]:
        loops = (stage.keep_up, Postman(stage).deliver_webhooks)
        tasks = [asyncio.create_task(_guarded(loop())) for loop in loops]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stage.store.close()

    return context


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """Run a loop of the simulator; its death is the death of the process, never silence."""
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await work
        except Exception:
            _log.exception("a loop of the simulator died")
            raise SystemExit(1) from None
