"""From HTTP to handlers and back: keys, accounts, parameters, idempotency, faults, envelopes."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from simulators.stripe import (
    accounts,
    balance,
    billing_invoices,
    billing_prices,
    billing_subscriptions,
    checkout,
    customers,
    disputes,
    events,
    intents,
    payments,
    payouts,
    refunds,
    search,
    transfers,
)
from simulators.stripe import idempotency as keys
from simulators.stripe.act import API_VERSION, PLATFORM, Act, Cause
from simulators.stripe.errors import InvalidParameters, Json, StripeError, no_access
from simulators.stripe.faults import HANG_SECONDS, Fault
from simulators.stripe.ids import new_id
from simulators.stripe.lists import Parts, expanded
from simulators.stripe.params import Params, decode, validated
from simulators.stripe.routes import Route
from simulators.stripe.stage import Stage

ROUTES: tuple[Route, ...] = (
    *search.ROUTES,  # Before the routes that would take `search` for an id.
    *accounts.ROUTES,
    *balance.ROUTES,
    *billing_prices.ROUTES,
    *billing_subscriptions.ROUTES,
    *checkout.ROUTES,
    *customers.ROUTES,
    *disputes.ROUTES,
    *events.ROUTES,
    *intents.ROUTES,
    *payments.ROUTES,
    *payouts.ROUTES,
    *refunds.ROUTES,
    *transfers.ROUTES,
)
PARTS: Parts = {
    ("checkout.session", "line_items"): checkout.line_items,
    ("charge", "refunds"): refunds.refunds_of_charge,
    ("invoice", "payments"): billing_invoices.payments_of,
}
HANG_POLL_SECONDS = 0.05

_KEY = re.compile(r"^(sk|rk)_test_\w+$")


@dataclass(frozen=True)
class Asking:
    """A request after its head has been understood."""

    route: Route
    ids: dict[str, str]
    given: dict[str, Any]
    owner: str
    key: str | None
    cause: Cause
    path: str
    base_url: str

    @property
    def request_id(self) -> str:
        """The identifier this request got."""
        return self.cause.request_id or ""

    @property
    def what(self) -> keys.Asked:
        """What the idempotency key of this request stands for."""
        return keys.asked(self.route.method, self.path, self.given)


class Api:
    """Answers everything under `/v1`."""

    def __init__(self, stage: Stage) -> None:
        """Answer from the stage."""
        self._stage = stage
        self._in_flight: set[tuple[str, str]] = set()

    def add_to(self, app: web.Application) -> None:
        """Register every route, and Stripe's answer for those it does not know."""
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route))
        app.router.add_route("*", "/v1/{rest:.*}", self._unknown)

    def _handler(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            request_id = new_id("req")
            try:
                asking = await self._understood(request, route, request_id)
                return await self._answer(request, asking)
            except StripeError as error:
                return _envelope(request, error.status, error.body(request_id), request_id,
                                 error.headers)  # fmt: skip

        return answer

    async def _unknown(self, request: web.Request) -> web.Response:
        message = (
            f"Unrecognized request URL ({request.method}: {request.path}). Please see "
            "https://stripe.com/docs or we can help at https://support.stripe.com/."
        )
        request_id = new_id("req")
        error = StripeError(404, "invalid_request_error", message)
        return _envelope(request, 404, error.body(request_id), request_id, {})

    async def _understood(self, request: web.Request, route: Route, request_id: str) -> Asking:
        secret = _authenticated(request)
        body = (
            request.query_string
            if request.method == "GET"
            else (await request.read()).decode(errors="replace")
        )
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key:
            keys.check_length(key)
        return Asking(
            route=route,
            ids=dict(request.match_info),
            given=decode(body),
            owner=self._owner(request, secret),
            key=key,
            cause=Cause(request_id, key),
            path=request.path,
            base_url=f"{request.scheme}://{request.host}",
        )

    def _owner(self, request: web.Request, secret: str) -> str:
        account = request.headers.get("Stripe-Account")
        if account is None:
            return PLATFORM
        filed = self._stage.store.find(account)
        known = filed is not None and filed.body.get("object") == "account"
        if filed is None or not known or filed.hidden.get("closed"):
            raise no_access(account, f"{secret[:8]}****{secret[-4:]}")
        return account

    async def _answer(self, request: web.Request, asking: Asking) -> web.Response:
        if asking.key is None:
            return await self._executed(request, asking)
        mark = (asking.owner, asking.key)
        if mark in self._in_flight:
            raise keys.in_flight(asking.key)
        stored = self._stored(asking, asking.key)
        if stored:
            return _replayed(request, asking, stored)
        self._in_flight.add(mark)
        try:
            return await self._executed(request, asking)
        finally:
            self._in_flight.discard(mark)

    def _stored(self, asking: Asking, key: str) -> keys.Answer | None:
        with self._stage.act(owner=asking.owner) as act:
            answer = keys.recall(act, key, asking.what)
            if answer:
                _log(act, asking, answer.status, replayed=True)
            return answer

    async def _executed(self, request: web.Request, asking: Asking) -> web.Response:
        fault = self._stage.faults.strike(asking.route.method, asking.path)
        if fault:
            await self._trouble_before(request, asking, fault)
        answer = self._perform(asking, fault)
        if fault and fault.kind in ("timeout_after", "reset_after"):
            self._in_flight.discard((asking.owner, asking.key or ""))
            await _break_off(request, hang=fault.kind == "timeout_after")
        return _envelope(request, answer.status, answer.body, asking.request_id, _key(asking))

    async def _trouble_before(self, request: web.Request, asking: Asking, fault: Fault) -> None:
        if fault.kind in ("timeout_before", "reset"):
            self._in_flight.discard((asking.owner, asking.key or ""))
            await _break_off(request, hang=fault.kind == "timeout_before")
        if fault.kind == "429":
            message = "Request rate limit exceeded. Learn more about rate limits."
            limited = StripeError(429, "invalid_request_error", message, code="rate_limit")
            limited.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
            raise limited
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)

    def _perform(self, asking: Asking, fault: Fault | None) -> keys.Answer:
        with self._stage.act(asking.base_url, owner=asking.owner, cause=asking.cause) as act:
            if fault and fault.kind == "account_restricted":
                accounts.restrict_by_fault(act.acting_for(PLATFORM), _account_of(asking))
            if fault and fault.kind == "500_before":
                answer = _broken(asking)
            else:
                answer = _handled(act, asking)
            if fault and fault.kind == "500_after":
                answer = _broken(asking)
            if asking.key:
                keys.remember(act, asking.key, asking.what, answer)
            if asking.route.method != "GET":
                _log(act, asking, answer.status, replayed=False)
            return answer


def _handled(act: Act, asking: Asking) -> keys.Answer:
    """Run the handler; a refusal undoes what it did but is an answer all the same."""
    params: Params = validated(asking.route.params, asking.given)
    try:
        with act.store.savepoint():
            body = asking.route.handler(act, params, asking.ids)
            if isinstance(body, StripeError):
                return keys.Answer(body.status, body.body(asking.request_id), asking.request_id)
            body = expanded(act, body, params.expand, PARTS)
        return keys.Answer(200, body, asking.request_id)
    except InvalidParameters:
        raise
    except StripeError as error:
        return keys.Answer(error.status, error.body(asking.request_id), asking.request_id)


def _account_of(asking: Asking) -> str:
    """Return the connected account a request is about: the acting one, or where money goes."""
    return asking.owner if asking.owner != PLATFORM else str(asking.given.get("destination", ""))


def _broken(asking: Asking) -> keys.Answer:
    message = "An unexpected error occurred while processing your request."
    error = StripeError(500, "api_error", message)
    return keys.Answer(500, error.body(asking.request_id), asking.request_id)


def _log(act: Act, asking: Asking, status: int, *, replayed: bool) -> None:
    row = (
        asking.request_id, act.moment, asking.owner, asking.route.method, asking.path, asking.key,
        status, replayed,
    )  # fmt: skip
    act.store.sql.execute(
        "INSERT INTO requests (id, at, owner, method, path, idempotency_key, status, replayed) "
        "VALUES (?,?,?,?,?,?,?,?)",
        row,
    )


def _authenticated(request: web.Request) -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    secret = credentials.strip()
    if scheme.lower() == "basic":
        secret = _user_of_basic(secret)
    if not secret:
        raise StripeError(
            401,
            "invalid_request_error",
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if not _KEY.match(secret):
        message = (
            f"Invalid API Key provided: {secret[:8]}{'*' * len(secret[8:-4])}{secret[8:][-4:]}"
        )
        raise StripeError(401, "invalid_request_error", message)
    return secret


def _user_of_basic(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""


async def _break_off(request: web.Request, *, hang: bool) -> None:
    """Let the client wait until it gives up, or cut the connection at once."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (HANG_SECONDS if hang else 0.0)
    while loop.time() < deadline and request.transport and not request.transport.is_closing():
        await asyncio.sleep(HANG_POLL_SECONDS)
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError("broken off by a fault that was ordered")


def _key(asking: Asking) -> dict[str, str]:
    if asking.key is None:
        return {}
    return {"Idempotency-Key": asking.key, "Original-Request": asking.request_id}


def _replayed(request: web.Request, asking: Asking, stored: keys.Answer) -> web.Response:
    headers = {
        **_key(asking),
        "Original-Request": stored.request_id,
        "Idempotent-Replayed": "true",
    }
    if stored.status >= 400:
        headers["Stripe-Should-Retry"] = "false"
    return _envelope(request, stored.status, stored.body, asking.request_id, headers)


def _envelope(
    request: web.Request, status: int, body: Json, request_id: str, headers: dict[str, str]
) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps(body),
        content_type="application/json",
        headers={
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("Stripe-Version", API_VERSION),
            **headers,
        },
    )
