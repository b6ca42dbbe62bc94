"""A person at the public API: signs up, reads mail, signs in, and never asks for a thing twice.

Every request carries on through faults: it is sent again, with the same Idempotency-Key, until an
answer comes that is one, or the deadline is over.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid4

import aiohttp

from dev.marketplace import Marketplace

ANSWER_SECONDS = 30.0
CARRY_ON_SECONDS = 120.0
POLL_SECONDS = 0.1
PAUSE_SECONDS = 0.3
AWAY = frozenset({429, 502, 503, 504})
_LINK = re.compile(r"https?://\S+?/verify\?token=([\w.\-]+)")

Json = dict[str, Any]
Value = TypeVar("Value")


class JourneyFailed(Exception):
    """A step of a journey got an answer it cannot go on from, or none in time."""


class Refused(JourneyFailed):
    """The business said no; `code` says why."""

    def __init__(self, what: str, status: int, problem: Json) -> None:
        super().__init__(f"{what}: {status} {problem.get('code')}: {problem.get('detail')}")
        self.status = status
        self.code = str(problem.get("code"))
        self.problem = problem


async def until(
    look: Callable[[], Awaitable[Value | None]], what: str, seconds: float = CARRY_ON_SECONDS
) -> Value:
    """Look until there is something to see; raises `JourneyFailed` at the deadline."""
    try:
        async with asyncio.timeout(seconds):
            while (found := await look()) is None:
                await asyncio.sleep(POLL_SECONDS)
            return found
    except TimeoutError:
        raise JourneyFailed(f"{what} did not happen within {seconds:g} s") from None


@dataclass
class Caller:
    """Speaks HTTP with the processes of one marketplace."""

    market: Marketplace
    http: aiohttp.ClientSession

    async def send(
        self,
        method: str,
        process: str,
        path: str,
        *,
        body: Json | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> Json:
        """Return the answer, after as many tries as it takes; raises `Refused`."""
        what = f"{method} {process}{path}"
        url = self.market.url(process) + path
        reason = "no answer"
        try:
            async with asyncio.timeout(CARRY_ON_SECONDS):
                while True:
                    try:
                        async with self.http.request(
                            method, url, json=body, headers=headers, params=query
                        ) as answer:
                            if answer.status not in AWAY:
                                return await read_answer(what, answer)
                            reason = f"{answer.status} {await answer.text()}"
                    except (aiohttp.ClientError, OSError) as error:
                        reason = repr(error)
                    await asyncio.sleep(PAUSE_SECONDS)
        except TimeoutError:
            raise JourneyFailed(f"{what}: {reason}") from None


async def read_answer(what: str, answer: aiohttp.ClientResponse) -> Json:
    """Return the content of an answer, its version included; raises `Refused`."""
    content: Json = {}
    if answer.content_type.endswith("json"):
        found: Any = await answer.json()
        content = {"items": found} if isinstance(found, list) else found
    if answer.status >= 400:
        raise Refused(what, answer.status, content)
    if "ETag" in answer.headers:
        content["_version"] = answer.headers["ETag"].strip('"')
    return content


@dataclass
class Person:
    """Somebody with an account; tokens are renewed as they run out."""

    caller: Caller
    name: str
    email: str
    password: str
    person_id: UUID | None = None
    address: str = field(default_factory=lambda: f"10.{'.'.join(map(str, uuid4().bytes[:3]))}")
    """Where the person seems to sit: limits on sign-in and sign-up go by address."""
    _tokens: Json = field(default_factory=dict[str, Any])

    async def sign_up(self, *, wants: str, zone: str) -> None:
        """Create the account, prove the address by the mailed link, sign in."""
        asked: Json = {
            "email": self.email, "password": self.password, "name": self.name,
            "locale": "en", "zone": zone, "wants": wants,
        }  # fmt: skip
        headers = {"X-Forwarded-For": self.address}
        await self.caller.send("POST", "profiles-api", "/v1/accounts", body=asked, headers=headers)
        token = await until(self._token_by_mail, f"the mail to {self.email}")
        proof = {"token": token, "password": self.password}
        await self.caller.send(
            "POST", "profiles-api", "/v1/accounts/verify", body=proof, headers=headers
        )
        await self.sign_in()

    async def _token_by_mail(self) -> str | None:
        found = await self.caller.send("GET", "mail", "/api/messages", query={"to": self.email})
        for message in found["items"]:
            if link := _LINK.search(str(message["text"])):
                return link[1]
        return None

    async def sign_in(self) -> None:
        """Sign in with the password."""
        self._tokens = await self.caller.send(
            "POST", "profiles-api", "/v1/sign-ins",
            body={"email": self.email, "password": self.password},
            headers={"X-Forwarded-For": self.address},
        )  # fmt: skip
        self.person_id = UUID(self._tokens["person_id"])

    async def get(self, service: str, path: str, **query: str) -> Json:
        """Read as this person."""
        return await self._send("GET", service, path, query=query or None)

    async def post(self, service: str, path: str, body: Json | None = None) -> Json:
        """Do something once, however often it must be sent."""
        key = {"Idempotency-Key": str(uuid4())}
        return await self._send("POST", service, path, body=body, headers=key)

    async def put(self, service: str, path: str, body: Json) -> Json:
        """Replace something, from the version that is there now."""
        try:
            version = str((await self.get(service, path)).get("_version", "0"))
        except Refused as refused:
            if refused.status != 404:
                raise
            version = "0"
        headers = {"If-Match": f'"{version}"'}
        return await self._send("PUT", service, path, body=body, headers=headers)

    async def _send(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: Json | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> Json:
        for last in (False, True):
            token = {"Authorization": f"Bearer {self._tokens['access_token']}"}
            try:
                return await self.caller.send(
                    method, f"{service}-api", path,
                    body=body, headers={**(headers or {}), **token}, query=query,
                )  # fmt: skip
            except Refused as refused:
                if last or refused.status != 401:
                    raise
                await self.sign_in()
        raise AssertionError("the loop returns or raises")
