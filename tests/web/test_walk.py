"""Every page in a real Chromium: phone and desktop, light and dark, with much to show and nothing.

The services are answered for, so that each page can be seen in each of its states; the journeys
walk through the real ones.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import ConsoleMessage, Page, expect

from dev.webfiles import fetch_web_files, web_files_folder
from tests.journeys.browser import (
    RULES_OF_COLOUR,
    WAIT_SECONDS,
    asked,
    chromium_running,
    hear_axe,
    measure,
    tab_to,
)
from tests.web.conftest import MENTOR, ORDER, Browser, Services, browsing, problem, tokens
from tests.web.filling import (
    CARD,
    LISTS,
    OWN,
    PROFILE,
    PUBLIC,
    empty,
    every,
    fill,
    get_routes,
)
from web.config import WebSettings

pytestmark = pytest.mark.browser
NARROW = {"width": 360, "height": 740}
ASKED_IN_A_LOOP = 8
"""A page that is put into itself asks again at once, and more often than anybody looks."""
WIDE = {"width": 1280, "height": 900}
TOLD_OF_A_STATUS = re.compile(r"the server responded with a status of 4\d\d")
UNSEEN_FOCUS = """() => {
    const reached = "a[href], button, input:not([type=hidden]), select, textarea, summary";
    return [...document.querySelectorAll(reached)]
        .filter(each => each.checkVisibility() && !each.closest(".skip"))
        .filter(each => {
            each.focus();
            const style = getComputedStyle(each);
            return style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2;
        })
        .map(each => each.outerHTML.slice(0, 120));
}"""


PRESSED_TWICE = """() => {
    const form = document.querySelector("main form"), stopped = [];
    const button = form.querySelector(".button");
    window.addEventListener("submit", (event) => stopped.push(event.defaultPrevented));
    form.requestSubmit(button);
    form.requestSubmit(button);
    return [stopped, form.ariaBusy, button.hasAttribute("data-pressed")];
}"""


@dataclass
class Window:
    """A window on a web client whose services are answered for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error" and not TOLD_OF_A_STATUS.search(said.text):
            self.complaints.append(f"{said.text} at {self.page.url}")

    async def walk(self, paths: Iterable[str]) -> None:
        """Open and check one page after the other; fail with what is wrong on any of them."""
        wrong: list[str] = []
        for path in paths:
            await self.go(path)
            try:
                await self.approve()
            except AssertionError as error:
                wrong.append(f"{path}: {error}")
        assert not wrong, "\n".join(wrong)

    async def go(self, path: str) -> None:
        """Open a page in a window as narrow as the smallest phones."""
        await self.page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
        await self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        await self.page.goto(self.url + path)

    async def approve(self) -> None:
        """Check the page in both themes and at both widths."""
        await measure(self.page)
        await hear_axe(self.page)
        unseen = await asked(self.page, UNSEEN_FOCUS)
        assert not unseen, f"{self.page.url}: nobody sees that the focus is on {unseen}"
        await self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        await hear_axe(self.page, RULES_OF_COLOUR)
        await self.page.set_viewport_size({"width": WIDE["width"], "height": WIDE["height"]})
        await measure(self.page)
        assert not self.complaints, "\n".join(self.complaints)

    async def sign_in(self) -> None:
        """Sign in as somebody who is mentee, mentor and operator."""
        await self.go("/sign-in")
        await self.page.get_by_label("E-mail address").fill("a@example.com")
        await self.page.get_by_label("Password").fill("x")
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(f"{self.url}/")


@pytest.fixture(scope="module")
async def chromium() -> AsyncGenerator[Chromium]:
    """Give the browser that all walks share."""
    async with chromium_running() as browser:
        yield browser


@pytest.fixture(scope="module")
async def vendored() -> Path:
    """Give the folder of the outside files that browsers load."""
    await fetch_web_files()
    return web_files_folder()


@pytest.fixture
async def window(
    settings: WebSettings, answering: str, chromium: Chromium, vendored: Path
) -> AsyncGenerator[Window]:
    """Give a window; what the browser complains about is kept."""
    names = ("profiles_url", "booking_url", "payments_url", "notifications_url")
    there = {**dict.fromkeys(names, answering), "vendor_dir": vendored}
    async for browser in browsing(settings.model_copy(update=there)):
        context = await chromium.new_context(timezone_id="Asia/Kathmandu", locale="en-GB")
        context.set_default_timeout(WAIT_SECONDS * 1000)
        yield Window(await context.new_page(), browser.url)
        await context.close()


def test_every_route_is_walked() -> None:
    """A page that nobody walks is added to the walk before it is served."""
    assert PUBLIC.keys() | OWN.keys() == get_routes()


async def test_pages_for_everybody(window: Window, services: Services) -> None:
    """What visitors see can be used by all of them."""
    fill(services)
    await window.walk(every(PUBLIC))


async def test_pages_of_people(window: Window, services: Services) -> None:
    """So can every page of a mentee, a mentor and an operator."""
    fill(services)
    await sign_in_as_all(window, services)
    await window.walk(found[0] for found in OWN.values())


@pytest.mark.long
async def test_pages_of_people_in_each_state(window: Window, services: Services) -> None:
    """And every page in each state of what it shows, order by order."""
    fill(services)
    await sign_in_as_all(window, services)
    await window.walk(address for found in OWN.values() for address in found[1:])


async def test_pages_with_nothing_on_them(window: Window, services: Services) -> None:
    """An empty list says what to do, and what is not there says how to go on."""
    empty(services)
    await sign_in_as_all(window, services)
    await window.walk((*LISTS, "/nowhere"))


async def sign_in_as_all(window: Window, services: Services) -> None:
    services.tell("POST", "/v1/sign-ins", (201, tokens(roles=("mentee", "mentor", "operator"))))
    await window.sign_in()


async def test_a_form_that_failed_says_where(window: Window, services: Services) -> None:
    """The summary has the focus, leads to the field, and the field is tied to its words."""
    fill(services)
    await sign_in_as_all(window, services)
    error = {"pointer": "/title", "code": "string_too_long", "detail": "at most 200 characters"}
    services.tell("POST", "/v1/goals", (422, problem(422, "shape_invalid", errors=[error])))
    await window.go("/goals")
    title = window.page.get_by_label("What do you want to reach?")
    await title.fill("A very long title")
    await window.page.get_by_role("button", name="Add goal").click()
    await expect(window.page.get_by_role("alert")).to_be_focused()
    await window.page.get_by_role("link", name="Give at most 200 characters.").click()
    await expect(title).to_be_focused()
    await expect(title).to_have_accessible_description("Give at most 200 characters.")
    await expect(title).to_have_value("A very long title")
    assert await window.page.title() == "Error: Goals – Mentorium"
    await hear_axe(window.page)


async def test_a_part_that_fails_leaves_the_page_alone(window: Window, services: Services) -> None:
    """The answer to a page that looks again by itself is put in only when it is news."""
    fill(services)
    await sign_in_as_all(window, services)
    await window.go("/goals")
    await expect(window.page.locator(".places .count")).to_have_text("2 new")
    refused = (429, problem(429, "too_many_requests"))
    services.tell("GET", "/v1/me/feed/unread", refused)
    async with window.page.expect_response("**/inbox/unread"):
        await window.page.reload()
    await expect(window.page.locator("main")).to_have_count(1)
    assert len(services.of("GET", "/v1/me/feed/unread")) < ASKED_IN_A_LOOP


async def test_a_form_is_sent_once(window: Window, services: Services) -> None:
    """A second press while the first is on its way sends nothing, and the button shows it."""
    fill(services)
    await sign_in_as_all(window, services)
    services.tell("POST", "/v1/goals", (201, {}))
    await window.go("/goals")
    await window.page.get_by_label("What do you want to reach?").fill("Lead")
    assert await asked(window.page, PRESSED_TWICE) == [[False, True], "true", True]
    await expect(window.page.get_by_text("Your goal is noted.").first).to_be_visible()
    assert len(services.of("POST", "/v1/goals")) == 1


async def test_the_keyboard_is_enough(window: Window, services: Services) -> None:
    """State a goal, cancel, approve a mentor and sign out, without mouse or finger."""
    fill(services)
    await sign_in_as_all(window, services)
    page, keys = window.page, window.page.keyboard
    services.tell("POST", "/v1/goals", (201, {}))
    await window.go("/goals")
    await tab_to(page, page.get_by_label("What do you want to reach?"))
    await keys.type("Lead")
    await keys.press("Enter")
    await expect(page.get_by_text("Your goal is noted.").first).to_be_visible()
    services.tell("POST", f"/v1/orders/{ORDER}/cancel", (200, {}))
    await window.go(f"/sessions/{ORDER}/cancel")
    await tab_to(page, page.get_by_role("button", name="Cancel the session"))
    await keys.press("Enter")
    await expect(page.get_by_text("The session is cancelled.").first).to_be_visible()
    waiting = {**CARD, **PROFILE, "state": "submitted"}
    services.tell("GET", f"/v1/operator/mentors/{MENTOR}", (200, waiting))
    services.tell("POST", f"/v1/operator/mentors/{MENTOR}/approve", (200, {}))
    await window.go(f"/operator/mentors/{MENTOR}")
    await tab_to(page, page.get_by_role("button", name="Approve"))
    await keys.press("Enter")
    await expect(page.get_by_text("The mentor is approved.").first).to_be_visible()
    await tab_to(page, page.locator("details.menu > summary"))
    await keys.press("Enter")
    await keys.press("Escape")
    await expect(page.locator("details.menu > summary")).to_be_focused()
    await keys.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Sign out"))
    await keys.press("Enter")
    await expect(page.get_by_text("You are signed out.").first).to_be_visible()


async def test_the_walk_notices_what_it_is_for(window: Window, services: Services) -> None:
    """The control: a target too small, a focus nobody sees and a faint dark colour are all told."""
    fill(services)
    put_in = "html => document.querySelector('main').insertAdjacentHTML('beforeend', html)"
    style = "const sheet = new CSSStyleSheet(); sheet.replaceSync(text);"
    adopt = f"text => {{ {style} document.adoptedStyleSheets = [sheet]; }}"
    await window.go("/sign-in")
    await window.page.evaluate(put_in, "<button class='t'>a</button><button class='t'>b</button>")
    await window.page.evaluate(adopt, ".t { width: 9px; height: 9px; padding: 0; border: 0 }")
    with pytest.raises(AssertionError, match="target-size"):
        await hear_axe(window.page)
    await window.page.evaluate(adopt, ":focus-visible { outline: none !important }")
    assert await asked(window.page, UNSEEN_FOCUS)
    await window.page.emulate_media(color_scheme="dark")
    faint = "h1 { color: light-dark(#000, #333) !important }"
    await window.page.evaluate(adopt, faint)
    with pytest.raises(AssertionError, match="color-contrast"):
        await hear_axe(window.page, RULES_OF_COLOUR)


async def test_a_device_elsewhere_is_told_so(window: Window, services: Services) -> None:
    """Free times say when the device has another clock, and one press shows its own; no alias does.

    The device stands in Kathmandu, which browsers may call by its older name.
    """
    fill(services)
    page, here = window.page, f"/mentors/{MENTOR}?week=2030-03-11"
    told = page.locator("[data-device-zone]")
    await window.go(f"{here}&zone=America/New_York")
    await expect(told).to_contain_text("This device is in Asia/Kat")
    await expect(
        page.get_by_text("The mentor’s clocks (Europe/Berlin) go back").first
    ).to_be_visible()
    await window.approve()
    await told.get_by_role("link").click()
    await page.wait_for_url("**zone=Asia%2FKat*")
    await expect(told).to_be_hidden()
    await window.go(f"{here}&zone=Asia/Kathmandu")
    await expect(told).to_be_hidden()


async def test_the_theme_is_chosen_without_scripts(browser: Browser, services: Services) -> None:
    """The choice is kept in this browser and leads back to the page it was made on, never away."""
    fill(services)
    for theme in ("dark", "light", "system"):
        answer, _ = await browser.submit("/sign-in?next=/goals", "/theme", theme=theme)
        assert answer.headers["Location"] == "/sign-in?next=/goals"
        _, text = await browser.get("/sign-in")
        assert f'data-theme="{theme}"' in text
    answer, text = await browser.submit("/sign-in", "/theme", theme="<b>")
    assert answer.status == 422
    assert "Choose system, light or dark." in text
    answer, _ = await browser.submit("/", "/theme", theme="dark", next="//evil.example")
    assert answer.headers["Location"] == "/"
