"""A browser, the web client as a real server, and a server that answers as all four services."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.config import CommonSettings
from tests.web.pages import Page
from web.app import build
from web.config import VENDOR_FILES, WebSettings

ME = "0190a000-0000-7000-8000-000000000001"
MENTOR = "0190a000-0000-7000-8000-000000000002"
OFFERING = "0190a000-0000-7000-8000-000000000003"
ORDER = "0190a000-0000-7000-8000-000000000004"
SESSION = "0190a000-0000-7000-8000-000000000005"
STARTS = "2030-03-04T14:00:00Z"
KEY = secrets.token_bytes(32)


@dataclass(frozen=True)
class Asked:
    """A request that reached a service."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: object


@dataclass
class Told:
    """What a route answers; several answers are given one after the other, the last for ever."""

    answers: list[tuple[int, object]]

    def next(self) -> tuple[int, object]:
        """Return the answer whose turn it is."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class Services:
    """All four services at one address."""

    told: dict[tuple[str, str], Told] = field(default_factory=dict[tuple[str, str], Told])
    asked: list[Asked] = field(default_factory=list[Asked])

    def tell(self, method: str, path: str, *answers: tuple[int, object]) -> None:
        """Say what a route answers from now on, as status and JSON."""
        self.told[method, path] = Told(list(answers))

    def of(self, method: str, path: str) -> list[Asked]:
        """Return what was asked of one route."""
        return [each for each in self.asked if (each.method, each.path) == (method, path)]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as told; what nobody told about is not there."""
        body = await request.json() if request.can_read_body else None
        self.asked.append(Asked(request.method, request.path, request.query, request.headers, body))
        told = self.told.get((request.method, request.path))
        status, content = told.next() if told else (404, problem(404, "not_found"))
        return web.json_response(content, status=status, headers={"ETag": '"7"'})


def problem(status: int, code: str, detail: str = "No.", **more: object) -> dict[str, object]:
    """Return a problem document."""
    return {"title": "Not now", "status": status, "detail": detail, "code": code, **more}


def tokens(number: int = 1, roles: tuple[str, ...] = ("mentee",), seconds: int = 600) -> object:
    """Return the answer to signing in and refreshing."""
    return {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_in": seconds,
        "person_id": ME,
        "roles": list(roles),
    }


@dataclass
class Browser:
    """A browser without scripts: it keeps cookies, follows links and sends forms."""

    http: aiohttp.ClientSession
    url: str

    async def get(self, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        """Return the answer to a GET, redirects not followed."""
        async with self.http.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def page(self, path: str) -> Page:
        """Return a page that must be there."""
        answer, text = await self.get(path)
        assert answer.status == 200, (path, answer.status, text)
        return Page(text)

    async def post(
        self, action: str, fields: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Return the answer to a POST, redirects not followed."""
        async with self.http.post(self.url + action, data=fields, allow_redirects=False) as answer:
            return answer, await answer.text()

    async def submit(
        self, path: str, action: str, **fields: str
    ) -> tuple[aiohttp.ClientResponse, str]:
        """Open the page at `path`, fill in its form that posts to `action`, and send it."""
        form = (await self.page(path)).form(action)
        return await self.post(action, {**form.fields, **fields})

    async def sign_in(self, services: Services, *roles: str) -> None:
        """Sign in with these roles beside that of a mentee."""
        services.tell("POST", "/v1/sign-ins", (201, tokens(roles=("mentee", *roles))))
        answer, text = await self.submit(
            "/sign-in", "/sign-in", email="a@example.com", password="x"
        )
        assert answer.status == 303, text


@pytest.fixture
def services() -> Services:
    """Give the services, which know a signed-in person and nothing else."""
    known = Services()
    known.tell(
        "GET",
        "/v1/me",
        (
            200,
            {
                "person_id": ME,
                "name": "Ada",
                "email": "a@example.com",
                "locale": "en",
                "zone": "Asia/Kathmandu",
                "roles": ["mentee"],
            },
        ),
    )
    known.tell("GET", "/v1/mentors", (200, {"items": []}))
    known.tell("GET", "/v1/people", (200, {"items": [{"person_id": MENTOR, "name": "Maya"}]}))
    known.tell("GET", "/v1/expertise", (200, {"items": [{"slug": "sql", "name": "SQL"}]}))
    return known


@pytest.fixture
def settings(tmp_path: Path) -> WebSettings:
    """Give settings whose services are at an address where nobody listens."""
    for name in VENDOR_FILES:
        (tmp_path / name).write_text("/* */")
    nobody = "http://127.0.0.1:9"
    return WebSettings(
        profiles_url=nobody,
        booking_url=nobody,
        payments_url=nobody,
        notifications_url=nobody,
        public_url="http://web.example",
        cookie_secret=base64.b64encode(KEY).decode(),
        vendor_dir=tmp_path,
    )


@pytest.fixture
async def answering(services: Services) -> AsyncGenerator[str]:
    """Give the address of the server that answers as the services."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", services.answer)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def browser(settings: WebSettings, answering: str) -> AsyncGenerator[Browser]:
    """Give a browser at the web client, all services there."""
    names = ("profiles_url", "booking_url", "payments_url", "notifications_url")
    there = settings.model_copy(update=dict.fromkeys(names, answering))
    async for each in browsing(there):
        yield each


async def browsing(
    settings: WebSettings, common: CommonSettings | None = None
) -> AsyncGenerator[Browser]:
    """Give a browser at a web client with these settings."""
    common = common or CommonSettings(mentorium_env="development", mentorium_clock_file=None)
    server = TestServer(build(settings, common, asyncio.Event()))
    await server.start_server()
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Browser(http, str(server.make_url("")).rstrip("/"))
    await server.close()


def order(state: str = "confirmed", **more: object) -> dict[str, object]:
    """Return an order that the signed-in person bought; `more` is said of its one session too."""
    session = {
        "session_id": SESSION,
        "state": state,
        "starts_at": STARTS,
        "ends_at": "2030-03-04T15:00:00Z",
        "price_minor": 12000,
        "can": {"cancel": True, "complete": False, "join": False},
        **more,
    }
    return {
        "order_id": ORDER,
        "offering_id": OFFERING,
        "title": "First steps",
        "mentor_id": MENTOR,
        "mentee_id": ME,
        "hold_until": "2030-03-01T10:00:00Z",
        "currency": "USD",
        "sessions": [session],
        **session,
    }


def offering(**more: object) -> dict[str, object]:
    """Return an offering of the mentor."""
    steps = [
        {"hours_before": 24, "refund_basis_points": 10_000},
        {"hours_before": 0, "refund_basis_points": 3_333},
    ]
    return {
        "offering_id": OFFERING,
        "mentor_id": MENTOR,
        "title": "First steps",
        "description": "An hour.",
        "minutes": 60,
        "price_minor": 12000,
        "currency": "USD",
        "policy": {"preset": "standard", "policy_version": 1, "steps": steps},
        **more,
    }
