"""The control of the API: aiohttp and asyncpg with the same SQL, and nothing else.

No tokens, no limits, no validation, no traces, no log: what is left is what HTTP and SQL cost.
"""

from __future__ import annotations

import argparse
import json
from uuid import UUID

import asyncpg
from aiohttp import web

from services.booking.store.goals import INSERT_GOAL
from services.booking.store.orders import READ_ORDERS
from shared.db import POOL_MAX, POOL_MIN
from shared.idempotency import CLAIM, REMEMBER
from shared.ids import new_id

POOL = web.AppKey("pool", asyncpg.Pool)
PRINCIPAL, PERSON = "X-Principal", "X-Person"


async def read_order(request: web.Request) -> web.Response:
    """Answer with the row of an order."""
    rows = await request.app[POOL].fetch(READ_ORDERS, [UUID(request.match_info["order_id"])])
    content = json.dumps(dict(rows[0]), default=str)
    return web.Response(text=content, content_type="application/json")


async def add_goal(request: web.Request) -> web.Response:
    """Claim the key, insert a goal, and remember the answer, in one transaction."""
    asked, key = await request.json(), request.headers["Idempotency-Key"]
    person = request.headers[PERSON]
    goal = (new_id(), UUID(person), None, 1, asked["title"], None, None, "open")
    answer = json.dumps({"goal_id": str(goal[0]), "title": asked["title"], "version": 1})
    async with request.app[POOL].acquire() as conn, conn.transaction():
        claimed = await conn.fetchval(CLAIM, person, "POST /v1/goals", key, b"")
        if claimed is None:
            raise web.HTTPConflict
        await conn.execute(INSERT_GOAL, *goal)
        await conn.execute(
            REMEMBER, person, "POST /v1/goals", key, 201, '{"ETag": "1"}', answer.encode()
        )
    return web.Response(text=answer, status=201, content_type="application/json")


async def ready(request: web.Request) -> web.Response:
    """Say that the database can be reached."""
    await request.app[POOL].fetchval("SELECT 1")
    return web.Response()


def application(url: str) -> web.Application:
    """Return the server over the database at `url`."""

    async def pool(app: web.Application) -> None:
        app[POOL] = await asyncpg.create_pool(url, min_size=POOL_MIN, max_size=POOL_MAX)

    app = web.Application()
    app.on_startup.append(pool)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/v1/orders/{order_id}", read_order)
    app.router.add_post("/v1/goals", add_goal)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    web.run_app(
        application(options.url), host="127.0.0.1", port=options.port, access_log=None, print=None
    )
