"""The paid session by hand: what people do with mouse, finger and keyboard, in real Chromium."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from dev.client import Caller, Person, until
from dev.journey import AFTER_THE_PAYOUT, GOOD_CARD, RELEASE_DELAY, buy, operator
from dev.marketplace import Marketplace
from tests.journeys.browser import (
    DESKTOP,
    PHONE,
    WAIT_SECONDS,
    Visitor,
    Windows,
    chromium_running,
    hear_axe,
    measure,
    signed_in,
)
from tests.journeys.by_hand import (
    BERLIN,
    become_bookable,
    buy_by_hand,
    join_by_hand,
    newcomer,
    open_mail,
    pay_by_hand,
    review_by_hand,
    sign_up,
)
from tests.journeys.conftest import Stall, slot_after

pytestmark = [pytest.mark.journey, pytest.mark.browser]


@pytest.fixture(scope="package")
async def chromium() -> AsyncGenerator[Browser]:
    """Give the browser that all walks share."""
    async with chromium_running() as browser:
        yield browser


@pytest.fixture
async def windows(market: Marketplace, chromium: Browser) -> AsyncGenerator[Windows]:
    """Give windows, which are closed in the end and must have had nothing to complain about."""
    opened = Windows(market, chromium)
    yield opened
    await opened.close()


async def test_a_paid_session_by_hand(
    market: Marketplace, caller: Caller, windows: Windows
) -> None:
    """Sign up, be approved, sell, find, pay after a declined card, meet, review, be paid."""
    overseer = await windows.open(DESKTOP, zone="UTC")
    await signed_in(overseer, await operator(caller))
    paula, milan = newcomer("Paula Ortiz"), newcomer("Milan Novak")
    mentor = await become_bookable(windows, paula, overseer)
    mentee = await windows.open(PHONE, zone=BERLIN)
    await sign_up(mentee, milan, "I am looking for a mentor")
    await buy_by_hand(mentee, milan.name, paula.name)
    session = await invited(mentee, milan.email, paula.name)
    await meet_by_hand(market, mentor, mentee, session)
    await market.advance_by(RELEASE_DELAY)
    await market.advance_by(AFTER_THE_PAYOUT)
    await look_at_the_money(mentor, overseer, session)


async def invited(mentee: Visitor, email: str, mentor: str) -> str:
    """Open the session by the mail with the invitation; return its path."""
    await open_mail(mentee, email, re.compile(f"^Confirmed.*{mentor}"))
    await expect(mentee.page.get_by_role("link", name="invite.ics").first).to_be_visible()
    await mentee.page.get_by_role("link", name="/sessions/").first.click()
    await mentee.see("Your first rehearsal")
    return re.sub(r"^https?://[^/]+", "", mentee.page.url)


async def meet_by_hand(market: Marketplace, mentor: Visitor, mentee: Visitor, session: str) -> None:
    """Come to the room when it is time, complete, and review one another."""
    starts = await mentee.page.locator("dl.facts time").first.get_attribute("datetime")
    assert starts
    starts_at = datetime.fromisoformat(starts)
    await market.advance_to(starts_at)
    for visitor in (mentor, mentee):
        await join_by_hand(visitor, session)
    await market.advance_to(starts_at + timedelta(minutes=61))
    await mentee.go(session)
    await mentee.press("Mark as completed")
    await mentee.read("The session is marked as completed")
    await review_by_hand(mentee, session, "5 – excellent", "My hands know what to do now.")
    await review_by_hand(mentor, session, "4 – good", "Came prepared, left with a plan.")
    await mentor.read("My hands know what to do now.")


async def look_at_the_money(mentor: Visitor, overseer: Visitor, session: str) -> None:
    """Find the payout among the earnings, and the books at zero."""
    await mentor.go("/earnings")
    await expect(mentor.page.get_by_role("region", name="Payouts")).to_contain_text("$102.00")
    await expect(mentor.page.get_by_role("region", name="By session")).to_contain_text("Sent")
    await mentor.approve_of_page("earnings")
    await overseer.go(session)
    await overseer.read("$18.00")
    await overseer.approve_of_page("operator-session")
    await overseer.go("/operator/ledger")
    await overseer.read("USD: the books sum to zero.")
    await overseer.approve_of_page("operator-ledger")


async def test_the_keyboard_is_enough(
    caller: Caller, stall: Stall, mentee: Person, windows: Windows
) -> None:
    """Sign in, search, open the mentor and book a time without touching a mouse."""
    hands = await windows.open(DESKTOP, zone=BERLIN)
    await hands.go("/sign-in")
    await hands.type_into("E-mail address", mentee.email)
    await hands.type_into("Password", mentee.password)
    await hands.page.keyboard.press("Enter")
    await hands.see("Find somebody")
    await hands.type_into("What do you want help with?", "leading engineers")
    await hands.page.keyboard.press("Enter")
    await hands.page.wait_for_url("**/?q=leading*")
    card = hands.page.get_by_role("link", name=stall.mentor.name)
    await hands.look_again_until(card, "the mentor among what is found")
    path = f"/mentors/{stall.mentor.person_id}"
    await hands.enter(hands.page.locator(f"a[href='{path}']"))
    await hands.see("Free times")
    await hands.enter(hands.page.locator(".slots a").first)
    await hands.see("Book this session")
    await hands.tab_to(hands.page.get_by_label("I accept these terms of cancellation"))
    await hands.page.keyboard.press("Space")
    await hands.enter(hands.page.get_by_role("button", name=re.compile("^Keep this time")))
    await hands.see("Pay Mentorium")


async def test_scripts_are_not_needed(stall: Stall, mentee: Person, windows: Windows) -> None:
    """Hold, pay and be confirmed in a browser that runs no script at all."""
    plain = await signed_in(await windows.open(PHONE, zone=BERLIN, scripts=False), mentee)
    await plain.go(f"/mentors/{stall.mentor.person_id}")
    await plain.page.locator(".slots a").nth(3).click()
    await plain.tick("I accept these terms of cancellation")
    await plain.page.get_by_role("button", name=re.compile("^Keep this time")).click()
    await pay_by_hand(plain, mentee.name, GOOD_CARD)
    await plain.see("Your session is confirmed")


async def test_nobody_cancels_blindly(
    market: Marketplace, stall: Stall, mentee: Person, windows: Windows
) -> None:
    """Both sides' amounts are shown first; then the session is off and all of it goes back."""
    slot = await slot_after(mentee, stall, timedelta(days=2))
    purchase = await buy(mentee, stall.offering_id, slot)
    await market.rest()
    hands = await signed_in(await windows.open(PHONE, zone=BERLIN), mentee)
    await hands.go(f"/sessions/{purchase.order_id}")
    await hands.follow("Cancel the session")
    await hands.see("Cancel this session?")
    sums = hands.page.locator("dl.sum")
    await expect(sums).to_contain_text("Goes back to the mentee’s card$120.00")
    await expect(sums).to_contain_text("The mentor keeps$0.00")
    await hands.approve_of_page("cancel")
    await hands.fill({"Why? (optional)": "I am ill"})
    await hands.press("Cancel the session")
    await hands.read("The session is cancelled")
    await market.rest()
    await hands.page.reload()
    await expect(hands.page.get_by_role("region", name="Money", exact=True)).to_contain_text(
        "goes back to the card"
    )
    await hands.approve_of_page("session-cancelled")


async def test_the_checks_notice_what_they_are_for(windows: Windows) -> None:
    """The control: a forbidden script, a nameless picture and a page too wide are all told."""
    hands = await windows.open(PHONE, zone=BERLIN)
    await hands.go("/")
    main = hands.page.locator("main")

    async def heard() -> bool | None:
        return True if any("Content Security Policy" in each for each in hands.complaints) else None

    put_in = "(main, html) => main.insertAdjacentHTML('beforeend', html)"
    await main.evaluate(put_in, "<b onclick='1'>here</b>")
    await until(heard, "the complaint about a forbidden script", WAIT_SECONDS)
    hands.complaints.clear()
    await main.evaluate(put_in, "<img src='/static/icon.svg' width='2000'>")
    with pytest.raises(AssertionError, match="image-alt"):
        await hear_axe(hands.page)
    with pytest.raises(AssertionError, match="wide in a window"):
        await measure(hands.page)
