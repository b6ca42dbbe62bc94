"""A person at a real Chromium: what they press, what they see, and what must never go wrong.

Every wait ends at a deadline. While somebody looks around, the browser's own complaints are kept:
script errors, failed requests of ours and violations of the content policy.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    TimeoutError,  # noqa: A004  Of Playwright, whose waits end with it.
    async_playwright,
    expect,
)

from dev.chromium import ensure_chromium
from dev.client import Json, Person, until
from dev.marketplace import Marketplace

PHONE = (390, 844)
DESKTOP = (1280, 900)
WAIT_SECONDS = 30.0
LOOK_SECONDS = 1.0
STEPS_BY_KEYBOARD = 150
SCREENSHOTS = os.environ.get("MENTORIUM_SCREENSHOTS")
AXE = Axe()
GRAVE = ("serious", "critical")
ALL_RULES: Json = {"rules": {"target-size": {"enabled": True}}}
"""Every rule of axe, and that of WCAG 2.2 (2.5.8) on the size of targets, which it leaves off."""
RULES_OF_COLOUR: Json = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
}
LEAVING_THE_PAGE = "net::ERR_ABORTED"

expect.set_options(timeout=WAIT_SECONDS * 1000)


@asynccontextmanager
async def chromium_running() -> AsyncGenerator[Browser]:
    """Give a Chromium that speaks with nobody but us, for as long as the block lasts."""
    program = await asyncio.to_thread(ensure_chromium)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-background-networking", "--no-proxy-server"],
            timeout=WAIT_SECONDS * 1000,
        )
        yield browser
        await browser.close()


@dataclass
class Visitor:
    """Somebody with a browser window of their own."""

    market: Marketplace
    page: Page
    complaints: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("requestfailed", self._note_failure)

    def _hear(self, message: ConsoleMessage) -> None:
        # A declined card is answered with 402 on Stripe's page, which the browser mentions.
        if message.type == "error" and not self._is_elsewhere(message.location.get("url", "")):
            self.complaints.append(f"{message.text} at {self.page.url}")

    def _note_failure(self, request: Request) -> None:
        # A page that looks again by itself may be left while it waits for the answer.
        if request.failure != LEAVING_THE_PAGE:
            self.complaints.append(f"{request.url} failed: {request.failure}")

    def _is_elsewhere(self, url: str) -> bool:
        return url.startswith((self.market.url("stripe"), self.market.url("mail")))

    def forgive(self, *statuses: str) -> None:
        """Forget complaints about answers with these statuses, which a step has met with a word."""
        told = tuple(f"the server responded with a status of {status}" for status in statuses)
        self.complaints = [each for each in self.complaints if not any(t in each for t in told)]

    async def go(self, path: str) -> None:
        """Open a page of the web client."""
        await self.page.goto(self.market.url("web") + path)

    async def press(self, name: str) -> None:
        """Press the button of this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def follow(self, name: str) -> None:
        """Follow the first link of this name."""
        await self.page.get_by_role("link", name=name, exact=True).first.click()

    async def fill(self, values: dict[str, str]) -> None:
        """Type into the fields with these labels."""
        for label, value in values.items():
            await self.page.get_by_label(label, exact=True).fill(value)

    async def tick(self, *labels: str) -> None:
        """Tick boxes and choose radio buttons."""
        for label in labels:
            await self.page.get_by_label(label, exact=True).check()

    async def see(self, heading: str) -> None:
        """Wait for the page with this heading."""
        await expect(self.page.get_by_role("heading", name=heading).first).to_be_visible()

    async def read(self, text: str) -> None:
        """Wait for this text."""
        await expect(self.page.get_by_text(text).first).to_be_visible()

    async def look_again_until(self, wanted: Locator, what: str) -> None:
        """Load the page again until something is there."""

        async def look() -> bool | None:
            try:
                await wanted.first.wait_for(timeout=LOOK_SECONDS * 1000)
            except TimeoutError:
                await self.page.reload()
                return None
            return True

        await until(look, what, WAIT_SECONDS)

    async def approve_of_page(self, picture: str = "") -> None:
        """Check that the page fits, can be used by everybody, and has no complaints; keep it."""
        await measure(self.page)
        await hear_axe(self.page, grave_only=self._is_elsewhere(self.page.url))
        assert not self.complaints, "\n".join(self.complaints)
        if picture and SCREENSHOTS:
            await self.page.screenshot(path=Path(SCREENSHOTS) / f"{picture}.png", full_page=True)

    async def tab_to(self, wanted: Locator) -> None:
        """Press Tab until the focus is on the wanted thing."""
        await tab_to(self.page, wanted)

    async def enter(self, wanted: Locator) -> None:
        """Go to something by keyboard and press Enter on it."""
        await self.tab_to(wanted)
        await self.page.keyboard.press("Enter")

    async def type_into(self, label: str, text: str) -> None:
        """Go to a field by keyboard and type."""
        await self.tab_to(self.page.get_by_label(label, exact=True))
        await self.page.keyboard.type(text)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the focus is on the wanted thing."""
    target = await wanted.element_handle(timeout=WAIT_SECONDS * 1000)
    for _ in range(STEPS_BY_KEYBOARD):
        await page.keyboard.press("Tab")
        if await page.evaluate("it => it === document.activeElement", target):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


async def asked(page: Page, question: str) -> object:
    """Return what a script in the page answers."""
    async with asyncio.timeout(WAIT_SECONDS):
        return await page.evaluate(question)


async def measure(page: Page) -> None:
    """Fail when the page is wider than the window."""
    wide = await asked(page, "document.documentElement.scrollWidth")
    there = (page.viewport_size or {"width": 0})["width"]
    assert int(str(wide)) <= there, f"{page.url} is {wide} wide in a window of {there}"


async def hear_axe(page: Page, options: Json = ALL_RULES, *, grave_only: bool = False) -> None:
    """Fail when axe finds anything, however small; on the simulators' pages what is grave."""
    if not await asked(page, "'axe' in window"):
        await asked(page, AXE.axe_script)
    told = json.dumps({**options, "resultTypes": ["violations"]})
    found = cast("Json", await asked(page, f"axe.run({told})"))
    wrong = [
        f"{each['id']} ({each['impact']}): {[node['html'] for node in each['nodes']]}"
        for each in cast("list[Json]", found["violations"])
        if not grave_only or each["impact"] in GRAVE
    ]
    assert not wrong, f"{page.url}:\n" + "\n".join(wrong)


class Windows:
    """Opens browser windows, and closes all of them in the end."""

    def __init__(self, market: Marketplace, browser: Browser) -> None:
        """Open windows of this browser on this marketplace."""
        self._market = market
        self._browser = browser
        self._open: list[BrowserContext] = []
        self.visitors: list[Visitor] = []

    async def open(self, size: tuple[int, int], *, zone: str, scripts: bool = True) -> Visitor:
        """Give a window with nothing in it, of somebody who sits at an address of their own."""
        phone = size == PHONE
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            is_mobile=phone,
            has_touch=phone,
            device_scale_factor=2 if phone else 1,
            timezone_id=zone,
            locale="en-GB",
            java_script_enabled=scripts,
            extra_http_headers={"X-Forwarded-For": f"10.{'.'.join(map(str, uuid4().bytes[:3]))}"},
        )
        context.set_default_timeout(WAIT_SECONDS * 1000)
        self._open.append(context)
        visitor = Visitor(self._market, await context.new_page())
        self.visitors.append(visitor)
        return visitor

    async def close(self) -> None:
        """Close all windows; fail when a browser had something to complain about."""
        for context in self._open:
            await context.close()
        complaints = [each for visitor in self.visitors for each in visitor.complaints]
        assert not complaints, "\n".join(complaints)


async def signed_in(visitor: Visitor, person: Person) -> Visitor:
    """Sign in somebody who has an account."""
    await visitor.go("/sign-in")
    await visitor.fill({"E-mail address": person.email, "Password": person.password})
    await visitor.press("Sign in")
    await visitor.see("Find somebody")
    return visitor
