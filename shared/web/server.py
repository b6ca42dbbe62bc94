"""From routes to a server: one place each for traces, problems, limits, access, transactions."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler as AiohttpHandler
from pydantic import BaseModel, ValidationError

from shared.auth import Principal, RoleMissing, TokenInvalid, TokenMissing, Verifier
from shared.clock import BusinessClock
from shared.db import Connection, Pool, in_transaction
from shared.errors import NotFound, Refusal, is_transient
from shared.idempotency import Answer, Intent
from shared.limits import PER_PERSON, Limiter
from shared.log import logger
from shared.telemetry import (
    REQUEST_SECONDS,
    REQUESTS,
    SpanKind,
    counted_method,
    current_trace_id,
    traced,
)
from shared.web import problems
from shared.web.api import Api, Call, File, Reply, Route, Versioned, VersionMissing
from shared.web.caller import Networks, address_of
from shared.web.shapes import TextUnusable

MAX_BODY_BYTES = 256 * 1024
REQUEST_DEADLINE_SECONDS = 20.0
IDLE_SECONDS = 30.0
"""How long a connection may be open without a whole request head; longer than clients keep one."""
NUL = b"\\u0000"

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logger("web")


@dataclass(frozen=True)
class Surroundings:
    """What routes run on."""

    pool: Callable[[], Pool]
    clock: BusinessClock
    verifier: Verifier
    limiter: Callable[[], Limiter]
    trusted_proxies: Networks = ()


def build(api: Api, around: Surroundings) -> web.Application:
    """Return an application with the routes of `api`; health and documents are added elsewhere."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[observe, explain])
    for route in api.routes:
        app.router.add_route(route.method, route.path, _endpoint(route, around))
    return app


def runner(
    app: web.Application, *, drain_seconds: float, idle_seconds: float = IDLE_SECONDS
) -> web.AppRunner:
    """Return what serves an application: quiet, and without patience for who only connects."""
    return web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=drain_seconds,
        keepalive_timeout=idle_seconds,
    )


@web.middleware
async def observe(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    """Give the request its trace, count it, log it, and set the security headers."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "unknown"
    method = counted_method(request.method)
    started = time.perf_counter()
    attributes = {"http.request.method": method, "http.route": route, "url.scheme": request.scheme}
    cause = request.headers.get("traceparent")
    with traced(cause, f"{method} {route}", SpanKind.SERVER, attributes) as work:
        response = await handler(request)
        seconds = time.perf_counter() - started
        REQUESTS.labels(route, method, str(response.status)).inc()
        REQUEST_SECONDS.labels(route, method).observe(seconds)
        work.note("http.response.status_code", response.status)
        if response.status >= 500:
            work.fail(str(response.status))
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Trace-Id"] = work.traceparent.split("-")[1]
        _log.info(
            "request",
            method=method,
            route=route,
            status=response.status,
            milliseconds=round(seconds * 1000, 1),
        )
    return response


@web.middleware
async def explain(request: web.Request, handler: AiohttpHandler) -> web.StreamResponse:
    """Turn every error into a problem document; an unknown one into 500 without detail."""
    trace_id = current_trace_id()
    try:
        async with asyncio.timeout(REQUEST_DEADLINE_SECONDS):
            return await handler(request)
    except Refusal as refusal:
        return problems.of_refusal(refusal, trace_id)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problems.of_status(error.status, trace_id, headers=headers)
    except Exception as error:
        if is_transient(error):
            _log.warning("request_postponed", error=type(error).__name__)
            return problems.of_status(
                503,
                trace_id,
                code="try_again",
                detail=problems.OF_KIT["try_again"],
                headers={"Retry-After": str(problems.RETRY_AFTER_SECONDS)},
            )
        _log.exception("request_failed", error=type(error).__name__)
        return problems.of_status(500, trace_id)


def _endpoint(route: Route, around: Surroundings) -> AiohttpHandler:
    async def respond(request: web.Request) -> web.StreamResponse:
        call = Call(
            request=request,
            pool=around.pool(),
            now=around.clock.now(),
            principal=await _principal(request, route, around.verifier),
        )
        await _spend(call, route, around)
        try:
            arguments, body = await _arguments(call, route)
        except _Shape as shape:
            return problems.of_shape(shape.error, current_trace_id(), where=shape.where)
        answer = await _perform(call, route, arguments, body)
        if route.media_type and _is_known(request, answer):
            answer = Answer(304, {"ETag": answer.headers["ETag"]}, b"")
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    return respond


async def _principal(request: web.Request, route: Route, verifier: Verifier) -> Principal | None:
    sent = request.headers.get("Authorization")
    if sent is None:
        if route.may.anyone:
            return None
        raise TokenMissing
    scheme, _, token = sent.partition(" ")
    if scheme.lower() != "bearer" or not token.isascii():
        raise TokenInvalid
    principal = await verifier.principal(token.strip())
    if route.may.roles and not (route.may.roles & principal.roles):
        raise RoleMissing
    return principal


async def _spend(call: Call, route: Route, around: Surroundings) -> None:
    if route.limit:
        await around.limiter().spend(route.limit, address_of(call.request, around.trusted_proxies))
    elif call.principal:
        await around.limiter().spend(PER_PERSON, str(call.principal.person_id))


class _Shape(Exception):
    def __init__(self, where: str, error: ValidationError) -> None:
        super().__init__(where)
        self.where = where
        self.error = error


async def _arguments(call: Call, route: Route) -> tuple[dict[str, Any], bytes]:
    arguments: dict[str, Any] = {"call": call}
    for name, kind in route.path_types.items():
        arguments[name] = _path_value(call.request.match_info[name], kind)
    if route.query:
        arguments["query"] = _query(call.request, route.query)
    elif call.request.query:
        _query(call.request, _NoQuery)
    if route.versioned and "If-Match" not in call.request.headers:
        raise VersionMissing
    body = await _read(call.request) if route.body or route.wants_raw else b""
    if route.wants_raw:
        arguments["raw"] = body
    if route.body:
        arguments["body"] = _body(call.request, route, body)
    return arguments, body


async def _read(request: web.Request) -> bytes:
    if (declared := request.content_length or 0) > MAX_BODY_BYTES:
        # Not a byte of it is waited for.
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, declared)
    return await request.read()


class _NoQuery(BaseModel, extra="forbid"):
    """A route without parameters takes none."""


def _path_value(text: str, kind: type) -> object:
    try:
        # Only the canonical form, so that one thing has one address.
        value = UUID(text) if kind is UUID else kind(text)
    except ValueError:
        raise NotFound from None
    if (kind is UUID and str(value) != text.lower()) or "\x00" in text:
        raise NotFound
    return value


def _query(request: web.Request, shape: type[BaseModel]) -> BaseModel:
    values: dict[str, object] = {}
    for name in request.query:
        sent = request.query.getall(name)
        # A repeated scalar becomes a list, which its type refuses.
        values[name] = sent[0] if len(sent) == 1 else sent
    if any("\x00" in str(value) for value in values.values()):
        raise TextUnusable
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise _Shape("query", error) from None


def _body(request: web.Request, route: Route, raw: bytes) -> object:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    if NUL in raw:
        raise TextUnusable
    try:
        return cast("Any", route.body).validate_json(raw, strict=True)
    except ValidationError as error:
        raise _Shape("body", error) from None


async def _perform(call: Call, route: Route, arguments: dict[str, Any], body: bytes) -> Answer:
    if not route.wants_connection:
        return _encode(route, await route.handler(**arguments))
    intent = _intent(call, route, body)

    async def work(conn: Connection) -> Answer:
        if intent and (known := await intent.claim(conn)):
            return Answer(
                known.status, {**known.headers, "Idempotency-Replayed": "true"}, known.body
            )
        answer = _encode(route, await route.handler(**arguments, conn=conn))
        if intent:
            await intent.remember(conn, answer)
        return answer

    return await in_transaction(call.pool, work)


def _intent(call: Call, route: Route, body: bytes) -> Intent | None:
    if not route.idempotent:
        return None
    key = call.request.headers.get("Idempotency-Key", "")
    who = str(call.principal.person_id) if call.principal else "anyone"
    return Intent(who, f"{route.method} {call.request.path}", key, body)


def _encode(route: Route, result: object) -> Answer:
    if isinstance(result, File):
        return _encode_file(route, result)
    reply = result if isinstance(result, Reply) else Reply(view=cast("Any", result))
    headers = dict(reply.headers)
    if isinstance(reply, Versioned):
        headers["ETag"] = f'"{reply.version}"'
    status = reply.status or route.status
    if reply.view is None:
        return Answer(status, headers, b"")
    headers["Content-Type"] = "application/json; charset=utf-8"
    shape = route.answer
    content = (
        shape.dump_json(reply.view, warnings="error")
        if shape
        else reply.view.model_dump_json(warnings="error").encode()
    )
    return Answer(status, headers, content)


def _encode_file(route: Route, file: File) -> Answer:
    content = file.content.encode() if isinstance(file.content, str) else file.content
    headers = {
        "Content-Type": str(route.media_type),
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        # It may be kept by whoever asked, who then asks whether it is still so.
        "Cache-Control": "private, no-cache",
    }
    return Answer(route.status, headers, content)


def _is_known(request: web.Request, answer: Answer) -> bool:
    """Return whether the sender has this file already (RFC 9110 §13.1.2: compared weakly)."""
    known = {tag.value for tag in request.if_none_match or ()}
    return "*" in known or answer.headers["ETag"].strip('"') in known
