"""What other people wrote, on every page: text, never code; and sessions that nobody can plant."""

from __future__ import annotations

import html
from typing import cast

import pytest

from tests.web.conftest import Browser, Services, answering, browser, services, settings
from tests.web.filling import OWN, PUBLIC, every
from tests.web.pages import Page
from tests.web.test_pages import filled

__all__ = ["answering", "browser", "filled", "services", "settings"]

CODE = """"'></textarea></title><img src=x onerror=hit()><script>hit()</script>{{7*7919}}"""
WRITTEN = frozenset(
    "name title headline story description text reason words author_name measure account email"
    " requirements industries".split()
)
"""The fields of answers that hold what people wrote, or what others wrote for them."""
PAGES_WITH_WORDS = 20


def poisoned(content: object, name: str = "") -> object:
    """Return an answer in which everything people wrote is code."""
    if isinstance(content, dict):
        parts = cast("dict[str, object]", content)
        return {key: poisoned(value, key) for key, value in parts.items()}
    if isinstance(content, list):
        return [poisoned(value, name) for value in cast("list[object]", content)]
    return CODE if isinstance(content, str) and name in WRITTEN else content


async def test_code_in_any_text_stays_text(browser: Browser, filled: Services) -> None:
    """Every field that people fill in holds code, and every page shows it as they typed it."""
    assert Page(CODE).inline_code(), "the control: as a page, it would be found"
    await browser.sign_in(filled, "mentor", "operator")
    for told in filled.told.values():
        told.answers = [(status, poisoned(content)) for status, content in told.answers]
    shown = 0
    for path in (*every(PUBLIC), *every(OWN)):
        answer, text = await browser.get(path)
        assert answer.status == 200, path
        assert (path, Page(text).inline_code()) == (path, [])
        assert "<img src=x" not in text, path
        assert "55433" not in text, "a template was made of it"
        shown += html.escape("<script>hit()</script>") in text
    assert shown >= PAGES_WITH_WORDS


@pytest.mark.parametrize("field", ["q", "next", "token", "zone", "expertise", "language", "as"])
async def test_code_in_an_address_stays_text(
    browser: Browser, filled: Services, field: str
) -> None:
    """Parameters are shown again in fields, and break out of none."""
    for path in ("/", "/sign-in", "/verify", "/reset-password"):
        answer = await browser.http.get(browser.url + path, params={field: CODE})
        text = await answer.text()
        assert Page(text).inline_code() == []
        assert "<img src=x" not in text


async def test_a_session_planted_before_sign_in_is_worth_nothing_after(
    browser: Browser, services: Services
) -> None:
    """Session fixation: the cookie somebody put into the browser does not become signed in."""
    await browser.page("/sign-in")
    planted = {each.key: each.value for each in browser.http.cookie_jar}
    await browser.sign_in(services)
    mine = {each.key: each.value for each in browser.http.cookie_jar}
    assert mine["mentorium"] != planted["mentorium"]
    assert (await browser.get("/settings"))[0].status == 200
    browser.http.cookie_jar.clear()
    answer, _ = await browser.get("/settings", Cookie=f"mentorium={planted['mentorium']}")
    assert answer.headers["Location"].startswith("/sign-in")


async def test_a_form_that_is_too_large_is_refused_unread(browser: Browser) -> None:
    """The declared size is enough."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(10**8)}

    async def nothing() -> object:
        yield b"csrf="

    async with browser.http.post(
        browser.url + "/sign-in", data=nothing(), headers=headers
    ) as answer:
        assert answer.status == 413
