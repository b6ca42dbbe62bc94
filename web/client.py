"""Calls to the services over their public APIs, each with a deadline and one way to fail.

A service that says no raises `Refused` with its problem document; one that does not answer in
time, or with an error of its own, raises `Away`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import aiohttp
from pydantic import ValidationError

from shared.errors import Kind
from shared.log import logger
from shared.telemetry import current_traceparent, outside_call
from shared.web.problems import STATUS, TITLES, FieldProblem, Problem

CALL_SECONDS = 8.0
CONNECT_SECONDS = 2.0
TRIES = 2
"""What may be repeated is sent once more when the connection broke."""
CONNECTIONS = 100

_log = logger("client")
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)


class Service(Enum):
    """The services, by the word a person is told when one is away."""

    PROFILES = "Profiles and sign-in"
    BOOKING = "Booking"
    PAYMENTS = "Payments"
    NOTIFICATIONS = "Messages"


class Away(Exception):
    """A service did not answer; what it was asked to do may or may not have happened."""

    def __init__(self, service: Service) -> None:
        super().__init__(service.value)
        self.service = service


class Refused(Exception):
    """A service, or a form, says no; the problem says why and what to do next."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def not_here() -> Refused:
    """Return the refusal of a page about something that is not there."""
    status = STATUS[Kind.NOT_FOUND]
    detail = "There is no such page here, or it is not yours to see."
    return Refused(Problem(title=TITLES[status], status=status, detail=detail, code="not_here"))


def wrong_fields(**details: str) -> Refused:
    """Return the refusal of a form by field name and what to write there instead."""
    status = STATUS[Kind.SHAPE]
    return Refused(
        Problem(
            title=TITLES[status],
            status=status,
            detail="Please correct what is marked.",
            code="form_invalid",
            errors=[
                FieldProblem(pointer=f"/{name}", code="form_invalid", detail=detail)
                for name, detail in details.items()
            ],
        )
    )


@dataclass(frozen=True)
class Ask:
    """One request to a service; `key` is its Idempotency-Key, `version` its If-Match."""

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    body: Mapping[str, object] | None = None
    key: str | None = None
    version: int | None = None

    @property
    def repeatable(self) -> bool:
        """Return whether sending it twice does no more than sending it once."""
        return self.method == "GET" or self.key is not None

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to the request itself."""
        headers = {"Idempotency-Key": self.key} if self.key else {}
        if self.version is not None:
            headers["If-Match"] = f'"{self.version}"'
        return headers


@dataclass(frozen=True)
class Answer:
    """What a service answered; `version` is its ETag."""

    status: int
    content: bytes
    version: int | None = None


class Services:
    """The four services at their addresses."""

    def __init__(self, addresses: Mapping[Service, str]) -> None:
        self._addresses = addresses
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def send(
        self, service: Service, ask: Ask, *, token: str | None, address: str | None
    ) -> Answer:
        """Send a request in the name of `token`'s person; raises `Refused` or `Away`.

        `address` is the browser's: limits on sign-in count by it, not by ours.
        """
        headers = {**ask.headers(), "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if address:
            headers["X-Forwarded-For"] = address
        for tried in range(1, TRIES + 1):
            try:
                return await self._followed(service, ask, headers)
            except _UNREACHABLE as error:
                _log.warning(
                    "service_unreachable", service=service.name, error=type(error).__name__
                )
                if not ask.repeatable or tried == TRIES or isinstance(error, TimeoutError):
                    break
        raise Away(service)

    async def _followed(self, service: Service, ask: Ask, headers: Mapping[str, str]) -> Answer:
        """Make a call that is counted, timed and part of the visit's trace."""
        with outside_call(service.name.lower(), ask.method) as call:
            trace = {"traceparent": current_traceparent() or ""}
            try:
                answer = await self._once(service, ask, {**headers, **trace})
            except Refused:
                call.outcome = "refused"
                raise
            call.outcome = "answered"
            return answer

    async def _once(self, service: Service, ask: Ask, headers: Mapping[str, str]) -> Answer:
        async with self._http.request(
            ask.method,
            f"{self._addresses[service]}{ask.path}",
            params={name: str(value) for name, value in ask.query.items()},
            json=ask.body,
            headers=headers,
            allow_redirects=False,
        ) as response:
            content = await response.read()
            if response.status >= 500:
                _log.warning("service_failed", service=service.name, status=response.status)
                raise Away(service)
            if response.status >= 300:
                raise Refused(_problem(response.status, content))
            return Answer(response.status, content, _version(response.headers.get("ETag")))


def _version(etag: str | None) -> int | None:
    text = (etag or "").strip('"')
    return int(text) if text.isascii() and text.isdigit() else None


def _problem(status: int, content: bytes) -> Problem:
    try:
        return Problem.model_validate_json(content)
    except ValidationError:
        title = TITLES.get(status, "This did not work")
        return Problem(title=title, status=status, detail="Please try again.", code="unexplained")
