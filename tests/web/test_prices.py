"""Codes and fees: what mentors and operators write is sent as the services take it."""

from __future__ import annotations

import pytest

from tests.web.conftest import MENTOR, OFFERING, SESSION, STARTS, Browser, Services
from tests.web.filling import fill

PRICES, CODES, FEES = "/mentor/prices", "/operator/codes", "/operator/fees"


@pytest.fixture
async def person(browser: Browser, services: Services) -> Browser:
    """Give the browser of somebody who mentors and operates."""
    fill(services)
    await browser.sign_in(services, "mentor", "operator")
    return browser


async def test_a_mentor_makes_and_pauses_a_code(person: Browser, services: Services) -> None:
    """A percentage or an amount, limits, and days of one's own zone; one's fees stand above."""
    text = (await person.page(PRICES)).text
    for words in ("at least $1.00 of a session", "taken from your share", "used 3 of 10 times"):
        assert words in text, words
    services.tell("POST", "/v1/me/promotions", (201, {}))
    answer, text = await person.submit(
        PRICES, PRICES, code="mine-10", amount="10", currency="USD", per_person="1",
        starts_on="2030-03-01", ends_on="2030-03-31", offering_id=OFFERING,
    )  # fmt: skip
    assert answer.status == 303, text
    assert services.of("POST", "/v1/me/promotions")[0].body == {
        "code": "MINE-10", "amount_minor": 1_000, "currency": "USD", "at_most": None,
        "per_person": 1, "first_purchase_only": False, "starts_at": "2030-02-28T18:15:00Z",
        "ends_at": "2030-03-31T18:14:59Z", "offering_id": OFFERING,
    }  # fmt: skip
    answer, text = await person.submit(PRICES, PRICES, code="mine-10")
    assert (answer.status, "Write a percentage" in text) == (422, True)
    services.tell("POST", f"/v1/me/promotions/{SESSION}/pause", (200, {}))
    answer, _ = await person.submit(PRICES, f"{PRICES}/{SESSION}/pause")
    assert answer.headers["Location"] == PRICES


async def test_a_code_that_we_paused_goes_on_with_us_alone(
    person: Browser, services: Services
) -> None:
    """Its mentor reads whom to ask in place of a button that would be refused."""
    paused = {
        "promotion_id": SESSION, "code": "MINE-25", "paid_by": "mentor", "used": 0,
        "percent_basis_points": 2500, "paused_at": STARTS, "paused_by": "operator",
    }  # fmt: skip
    services.tell("GET", "/v1/me/promotions", (200, {"items": [paused]}))
    page = await person.page(PRICES)
    assert "Paused by us" in page.text
    assert not [each for each in page.forms if each.action.endswith(("/pause", "/resume"))]


async def test_an_operator_makes_and_pauses_a_code(person: Browser, services: Services) -> None:
    """With a reason, which is logged."""
    services.tell("POST", "/v1/operator/promotions", (201, {}))
    await person.submit(CODES, CODES, code="SPRING", percent="25", reason="Spring.")
    sent = services.of("POST", "/v1/operator/promotions")[0].body
    assert isinstance(sent, dict)
    assert (sent["percent_basis_points"], sent["reason"]) == (2_500, "Spring.")
    services.tell("POST", f"/v1/operator/promotions/{SESSION}/pause", (200, {}))
    answer, _ = await person.submit(CODES, f"{CODES}/{SESSION}/pause", reason="Misused.")
    assert answer.status == 303


async def test_a_fee_rule_is_sent_as_it_was_shown(person: Browser, services: Services) -> None:
    """Unchanged lines come back as they were; an odd line is named and nothing is lost."""
    services.tell("POST", "/v1/operator/fees", (202, {}))
    answer, text = await person.submit(FEES, FEES, share="12.5", reason="Spring.")
    assert answer.status == 303, text
    assert services.of("POST", "/v1/operator/fees")[0].body == {
        "share_basis_points": 1_250,
        "tiers": [{"currency": "USD", "from_minor": 1_000_000, "share_basis_points": 1_200}],
        "minimums": [{"currency": "USD", "minimum_minor": 100}],
        "stripe_fee": "platform",
        "reason": "Spring.",
        "instead_of": 2,
        "mentor_id": None,
    }
    for field, odd, why in (
        ("tiers", "USD much 12", "Write a tier a line"),
        ("tiers", "USD ² 12", "Write a tier a line"),
        ("tiers", "USD 100 12.²", "Write a tier a line"),
        ("minimums", f"USD {'1' * 5_000}", "Write a minimum a line"),
        ("share", "1.²", "Write a percentage"),
    ):
        answer, text = await person.submit(FEES, FEES, reason="Spring.", **{field: odd})
        assert (answer.status, why in text, odd in text) == (422, True, True)
    end = f"/v1/operator/fees/mentors/{MENTOR}/end"
    services.tell("POST", end, (202, {}))
    page = f"{FEES}?mentor={MENTOR}"
    answer, _ = await person.submit(page, f"{FEES}/{MENTOR}/end", reason="Over.")
    assert answer.headers["Location"] == FEES
