"""What every process answers about itself: /livez, /readyz, /metrics and /openapi.json.

Gauges about the database are read when they are asked for, from the views that every schema has.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.db import Pool, connection
from shared.errors import is_transient
from shared.inbox import count_kept
from shared.telemetry import KEPT_EVENTS, OUTBOX_OLDEST_SECONDS, OUTBOX_PENDING, REGISTRY
from shared.web.api import Api
from shared.web.openapi import document

READY_SECONDS = 2.0
KEPT_STATES = ("behind", "deferred", "parked", "ready")
OUTBOX_STATE = """
SELECT count(*) AS pending,
       COALESCE(EXTRACT(epoch FROM now() - min(recorded_at)), 0)::float8 AS oldest
FROM outbox
"""


def add_health(
    app: web.Application, api: Api, version: str, pool: Pool, stopping: asyncio.Event
) -> None:
    """Add the routes by which launchers, balancers and operators watch a process."""
    described = json.dumps(document(api, version=version)).encode()

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        good = not stopping.is_set() and await _answers(pool)
        return web.json_response({"status": "ok" if good else "away"}, status=200 if good else 503)

    async def metrics(_request: web.Request) -> web.Response:
        await _measure(pool)
        response = web.Response(body=generate_latest(REGISTRY))
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
        return response

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/openapi.json", openapi)


async def _answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS), connection(pool) as conn:
            return await conn.fetchval("SELECT 1") == 1
    except Exception as error:
        if is_transient(error):
            return False
        raise


async def _measure(pool: Pool) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS), connection(pool) as conn:
            outbox = await conn.fetchrow(OUTBOX_STATE)
            kept = await count_kept(conn)
    except Exception as error:
        if is_transient(error):
            return
        raise
    if outbox:
        OUTBOX_PENDING.set(outbox["pending"])
        OUTBOX_OLDEST_SECONDS.set(outbox["oldest"])
    for state in KEPT_STATES:
        KEPT_EVENTS.labels(state).set(kept.get(state, 0))
