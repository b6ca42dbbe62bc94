"""The wiring: settings become an application with its routes, cookie, templates and headers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import cast
from urllib.parse import quote, urlsplit

import aiohttp_jinja2
import jinja2
from aiohttp import web

from shared.clock import business_clock
from shared.config import CommonSettings
from shared.log import logger
from shared.telemetry import SpanKind, counted_method, current_trace_id, traced
from shared.web.caller import address_of
from shared.web.problems import TITLES, Problem
from web.client import Away, Refused, Service, Services, not_here
from web.config import VENDOR_FILES, WebSettings
from web.display import FILTERS, FUNCTIONS
from web.forms import Form, FormForged, safe_path
from web.pages import ALL_ROUTES
from web.routes import Page, Row
from web.sentences import told
from web.session import COOKIE_SECONDS, CookieSealer, Session
from web.visit import ZONE_COOKIE, Failure, SignInNeeded, Site, Visit

HERE = Path(__file__).parent
MAX_FORM_BYTES = 64 * 1024
FORM_SECONDS = 20.0
"""How long a browser may take to send a form."""
STATIC_SECONDS = 365 * 24 * 3600
COOKIE = "mentorium"
SECURE_COOKIE = "__Host-mentorium"
"""Browsers take a cookie of this name only with Secure, for the whole host and no other."""
SECURITY_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "font-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}
_MIDDLEWARE = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logger("web")


SITE = web.AppKey("site", Site)


def build(
    settings: WebSettings, common: CommonSettings, stopping: asyncio.Event
) -> web.Application:
    """Return the application; it is not ready any more once `stopping` is set."""
    app = web.Application(client_max_size=MAX_FORM_BYTES, middlewares=[observe])
    addresses = {
        Service.PROFILES: settings.profiles_url,
        Service.BOOKING: settings.booking_url,
        Service.PAYMENTS: settings.payments_url,
        Service.NOTIFICATIONS: settings.notifications_url,
    }

    async def with_site(app: web.Application) -> AsyncGenerator[None]:
        services = Services(addresses)
        app[SITE] = Site(
            services,
            CookieSealer(settings.cookie_secret),
            business_clock(common.mentorium_clock_file),
            settings.public_url,
            secure_cookies=not common.allow_plain_cookies and common.mentorium_env != "development",
            trusted_proxies=common.trusted_proxies,
        )
        yield
        await services.close()

    app.cleanup_ctx.append(with_site)
    _add_templates(app, _add_files(app, settings.vendor_dir))
    _add_health(app, stopping)
    for row in ALL_ROUTES:
        add = app.router.add_get if row.method == "GET" else app.router.add_post
        add(row.path, partial(_answer, row))
    app.router.add_route("*", "/{path:.*}", partial(_answer, _NOWHERE))
    return app


def _add_templates(app: web.Application, static: Callable[[str], str]) -> None:
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        filters=FILTERS,
    )
    cast("dict[str, object]", environment.globals).update(FUNCTIONS, static=static)


def _add_files(app: web.Application, vendor: Path) -> Callable[[str], str]:
    """Serve the files; return what gives a file's address, which changes with its content."""
    own = HERE / "static"
    files = {path.name: path for path in own.iterdir()}
    files |= {f"vendor/{name}": vendor / name for name in VENDOR_FILES}

    async def outside(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(vendor / request.match_info["name"])

    app.router.add_get(f"/static/vendor/{{name:{'|'.join(VENDOR_FILES)}}}", outside)
    app.router.add_static("/static/", own)

    @cache
    def versioned(name: str) -> str:
        digest = hashlib.sha256(files[name].read_bytes()).hexdigest()[:12]
        return f"/static/{name}?v={digest}"

    return versioned


def _add_health(app: web.Application, stopping: asyncio.Event) -> None:
    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        good = not stopping.is_set()
        return web.json_response({"status": "ok" if good else "away"}, status=200 if good else 503)

    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)


@web.middleware
async def observe(request: web.Request, handler: _MIDDLEWARE) -> web.StreamResponse:
    """Give the request its trace, set the security headers, and log what became of it."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "unknown"
    method = counted_method(request.method)
    attributes = {"http.request.method": method, "http.route": route, "url.scheme": request.scheme}
    cause = request.headers.get("traceparent")
    with traced(cause, f"{method} {route}", SpanKind.SERVER, attributes) as work:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = error
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path.startswith("/static/") and response.status < 400:
            response.headers["Cache-Control"] = f"public, max-age={STATIC_SECONDS}, immutable"
        work.note("http.response.status_code", response.status)
        if response.status >= 500:
            work.fail(str(response.status))
        _log.info("request", method=method, route=route, status=response.status)
    if isinstance(response, web.HTTPException):
        raise response
    return response


async def _nowhere(_visit: Visit) -> web.Response:
    raise not_here()


_NOWHERE = Row("*", "/{path}", _nowhere, signed_in=False)


async def _answer(row: Row, request: web.Request) -> web.StreamResponse:
    """Answer one request: open the session, run the page, and close the session again."""
    visit = _open(request)
    before = visit.session.model_copy(deep=True)
    response = await _guarded(row, visit)
    # A form comes with a cookie, or from elsewhere: that must not put a new one in its place.
    new = request.method == "GET" and not visit.opened
    if visit.session != before or new:
        response.set_cookie(
            _cookie(visit),
            visit.site.sealer.seal(visit.session),
            max_age=COOKIE_SECONDS,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=visit.site.secure_cookies,
        )
    _remember_zone(visit, response)
    return response


def _open(request: web.Request) -> Visit:
    site = request.app[SITE]
    name = SECURE_COOKIE if site.secure_cookies else COOKIE
    kept = site.sealer.open(request.cookies.get(name))
    address = address_of(request, site.trusted_proxies)
    return Visit(request, site, kept or Session(), address, opened=kept is not None)


def _cookie(visit: Visit) -> str:
    return SECURE_COOKIE if visit.site.secure_cookies else COOKIE


def _remember_zone(visit: Visit, response: web.Response) -> None:
    if visit.query("zone") == visit.zone and visit.session.person is None:
        visit.remember(response, ZONE_COOKIE, visit.zone)


async def _guarded(row: Row, visit: Visit) -> web.Response:
    """Run a page; whatever goes wrong becomes a page too."""
    try:
        return await _run(row, visit)
    except SignInNeeded:
        return _to_sign_in(visit)
    except FormForged:
        problem = _problem(
            403, "This form has become too old. Go back, load the page again and repeat it."
        )
    except Refused as refused:
        problem = refused.problem
    except Away as away:
        problem = _away(away)
    except web.HTTPRequestEntityTooLarge:
        problem = _problem(413, "Write a shorter text.")
    except web.HTTPRequestTimeout:
        problem = _problem(408, "The connection is too slow. Send the form again.")
    except Exception as error:
        _log.exception("page_failed", error=type(error).__name__)
        problem = _problem(500, "This is our mistake, and it has been noted. Try again later.")
    visit.failure = None
    return visit.page("error.html", status=problem.status, problem=told(problem))


async def _run(row: Row, visit: Visit) -> web.Response:
    if row.method == "POST":
        visit.form = await _read_form(visit.request)
        visit.form.prove(visit.session)
    if row.signed_in:
        _ = visit.person
    if row.again is None:
        return await row.page(visit)
    return await _run_form(row.page, row.again, visit)


async def _read_form(request: web.Request) -> Form:
    """Return what a browser sent; raises `FormForged` for bytes that no form of ours makes.

    Raises `HTTPRequestTimeout` when they come too slowly.
    """
    if (declared := request.content_length or 0) > MAX_FORM_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_FORM_BYTES, declared)
    try:
        async with asyncio.timeout(FORM_SECONDS):
            return Form(await request.post())
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, LookupError):
        raise FormForged from None


async def _run_form(page: Page, again: Page, visit: Visit) -> web.Response:
    try:
        return await page(visit)
    except Refused as refused:
        problem, kept_key = refused.problem, None
    except Away as away:
        # It may have happened: the same key makes a second press harmless.
        problem, kept_key = _away(away), visit.form.key
    visit.failure = Failure(visit.request.path, told(problem), kept_key)
    return await again(visit)


def _problem(status: int, detail: str) -> Problem:
    title = TITLES.get(status, "Error")
    return Problem(
        title=title, status=status, detail=detail, code="page", trace_id=current_trace_id()
    )


def _away(away: Away) -> Problem:
    detail = (
        f"{away.service.value} did not answer. Nothing is lost: try again in a moment,"
        " and it will count once."
    )
    return Problem(title=TITLES[503], status=503, detail=detail, code="service_away")


def _to_sign_in(visit: Visit) -> web.Response:
    path = f"/sign-in?next={quote(_way_back(visit.request), safe='/')}"
    if "HX-Request" in visit.request.headers:
        return web.Response(status=204, headers={"HX-Redirect": path})
    return visit.go(path)


def _way_back(request: web.Request) -> str:
    """Return the page to come back to after signing in: this one, or the one with the form."""
    if request.method == "GET" and "HX-Request" not in request.headers:
        return safe_path(request.path_qs)
    parts = urlsplit(request.headers.get("Referer", ""))
    if parts.netloc != request.host:
        return "/"
    return safe_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)
