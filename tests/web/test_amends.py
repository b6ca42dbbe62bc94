"""Amends are named in words where somebody pays less by them, and listed until they are used."""

from __future__ import annotations

from tests.web.conftest import OFFERING, ORDER, STARTS, Browser, Services
from tests.web.filling import BACK, BILL, fill

AMENDS = {**BILL, "back": BACK, "promotion_code": None, "amends": True}
WORDS = "Amends for a session that did not take place"


async def test_amends_are_named_before_anybody_pays(browser: Browser, services: Services) -> None:
    """On the summary and beside the payment; one's credits say how much, and until when."""
    fill(services)
    services.tell("POST", "/v1/quotes", (200, AMENDS))
    page = {"state": "open", "url": "https://stripe.example/pay", **AMENDS}
    services.tell("GET", f"/v1/checkouts/{ORDER}", (200, page))
    await browser.sign_in(services)
    for path in (f"/hold?offering={OFFERING}&starts_at={STARTS}", f"/orders/{ORDER}/pay"):
        text = (await browser.page(path)).text
        assert WORDS in text, path
        assert "−$30.00" in text
        assert "$90.00" in text
    text = (await browser.page("/credits")).text
    assert WORDS in text
    assert "$12.00 off, with any mentor whose prices are in USD" in text
    assert "1 Jan 2999" in text
