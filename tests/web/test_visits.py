"""Tokens, services that are away, and what every answer carries."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from shared.config import CommonSettings
from tests.web.conftest import ORDER, Browser, Services, browsing, order, problem, tokens
from tests.web.pages import Page
from web.config import WebSettings

REFRESH = "/v1/sign-ins/refresh"
ORDERS = "/v1/orders"
UNAUTHENTICATED = (401, problem(401, "token_invalid"))


async def test_refused_token_is_renewed_once(browser: Browser, services: Services) -> None:
    """A 401 is answered by a refresh and the same request with the new token."""
    await browser.sign_in(services)
    services.tell("GET", ORDERS, UNAUTHENTICATED, (200, {"items": []}))
    services.tell("POST", REFRESH, (200, tokens(2)))
    await browser.page("/sessions")
    sent = [each.headers["Authorization"] for each in services.of("GET", ORDERS)]
    assert sent == ["Bearer access-1", "Bearer access-2"]
    assert [each.body for each in services.of("POST", REFRESH)] == [{"refresh_token": "refresh-1"}]
    await browser.page("/sessions")
    assert services.of("GET", ORDERS)[-1].headers["Authorization"] == "Bearer access-2"


async def test_token_is_renewed_ahead_of_its_end(browser: Browser, services: Services) -> None:
    """A token about to end is not sent any more."""
    services.tell("POST", "/v1/sign-ins", (201, tokens(seconds=5)))
    services.tell("POST", REFRESH, (200, tokens(2)))
    services.tell("GET", ORDERS, (200, {"items": []}))
    await browser.submit("/sign-in", "/sign-in", email="a@example.com", password="x")
    await browser.page("/sessions")
    assert services.of("GET", ORDERS)[0].headers["Authorization"] == "Bearer access-2"


async def test_calls_side_by_side_refresh_once(browser: Browser, services: Services) -> None:
    """A page whose several calls are all refused uses the refresh token once."""
    await browser.sign_in(services, "mentor")
    services.tell("POST", REFRESH, (200, tokens(2, ("mentee", "mentor"))))
    answers: dict[str, dict[str, object]] = {
        "/v1/me/earnings": {"totals": [], "release_delay_hours": 48},
        "/v1/me/earnings/months": {"items": []},
        "/v1/me/earnings/orders": {"items": []},
        "/v1/me/payouts": {"items": []},
        "/v1/me/debts": {},
        "/v1/me/account": {"state": "none"},
    }
    for path, content in answers.items():
        services.tell("GET", path, UNAUTHENTICATED, (200, content))
    await browser.page("/earnings")
    assert len(services.of("POST", REFRESH)) == 1


async def test_pages_side_by_side_stay_signed_in(browser: Browser, services: Services) -> None:
    """Pages loaded at once may each refresh; the cookie of either goes on."""
    await browser.sign_in(services)
    services.tell("GET", ORDERS, *[UNAUTHENTICATED] * 2, (200, {"items": []}))
    services.tell("POST", REFRESH, (200, tokens(2)))
    await asyncio.gather(browser.page("/sessions"), browser.page("/sessions"))
    await browser.page("/sessions")


async def test_ended_sign_in_leads_to_signing_in_and_back(
    browser: Browser, services: Services
) -> None:
    """When the refresh is refused too, the person signs in and comes back to the page."""
    await browser.sign_in(services)
    services.tell("GET", ORDERS, UNAUTHENTICATED)
    services.tell("POST", REFRESH, (401, problem(401, "sign_in_ended")))
    answer, _ = await browser.get("/sessions?as=mentee")
    assert answer.status == 303
    assert answer.headers["Location"] == "/sign-in?next=/sessions%3Fas%3Dmentee"
    page = await browser.page("/")
    assert "Sign in" in page.text
    fragment, _ = await browser.get(f"/orders/{ORDER}/status", **{"HX-Request": "true"})
    assert fragment.headers["HX-Redirect"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/sessions", "/goals", "/inbox", "/mentor", "/operator", "/hold"])
async def test_pages_of_people_need_signing_in(browser: Browser, path: str) -> None:
    """Who is not signed in is asked to, and comes back to the page."""
    answer, _ = await browser.get(path)
    assert answer.status == 303
    assert answer.headers["Location"].endswith(path)


async def test_sign_out_forgets_the_person_even_if_profiles_fails(
    browser: Browser, services: Services
) -> None:
    """Signing out always works in this browser."""
    await browser.sign_in(services)
    services.tell("DELETE", "/v1/sign-ins/current", (500, {}))
    answer, _ = await browser.submit("/", "/sign-out")
    assert answer.status == 303
    assert services.of("DELETE", "/v1/sign-ins/current")
    again, _ = await browser.get("/sessions")
    assert again.headers["Location"].startswith("/sign-in")


async def test_front_page_says_that_a_service_is_away(settings: WebSettings) -> None:
    """With nobody answering, the page is there and says so."""
    async for browser in browsing(settings):
        page = await browser.page("/")
        assert "Profiles and sign-in: away for a moment" in page.text
        assert page.problems == []


async def test_session_is_shown_while_payments_is_away(
    browser: Browser, services: Services
) -> None:
    """A page shows what it has when one service is away."""
    await browser.sign_in(services)
    services.tell("GET", f"{ORDERS}/{ORDER}", (200, order()))
    services.tell("GET", f"{ORDERS}/{ORDER}/money", (503, {}))
    page = await browser.page(f"/sessions/{ORDER}")
    assert "First steps" in page.text
    assert "Payments: away for a moment" in page.text


async def test_page_of_a_service_that_is_away_says_what_to_do(
    browser: Browser, services: Services
) -> None:
    """Where nothing can be shown the answer is 503 and the way to try again."""
    await browser.sign_in(services)
    services.tell("GET", ORDERS, (500, {}))
    answer, text = await browser.get("/sessions")
    assert answer.status == 503
    assert "Booking did not answer" in text
    assert Page(text).problems == []


async def test_unknown_outcome_keeps_the_key_and_the_text(
    browser: Browser, services: Services
) -> None:
    """What may have happened is tried again under the same key, so that it counts once."""
    await browser.sign_in(services)
    services.tell("GET", "/v1/goals", (200, {"items": []}))
    services.tell("POST", "/v1/goals", (500, {}))
    before = (await browser.page("/goals")).form("/goals").fields
    answer, text = await browser.post("/goals", {**before, "title": "Lead"})
    after = Page(text).form("/goals").fields
    assert answer.status == 503
    assert after["title"] == "Lead"
    assert after["idempotency_key"] == before["idempotency_key"]


async def test_headers_on_every_answer(browser: Browser) -> None:
    """Pages, files and errors all carry the security headers; no page may be framed or cached."""
    for path, status in (
        ("/", 200),
        ("/static/site.css", 200),
        ("/nowhere", 404),
        ("/static/x", 404),
    ):
        answer, _ = await browser.get(path)
        assert answer.status == status
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer, _ = await browser.get("/")
    assert answer.headers["Cache-Control"] == "no-store"


def _cookie(answer: aiohttp.ClientResponse) -> str:
    return answer.headers["Set-Cookie"]


async def test_cookie_is_safe_outside_development(settings: WebSettings) -> None:
    """In production the cookie is Secure and bound to the host; scripts never see it."""
    production = CommonSettings(
        mentorium_env="production", mentorium_clock_file=None, allow_plain_cookies=False
    )
    async for browser in browsing(settings, production):
        answer, _ = await browser.get("/sign-in")
        cookie = _cookie(answer)
        assert cookie.startswith("__Host-mentorium=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    async for browser in browsing(settings):
        answer, _ = await browser.get("/sign-in")
        assert "HttpOnly" in _cookie(answer)
        assert "Secure" not in _cookie(answer)


async def test_altered_cookie_is_a_stranger(browser: Browser, services: Services) -> None:
    """A cookie that was changed signs nobody in, and the page still works."""
    await browser.sign_in(services)
    browser.http.cookie_jar.clear()
    answer, _ = await browser.get("/sessions", Cookie="mentorium=abc.def")
    assert answer.headers["Location"].startswith("/sign-in")


async def test_address_of_the_browser_is_passed_on(browser: Browser, services: Services) -> None:
    """Limits on sign-in count by the browser's address; one it claims itself is not believed."""
    await browser.get("/", **{"X-Forwarded-For": "203.0.113.9"})
    assert services.of("GET", "/v1/mentors")[0].headers["X-Forwarded-For"] == "127.0.0.1"


async def test_health(browser: Browser) -> None:
    """Launchers and balancers are answered without asking any service."""
    for path in ("/livez", "/readyz"):
        answer, _ = await browser.get(path)
        assert answer.status == 200
