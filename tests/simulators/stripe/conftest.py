"""A simulator in this process on a clock that stands still until told, and Stripe's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

import aiohttp
import pytest
import stripe
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.clock import FixedClock
from simulators.stripe.server import Settings, create_app
from tests.simulators.stripe.schema import check

BIRTH = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PLATFORM_SECRET = "whsec_platform"
CONNECT_SECRET = "whsec_connect"
API_KEY = "sk_test_simulated"
DEADLINE_SECONDS = 10.0
EVENT_NAMES = frozenset(get_args(get_type_hints(stripe.Event)["type"]))


class CheckingClient(stripe.AIOHTTPClient):
    """Stripe's HTTP client, which refuses every answer that Stripe's schema does not allow."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> Any:
        content, status, received = await super().request_async(method, url, headers, post_data)
        check(json.loads(content))
        return content, status, received


@dataclass
class World:
    """What a test holds: client, controls, the clock, and what the endpoints heard."""

    url: str
    clock: FixedClock
    client: stripe.StripeClient
    http: aiohttp.ClientSession
    heard: list[Heard] = field(default_factory=list)
    refusals: int = 0

    @property
    def api(self) -> Any:
        return self.client.v1

    async def sim(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"/_sim{path}", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def advance(self, **span: float) -> None:
        self.clock.instant += timedelta(**span)
        await self.sim("GET", "/due")

    async def at_rest(self) -> None:
        await eventually(self._is_at_rest)

    async def _is_at_rest(self) -> bool:
        return bool((await self.sim("GET", "/rest"))["resting"])

    async def heard_names(self, where: str = "platform") -> list[str]:
        await self.at_rest()
        return [each.event.type for each in self.heard if each.where == where]

    async def session(self, **changes: Any) -> Any:
        given: dict[str, Any] = {
            "mode": "payment",
            "line_items": [line_item()],
            "success_url": "http://shop.test/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.test/back",
            "metadata": {"order_id": "order-1"},
            "payment_intent_data": {"metadata": {"order_id": "order-1"}, "transfer_group": "g1"},
        }
        return await self.api.checkout.sessions.create_async({**given, **changes})

    async def paid(self, card: str = "4242424242424242", **changes: Any) -> Any:
        """Open a session, pay it, and return the charge."""
        session = await self.session(**changes)
        paid = await self.sim("POST", f"/checkout/{session.id}/pay", {"card": card})
        assert paid["status"] == "complete", paid
        intent = await self.api.payment_intents.retrieve_async(paid["payment_intent"])
        return await self.api.charges.retrieve_async(intent.latest_charge)

    async def mentor(self) -> Any:
        """Make a connected account that can receive money."""
        account = await self.api.accounts.create_async(
            {"type": "express", "country": "US", "capabilities": {"transfers": {"requested": True}}}
        )
        await self.sim("POST", f"/accounts/{account.id}/complete")
        return await self.api.accounts.retrieve_async(account.id)

    async def books(self) -> Any:
        books = await self.sim("GET", "/books")
        assert books["balanced"]
        assert set(books["totals"].values()) <= {0}
        return books


@dataclass(frozen=True)
class Heard:
    """An event as an endpoint got it."""

    where: str
    event: stripe.Event
    raw: str
    signature: str


def line_item(amount: int = 12_000, currency: str = "usd", quantity: int = 1) -> dict[str, Any]:
    product = {"name": "Mentoring session"}
    price = {"currency": currency, "unit_amount": amount, "product_data": product}
    return {"price_data": price, "quantity": quantity}


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is true, at most until the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await true():
            await asyncio.sleep(0.01)


def _listener(heard: list[Heard], world: list[World]) -> web.Application:
    async def hear(request: web.Request) -> web.Response:
        if world and world[0].refusals > 0:
            world[0].refusals -= 1
            return web.Response(status=503)
        raw, mark = await request.text(), request.headers["Stripe-Signature"]
        where = request.match_info["where"]
        secret = {"platform": PLATFORM_SECRET, "connect": CONNECT_SECRET}[where]
        event = stripe.Webhook.construct_event(raw, mark, secret)
        heard.append(Heard(where, event, raw, mark))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{where}", hear)
    return app


@asynccontextmanager
async def open_client(url: str, retries: int = 0) -> AsyncGenerator[stripe.StripeClient]:
    """Give Stripe's client of the simulator at `url`, and close its connections at the end."""
    http = CheckingClient()
    yield stripe.StripeClient(
        API_KEY, http_client=http, base_addresses={"api": url}, max_network_retries=retries
    )
    await http.close_async()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    heard: list[Heard] = []
    worlds: list[World] = []
    clock = FixedClock(BIRTH)
    async with TestServer(_listener(heard, worlds)) as ears:
        settings = Settings(
            folder=tmp_path,
            platform_webhook=str(ears.make_url("/platform")),
            platform_secrets=["whsec_old", PLATFORM_SECRET],
            connect_webhook=str(ears.make_url("/connect")),
            connect_secrets=[CONNECT_SECRET],
        )
        async with TestServer(create_app(settings, clock)) as server:
            url = str(server.make_url("")).rstrip("/")
            async with open_client(url) as client, aiohttp.ClientSession(url) as http:
                worlds.append(World(url, clock, client, http, heard))
                yield worlds[0]
    for each in heard:
        assert each.event.type in EVENT_NAMES
        check(json.loads(each.raw))
        check(json.loads(each.raw)["data"]["object"])
