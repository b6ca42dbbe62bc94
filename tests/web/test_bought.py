"""The money of what was paid in advance, as its buyer reads it."""

from __future__ import annotations

import pytest

from tests.web.conftest import ORDER, Browser, Services
from tests.web.filling import fill
from tests.web.plans import OF_STATE, SPECIAL
from tests.web.prepaid import FUNDED, GIFT, OVER, PAID_BACK, UNPAID, bought


@pytest.fixture
async def buyer(browser: Browser, services: Services) -> Browser:
    """Give the browser of somebody who bought a package, gifts, sponsorships and plans."""
    fill(services)
    await browser.sign_in(services)
    return browser


@pytest.mark.parametrize(
    ("purchase", "back"), [(ORDER, 0), (GIFT, 0), (FUNDED, 0), (PAID_BACK, 500), (OVER, 400)]
)
async def test_every_step_of_the_money_is_on_the_page(
    buyer: Browser, purchase: str, back: int
) -> None:
    """What was paid, what expired and what went back, each step, with what was paid in all."""
    text = " ".join((await buyer.page(f"/purchases/{purchase}")).text.split())
    assert "Money The price was paid. $500.00" in text
    assert ("Credits were not used. $500.00" in text) == (purchase == OVER)
    assert (f"goes back to the card. −${back}.00" in text) == (back > 0)
    assert ("Stripe sent the refund to the bank of the card." in text) == (back > 0)
    assert f"Paid in all${500 - back}.00" in text


async def test_before_it_is_paid_there_is_no_money(buyer: Browser, services: Services) -> None:
    """A page that waits for the payment asks for none; one whose services are away says so."""
    assert "Money" not in (await buyer.page(f"/purchases/{UNPAID}")).text
    assert not services.of("GET", f"/v1/orders/{UNPAID}/money")
    services.tell("GET", f"/v1/orders/{GIFT}/money", (503, {}))
    assert "There is nothing to show right now" in (await buyer.page(f"/purchases/{GIFT}")).text


@pytest.mark.parametrize("state", OF_STATE)
async def test_a_month_of_a_plan_leads_whoever_pays_to_its_money(
    buyer: Browser, services: Services, state: str
) -> None:
    """Month by month; the mentor, who did not pay, is led nowhere."""
    services.tell("GET", f"/v1/purchases/{ORDER}", (200, bought(ORDER, "plan")))
    html = (await buyer.page(f"/subscriptions/{OF_STATE[state]}")).html
    pays = state not in ("open", "closed") and "mentee_id" not in SPECIAL.get(state, {})
    assert (f'href="/purchases/{ORDER}"' in html) == pays
    assert "The price was paid." in (await buyer.page(f"/purchases/{ORDER}")).text
