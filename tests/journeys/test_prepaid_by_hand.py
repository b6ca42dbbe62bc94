"""Paid ahead by hand, in real Chromium: a package, a session for a credit, and a plan."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Literal

import pytest
from playwright.async_api import expect

from dev.client import Json, Person
from dev.marketplace import Marketplace
from tests.journeys.browser import PHONE, Visitor, Windows, chromium_running, signed_in
from tests.journeys.by_hand import BERLIN
from tests.journeys.conftest import Stall

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.long]
THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
PACKAGE: Json = {"sessions": 3, "unit_price_minor": 10_000, "valid_months": 6}
PLAN: Json = {"sessions": 2, "unit_price_minor": 9_500}
NOT_BOOKED = "2 sessions that are not booked goes back to the card"


@pytest.fixture
async def windows(market: Marketplace) -> AsyncGenerator[Windows]:
    """Give windows, which are closed in the end and must have had nothing to complain about."""
    async with chromium_running() as chromium:
        opened = Windows(market, chromium)
        yield opened
        await opened.close()


async def test_package_credit_and_plan_by_hand(
    stall: Stall, mentee: Person, windows: Windows
) -> None:
    """Buy three sessions at once, book one without a card, subscribe, and end the plan."""
    of_offering = {"offering_id": stall.offering_id}
    await stall.mentor.post("payments", "/v1/me/packages", PACKAGE | of_offering)
    await stall.mentor.post("payments", "/v1/me/plans", PLAN | of_offering)
    hands = await signed_in(await windows.open(PHONE, zone=BERLIN), mentee)
    mentor = f"/mentors/{stall.mentor.person_id}"
    await buy_package(hands, mentor, mentee.name)
    await book_with_a_credit(hands)
    await start_a_plan(hands, mentor, mentee.name)


async def approve_in_both_themes(visitor: Visitor, picture: str) -> None:
    """Check the page as it is, dark and light."""
    for theme in THEMES:
        # Colours that still fade would be measured half-way.
        await visitor.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await visitor.approve_of_page(f"{picture}-{theme}")


async def pay_sum(visitor: Visitor, name: str, button: str) -> None:
    """Go to Stripe's page and pay there what it asks."""
    await visitor.look_again_until(
        visitor.page.get_by_role("link", name="Go to payment"), "the payment page"
    )
    await visitor.follow("Go to payment")
    await visitor.fill(
        {"Email": "payer@example.com", "Card number": "4242 4242 4242 4242",
         "Expiry (MM / YY)": "12 / 34", "CVC": "123", "Name on card": name}
    )  # fmt: skip
    await visitor.page.get_by_role("button", name=re.compile(button)).click()


async def buy_package(visitor: Visitor, mentor: str, name: str) -> None:
    """See the whole sum before paying it, and the sessions that it brought."""
    await visitor.go(mentor)
    await visitor.page.get_by_role("link", name=re.compile("^3 × ")).click()
    await visitor.see("3 sessions at once")
    await expect(visitor.page.locator("dl.sum")).to_contain_text("You pay$300.00")
    await approve_in_both_themes(visitor, "package")
    await visitor.press("Buy and pay $300.00")
    await pay_sum(visitor, name, "300.00")
    await visitor.see("3 of 3 sessions left")
    await approve_in_both_themes(visitor, "package-bought")
    await visitor.go("/credits")
    await visitor.see("Credits and gifts")
    await approve_in_both_themes(visitor, "credits")


async def book_with_a_credit(visitor: Visitor) -> None:
    """Nothing is paid; the credit comes back if plans change in time."""
    await visitor.page.get_by_role("link", name=re.compile("^Pick a time")).first.click()
    await visitor.look_again_until(visitor.page.locator(".slots a"), "free times")
    await visitor.page.locator(".week > li:nth-child(3) .slots a").first.click()
    await expect(visitor.page.locator("dl.sum")).to_contain_text("You paynothing")
    await visitor.read("your credit back")
    await approve_in_both_themes(visitor, "book-by-credit")
    await visitor.tick("I accept these terms of cancellation")
    await visitor.press("Book this session")
    await visitor.see("Your session is confirmed")
    await approve_in_both_themes(visitor, "booked-by-credit")
    await visitor.follow("Show the session")
    await visitor.read("A credit paid for this session.")
    await approve_in_both_themes(visitor, "session-by-credit")


async def start_a_plan(visitor: Visitor, mentor: str, name: str) -> None:
    """Subscribe, see the first month, and end the plan with it."""
    await visitor.go(mentor)
    await visitor.page.get_by_role("link", name=re.compile("^2 × ")).click()
    await expect(visitor.page.locator("dl.sum")).to_contain_text("You pay every month$190.00")
    await approve_in_both_themes(visitor, "plan")
    await visitor.press("Subscribe for $190.00 a month")
    await pay_sum(visitor, name, "190.00|Subscribe")
    await visitor.see("2 sessions every month")
    await visitor.read(NOT_BOOKED)
    await approve_in_both_themes(visitor, "subscription")
    await visitor.press("End with the month")
    await visitor.see("Ends on")
    await approve_in_both_themes(visitor, "subscription-ending")
    await visitor.go("/plans")
    await visitor.see("Your plans")
    await approve_in_both_themes(visitor, "plans")
