"""Servers to be measured: the API of booking as it runs in production, and its bare control."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from joserfc.jwk import ECKey, KeySet

from bench.world import World
from dev.children import Command, kill, spawn
from dev.home import REPOSITORY
from dev.ports import LOOPBACK, free_ports
from dev.table import answers_ok
from shared.auth import Principal, Role, sign_access_token
from shared.ids import PersonId, new_id

START_SECONDS = 60.0
POLL_SECONDS = 0.05
_INHERITED = ("PATH", "HOME", "LANG", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Api:
    """The API of booking; whoever it is asked by is signed in with `token`."""

    url: str
    key: ECKey

    def token(self, person_id: PersonId) -> str:
        """Return an access token of a mentee."""
        return sign_access_token(self.key, Principal(person_id, frozenset({Role.MENTEE}), new_id()))


@asynccontextmanager
async def booking_api(world: World) -> AsyncGenerator[Api]:
    """Run the API of booking on a world's database, with a key set of its own."""
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    async with key_set(key) as keys:
        env = environment() | {
            "BOOKING_DATABASE_URL": world.url,
            "BOOKING_WEB_URL": "http://web.test",
            "PROFILES_JWKS_URL": keys,
        }
        async with server(("services.booking", "api"), env) as url:
            yield Api(url, key)


@asynccontextmanager
async def bare_api(world: World) -> AsyncGenerator[str]:
    """Run the control of the API on a world's database; gives its address."""
    async with server(("bench.bare_api", "--url", world.url), environment()) as url:
        yield url


@asynccontextmanager
async def server(words: tuple[str, ...], env: dict[str, str]) -> AsyncGenerator[str]:
    """Run a module that serves at `--port`; gives its address once it is ready."""
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    argv = (sys.executable, "-m", *words, "--port", str(port))
    process = await spawn(Command(argv, env, REPOSITORY), asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await answers_ok(f"{url}/readyz"):
                await asyncio.sleep(POLL_SECONDS)
        yield url
    finally:
        await kill(process)


@asynccontextmanager
async def key_set(key: ECKey) -> AsyncGenerator[str]:
    """Serve the public half of a key; gives its address."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(KeySet([key]).as_dict(private=False))

    app = web.Application()
    app.router.add_get("/keys", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}/keys"
    finally:
        await runner.cleanup()


def environment() -> dict[str, str]:
    """Return what a server inherits."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}
