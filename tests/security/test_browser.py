"""Other sites against ours, in real Chromium: they frame, post, read and script nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page

from dev.client import until
from tests.journeys.browser import WAIT_SECONDS, chromium_running
from tests.web.conftest import Browser, Services, answering, browser, services, settings, tokens

__all__ = ["answering", "browser", "services", "settings"]

pytestmark = pytest.mark.browser

EVIL = """<!doctype html><title>evil</title>
<iframe src="{ours}/sign-in"></iframe>
<form id="post" method="post" action="{ours}/settings">
<input name="name" value="Mallory"><input name="locale" value="en">
<input name="zone" value="UTC"><input name="version" value="7">
<input name="csrf" value="{csrf}"></form>"""


READ = """([url, mode]) =>
    fetch(url, {mode, credentials: 'include'}).then(_ => 'read', _ => 'refused')"""


@dataclass
class Evil:
    """Somebody else's site: elsewhere, and beside ours on the same host."""

    port: int

    def url(self, host: str, csrf: str = "guessed") -> str:
        """Return its page under one of its names."""
        return f"http://{host}:{self.port}/?csrf={csrf}"


@pytest.fixture(scope="module")
async def chromium() -> AsyncGenerator[Chromium]:
    """Give a browser."""
    async with chromium_running() as started:
        yield started


@pytest.fixture
async def evil(browser: Browser) -> AsyncGenerator[Evil]:
    """Give a site that frames ours and posts to it."""

    async def show(request: web.Request) -> web.Response:
        text = EVIL.format(ours=browser.url, csrf=request.query.get("csrf", ""))
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    server = TestServer(app, host="0.0.0.0")
    await server.start_server()
    yield Evil(server.port or 0)
    await server.close()


@pytest.fixture
async def victim(chromium: Chromium, browser: Browser, services: Services) -> AsyncGenerator[Page]:
    """Give the page of somebody who is signed in at ours."""
    services.tell("POST", "/v1/sign-ins", (201, tokens()))
    context: BrowserContext = await chromium.new_context()
    context.set_default_timeout(WAIT_SECONDS * 1000)
    page = await context.new_page()
    await page.goto(f"{browser.url}/sign-in?next=//evil.example/")
    await page.get_by_label("E-mail address", exact=True).fill("a@example.com")
    await page.get_by_label("Password", exact=True).fill("x")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{browser.url}/")
    services.tell("PUT", "/v1/me", (200, {}))
    yield page
    await context.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_another_site_neither_frames_nor_posts_nor_reads(
    victim: Page, evil: Evil, browser: Browser, services: Services, host: str
) -> None:
    """Not from another site, and not from another port of the same, where cookies are sent."""
    said: list[str] = []
    victim.on("console", lambda message: said.append(message.text))
    await victim.goto(evil.url(host))

    async def refused() -> bool | None:
        return True if any("frame-ancestors" in each for each in said) else None

    await until(refused, "the refusal to be framed", WAIT_SECONDS)
    for mode in ("cors", "no-cors"):
        assert await victim.evaluate(READ, [f"{browser.url}/settings", mode]) == "refused"
    async with victim.expect_navigation():
        await victim.evaluate("document.getElementById('post').submit()")
    assert services.of("PUT", "/v1/me") == []
    await victim.goto(f"{browser.url}/settings")
    assert await victim.get_by_role("heading", name="Settings").count() == 1


async def test_no_script_reads_the_session_and_none_of_others_runs(
    victim: Page, browser: Browser
) -> None:
    """The cookie is out of reach of scripts; code that got into a page is not run."""
    assert "mentorium" in [each["name"] for each in await victim.context.cookies()]
    assert "mentorium" not in await victim.evaluate("document.cookie")
    said: list[str] = []
    victim.on("console", lambda message: said.append(message.text))
    for code in (
        "const s = document.createElement('script'); s.text = 'window.hit = 1';"
        " document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')",
        "const s = document.createElement('script'); s.src = 'data:,window.hit = 1';"
        " document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<a id=js href=\"javascript:window.hit=1\">"
        "x</a>'); document.getElementById('js').click()",
    ):
        already = len(said)
        await victim.evaluate(f"() => {{ {code} }}")

        async def forbidden(already: int = already) -> bool | None:
            return True if any("Content Security" in each for each in said[already:]) else None

        await until(forbidden, "the browser's refusal to run it", WAIT_SECONDS)
    assert await victim.evaluate("window.hit === undefined")
