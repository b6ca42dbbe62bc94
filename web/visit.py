"""One visit: a request with its session, what it may ask of the services, and its answer.

Access tokens are renewed on the way without the person noticing: ahead of their end, and once more
when a service no longer takes them. Refresh tokens rotate; `profiles` gives the same successor for
some seconds, so pages loaded side by side do not get in one another's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp_jinja2
from aiohttp import web
from pydantic import BaseModel

from shared.clock import BusinessClock, BusinessInstant, system_now, to_epoch_seconds
from shared.ids import new_id
from shared.web.caller import Networks
from shared.web.problems import Problem
from web.client import Answer, Ask, Away, Refused, Service, Services
from web.forms import Form, is_zone
from web.session import CookieSealer, Person, Session
from web.shapes import Tokens

ZONE_COOKIE = "zone"
THEME_COOKIE = "theme"
THEMES = {"system": "System", "light": "Light", "dark": "Dark"}
"""The appearances one may choose; `system` follows the device."""
CHOICE_COOKIE_SECONDS = 365 * 24 * 3600
UNAUTHENTICATED = 401

Model = TypeVar("Model", bound=BaseModel)


class SignInNeeded(Exception):
    """The page is for signed-in people, and nobody is (any more)."""


@dataclass(frozen=True)
class Site:
    """What all visits share."""

    services: Services
    sealer: CookieSealer
    clock: BusinessClock
    public_url: str
    secure_cookies: bool = True
    trusted_proxies: Networks = ()


@dataclass
class Failure:
    """Why a submitted form did not work; its key is kept when it may have worked after all."""

    path: str
    problem: Problem
    kept_key: str | None
    shown: bool = False


@dataclass
class Visit:
    """One request on its way to an answer."""

    request: web.Request
    site: Site
    session: Session
    address: str | None = None
    form: Form = field(default_factory=Form)
    failure: Failure | None = None
    away: set[Service] = field(default_factory=set[Service])
    opened: bool = False
    """Whether the session came with the browser's cookie, and was not begun with this request."""
    redrawn: bool = False
    """Whether a sent form is only drawn again, with its key and what was typed into it."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def now(self) -> BusinessInstant:
        """Return the present instant of the business clock."""
        return self.site.clock.now()

    @property
    def person(self) -> Person:
        """Return who is signed in; raises `SignInNeeded`."""
        if self.session.person is None:
            raise SignInNeeded
        return self.session.person

    @property
    def zone(self) -> str:
        """Return the reader's zone: asked for, from the profile, from the browser, or UTC."""
        own = self.session.person.zone if self.session.person else None
        sources = (self.query("zone"), own, self.request.cookies.get(ZONE_COOKIE))
        return next((zone for zone in sources if zone and is_zone(zone)), "UTC")

    @property
    def theme(self) -> str:
        """Return the appearance that this browser has chosen."""
        chosen = self.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else "system"

    def remember(self, response: web.Response, name: str, choice: str) -> None:
        """Keep a choice in the browser for a year; scripts may read it."""
        response.set_cookie(
            name, choice, max_age=CHOICE_COOKIE_SECONDS, path="/", samesite="Lax",
            secure=self.site.secure_cookies,
        )  # fmt: skip

    def query(self, name: str) -> str:
        """Return a parameter of the address, or nothing."""
        return self.request.query.get(name, "").strip()

    def part(self, name: str) -> str:
        """Return a part of the path, which the route has checked."""
        return self.request.match_info[name]

    async def read(
        self, service: Service, path: str, shape: type[Model], **query: str | int
    ) -> Model:
        """Return what a service has at `path`; raises `Refused` or `Away`."""
        return (await self.read_versioned(service, path, shape, **query))[0]

    async def read_versioned(
        self, service: Service, path: str, shape: type[Model], **query: str | int
    ) -> tuple[Model, int]:
        """Return what a service has at `path`, and its version (0 without one)."""
        wanted = {name: value for name, value in query.items() if value != ""}
        answer = await self.ask(service, Ask("GET", path, query=wanted))
        return shape.model_validate_json(answer.content), answer.version or 0

    async def try_read(
        self, service: Service, path: str, shape: type[Model], **query: str | int
    ) -> Model | None:
        """Return what a service has, or nothing when it is away, which the page then says."""
        try:
            return await self.read(service, path, shape, **query)
        except Away as away:
            self.away.add(away.service)
            return None

    async def send(
        self,
        service: Service,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        version: int | None = None,
        key: str | None = None,
    ) -> Answer:
        """Command a service with the form's idempotency key; raises `Refused` or `Away`."""
        used = (key or self.form.key) if method == "POST" else None
        return await self.ask(
            service, Ask(method, path, body=body or {}, key=used, version=version)
        )

    async def ask(self, service: Service, ask: Ask) -> Answer:
        """Send a request in the visitor's name, renewing the tokens once if they are refused."""
        if self.session.person is None:
            return await self._send(service, ask, None)
        token = self.person.access_token
        if self.person.needs_refresh():
            token = await self.renew(token)
        try:
            return await self._send(service, ask, token)
        except Refused as refused:
            if refused.problem.status != UNAUTHENTICATED:
                raise
        return await self._send(service, ask, await self.renew(token))

    async def renew(self, spent: str) -> str:
        """Return an access token newer than `spent`; raises `SignInNeeded` when sign-in ended."""
        async with self._turn:
            person = self.person
            if person.access_token != spent:
                return person.access_token
            ask = Ask("POST", "/v1/sign-ins/refresh", body={"refresh_token": person.refresh_token})
            try:
                answer = await self._send(Service.PROFILES, ask, None)
            except Refused as refused:
                if refused.problem.status != UNAUTHENTICATED:
                    raise
                self.session.sign_out()
                raise SignInNeeded from None
            self.session.person = person.model_copy(update=_held(_tokens(answer)))
            return self.person.access_token

    def begin(self, answer: Answer) -> None:
        """Sign in the person whose tokens these are."""
        self.session.sign_in(Person.model_validate(_held(_tokens(answer))))

    async def _send(self, service: Service, ask: Ask, token: str | None) -> Answer:
        return await self.site.services.send(service, ask, token=token, address=self.address)

    def go(self, path: str, notice: str | None = None) -> web.Response:
        """Return the answer that leads on to `path`, with a sentence to show there."""
        self.session.notice = notice
        return web.Response(status=303, headers={"Location": path})

    def fragment(self, template: str, **values: object) -> web.Response:
        """Return a part of a page."""
        context = {**values, **self._surroundings()}
        response = aiohttp_jinja2.render_template(template, self.request, context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def page(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """Return a page; its status is that of the failure, if a form has failed."""
        response = self.fragment(template, **values)
        response.set_status(self.failure.problem.status if self.failure else status)
        self.session.notice = None
        return response

    def _surroundings(self) -> dict[str, object]:
        return {
            "visit": self,
            "person": self.session.person,
            "zone": self.zone,
            "themes": THEMES,
            "csrf": self.session.csrf,
            "now": self.now,
        }

    def form_key(self, path: str) -> str:
        """Return the idempotency key for a form that posts to `path`."""
        failure = self.failure
        if failure and failure.path == path and failure.kept_key:
            return failure.kept_key
        if self.redrawn and self.request.path == path:
            return self.form.key
        return str(new_id())

    def failed_at(self, path: str) -> Problem | None:
        """Return the problem of the form that posts to `path`, and remember that it was shown."""
        if self.failure is None or self.failure.path != path:
            return None
        self.failure.shown = True
        return self.failure.problem

    def unshown_problem(self) -> Problem | None:
        """Return the problem if no form of the page has shown it."""
        return self.failure.problem if self.failure and not self.failure.shown else None

    def typed(self, name: str, otherwise: object = "") -> object:
        """Return what was typed into a field that failed, else the value it had."""
        if self.failure is None and not self.redrawn:
            return otherwise
        return self.form.text(name) if name in self.form.typed() else otherwise

    def chosen(self, name: str, otherwise: list[str]) -> list[str]:
        """Return what was chosen in a field that failed, else what was chosen before."""
        return self.form.many(name) if self.failure else otherwise

    def field_problem(self, name: str) -> str | None:
        """Return what is wrong with a field, if something is."""
        for error in (self.failure.problem.errors or ()) if self.failure else ():
            if error.pointer.split("/")[1:2] == [name]:
                return error.detail
        return None


def _tokens(answer: Answer) -> Tokens:
    return Tokens.model_validate_json(answer.content)


def _held(tokens: Tokens) -> dict[str, object]:
    return {
        "person_id": tokens.person_id,
        "roles": tokens.roles,
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": to_epoch_seconds(system_now()) + tokens.expires_in,
    }
