"""What every process answers about itself: /livez, /readyz, /metrics, /openapi.json and /docs.

The gauges that every service has are read when they are asked for, from the tables and views of
the kit; those of one service alone are read by its worker in a loop, however often anybody looks.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.clock import BusinessClock, monotonic_seconds, system_now
from shared.db import Connection, Pool, connection
from shared.errors import is_transient
from shared.telemetry import (
    GAUGES_FAILED,
    GAUGES_MEASURED_AT,
    POOL_CONNECTIONS,
    REGISTRY,
    Measure,
    gauge_of,
)
from shared.web import docs_page
from shared.web.api import Api
from shared.web.openapi import document

READY_SECONDS = 2.0
OUTBOX_PENDING = "SELECT count(*) AS value FROM outbox"
OUTBOX_OLDEST = """
SELECT COALESCE(EXTRACT(epoch FROM now() - min(recorded_at)), 0)::float8 AS value FROM outbox
"""
KEPT = """
SELECT s.state AS reason, count(k.event_id) AS value
FROM unnest(ARRAY['behind', 'deferred', 'parked', 'ready']) AS s (state)
LEFT JOIN kept_events AS k ON k.state = s.state
GROUP BY s.state
"""
IN_FLIGHT = "SELECT kind, count(*) AS value FROM in_flight GROUP BY kind"
IN_FLIGHT_OLDEST = """
SELECT kind, GREATEST(0, EXTRACT(epoch FROM now() - min(since)))::float8 AS value
FROM in_flight GROUP BY kind
"""
OVERDUE = """
SELECT kind, EXTRACT(epoch FROM $1::timestamptz - min(due_at))::float8 AS value
FROM due WHERE due_at <= $1 GROUP BY kind
"""
KIT_GAUGES = (
    Measure("mentorium_outbox_pending", "Facts committed and not yet published.", OUTBOX_PENDING),
    Measure("mentorium_outbox_oldest_seconds", "Age of the oldest such fact.", OUTBOX_OLDEST),
    Measure("mentorium_kept_events", "Events kept aside, by reason.", KEPT, ("reason",)),
    Measure(
        "mentorium_in_flight", "Work accepted and not finished, by kind.", IN_FLIGHT, ("kind",)
    ),
    Measure(
        "mentorium_in_flight_oldest_seconds",
        "Age of the oldest such work.",
        IN_FLIGHT_OLDEST,
        ("kind",),
    ),
    Measure(
        "mentorium_overdue_seconds",
        "How long ago the oldest work of a kind should have happened by itself (business time).",
        OVERDUE,
        ("kind",),
    ),
)


def add_health(
    app: web.Application,
    api: Api,
    version: str,
    pool: Pool,
    gauges: Gauges,
    stopping: asyncio.Event,
) -> None:
    """Add the routes by which launchers, balancers and operators watch a process."""
    told = document(api, version=version)
    described, shown = json.dumps(told).encode(), docs_page.page(told).encode()

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        good = not stopping.is_set() and await _answers(pool)
        return web.json_response({"status": "ok" if good else "away"}, status=200 if good else 503)

    async def metrics(_request: web.Request) -> web.Response:
        await _look(pool, gauges)
        response = web.Response(body=generate_latest(REGISTRY))
        response.headers["Content-Type"] = CONTENT_TYPE_LATEST
        return response

    async def openapi(_request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    async def docs(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": docs_page.POLICY}
        return web.Response(body=shown, content_type="text/html", charset="utf-8", headers=headers)

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/docs", docs)


async def _answers(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS), connection(pool) as conn:
            return await conn.fetchval("SELECT 1") == 1
    except Exception as error:
        if is_transient(error):
            return False
        raise


async def _look(pool: Pool, gauges: Gauges) -> None:
    """Bring up to date what is read when somebody asks; what cannot be read is left out."""
    POOL_CONNECTIONS.labels("open").set(pool.get_size())
    POOL_CONNECTIONS.labels("in_use").set(pool.get_size() - pool.get_idle_size())
    POOL_CONNECTIONS.labels("most").set(pool.get_max_size())
    with suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            await gauges.step(anew=True)


class Gauges:
    """Reads gauges from the database: each when its time has come."""

    def __init__(self, pool: Pool, measures: Sequence[Measure], clock: BusinessClock) -> None:
        """Show `measures`, which are empty until they are read."""
        self._pool = pool
        self._measures = measures
        self._clock = clock
        self._read_at: dict[str, float] = {}
        for measure in measures:
            gauge_of(measure)

    async def step(self, *, anew: bool = False) -> int:
        """Read what has become old, or everything `anew`; return 0: there is never a backlog.

        A gauge that cannot be read shows nothing instead of something old, and is counted.
        """
        unread = [each for each in self._measures if anew or self._is_old(each)]
        try:
            async with connection(self._pool) as conn:
                while unread:
                    await self._read(conn, unread[0])
                    del unread[0]
            GAUGES_MEASURED_AT.labels("kit" if anew else "service").set(system_now().timestamp())
        except Exception as error:
            if not is_transient(error):
                raise
        finally:
            for measure in unread:
                _forget(measure)
        return 0

    def _is_old(self, measure: Measure) -> bool:
        read_at = self._read_at.get(measure.name)
        return read_at is None or monotonic_seconds() - read_at >= measure.every_seconds

    async def _read(self, conn: Connection, measure: Measure) -> None:
        now = [self._clock.now()] if "$1" in measure.sql else []
        rows = await conn.fetch(measure.sql, *now)
        gauge = gauge_of(measure)
        gauge.clear()
        for row in rows:
            of = [str(row[name]) for name in measure.labels]
            (gauge.labels(*of) if of else gauge).set(row["value"])
        self._read_at[measure.name] = monotonic_seconds()


def _forget(measure: Measure) -> None:
    GAUGES_FAILED.labels(measure.name).inc()
    gauge = gauge_of(measure)
    gauge.clear()
    if not measure.labels:
        gauge.set(math.nan)
