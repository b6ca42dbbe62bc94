"""What a mentor reads of earnings: by month, by session, and what reached the bank."""

from __future__ import annotations

import pytest

from tests.web.conftest import ORDER, STARTS, Browser, Services
from tests.web.filling import empty, fill
from tests.web.filling_money import earned_months
from web.earning_shapes import EarnedCurrency
from web.pages.chart import GROUND, TALLEST, WIDTH, charts

EARNED = {"order_id": ORDER, "title": "First steps", "mentor_minor": 10200, "currency": "USD",
          "release_delay_hours": 48}  # fmt: skip


@pytest.fixture
async def mentor(browser: Browser, services: Services) -> Browser:
    """Give the browser of a mentor who has earned something."""
    fill(services)
    await browser.sign_in(services, "mentor")
    return browser


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"waits_for": "session"}, "Held until 48 hours after the session"),
        ({"waits_for": "session", "release_delay_hours": 1}, "Held until 1 hour after the session"),
        ({"waits_for": "session", "release_delay_hours": 0}, "Held until right after the session"),
        ({"waits_for": "bank"}, "Held until the bank of the card has decided a dispute"),
        ({"waits_for": "objection"}, "Held until we have decided an objection"),
        ({"due_at": STARTS}, "Held until Mon 4 Mar 2030"),
        ({"due_at": STARTS, "released_at": STARTS}, "Released Mon 4 Mar 2030, not sent yet"),
        ({"released_at": STARTS, "transferred_at": STARTS}, "Sent Mon 4 Mar 2030"),
        ({"transferred_at": STARTS, "mentor_minor": 0}, "and given back since"),
        ({"mentor_minor": 0}, "Nothing is left of it"),
    ],
)
async def test_a_mentor_reads_until_when_a_share_is_held(
    mentor: Browser, services: Services, more: dict[str, object], words: str
) -> None:
    """Whatever it waits for is named, and its amount stands beside it."""
    services.tell("GET", "/v1/me/earnings/orders", (200, {"items": [EARNED | more]}))
    assert words in (await mentor.page("/earnings")).text


async def test_who_has_earned_nothing_reads_the_delay_of_today(
    mentor: Browser, services: Services
) -> None:
    """It is the platform's setting, which `payments` tells."""
    empty(services)
    services.tell("GET", "/v1/me/earnings", (200, {"totals": [], "release_delay_hours": 72}))
    assert "is released 72 hours after it, sent to" in (await mentor.page("/earnings")).text


async def test_the_months_are_those_that_payments_tells(
    mentor: Browser, services: Services
) -> None:
    """Each is read aloud and stands in a table, whatever page of sessions is looked at."""
    page = await mentor.page("/earnings?cursor=abc")
    told = " ".join(page.text.split())
    for words in (
        "Apr 2029: $0.00 earned; May 2029: $510.00 earned;",
        "Oct 2029: $3,060.00 earned, $3,100.00 given back;",
        "Jan 2030: $0.00 earned; ",
        "Oct 2029$3,060.00$3,100.00−$40.00",
        "Mar 2030$12,345.00$0.00$12,345.00",
    ):
        assert words in told, words
    (asked,) = services.of("GET", "/v1/me/earnings/months")
    assert not asked.query


async def test_sessions_and_payouts_turn_their_pages_alone(
    mentor: Browser, services: Services
) -> None:
    """Older payouts are a page away, and the page of sessions stays where it is."""
    page = (await mentor.page("/earnings")).html.replace("&amp;", "&")
    assert 'href="?cursor=abc#sessions"' in page
    assert 'href="?payouts=def#payouts"' in page
    page = (await mentor.page("/earnings?cursor=first&payouts=second")).html.replace("&amp;", "&")
    assert services.of("GET", "/v1/me/earnings/orders")[-1].query["cursor"] == "first"
    assert services.of("GET", "/v1/me/payouts")[-1].query["cursor"] == "second"
    assert 'href="?cursor=abc&payouts=second#sessions"' in page
    assert 'href="?cursor=first&payouts=def#payouts"' in page


def test_bars_stand_in_the_drawing_and_in_proportion() -> None:
    """The best month is the tallest, even a cent is seen, and nothing leaves the drawing."""
    told = EarnedCurrency.model_validate(earned_months())
    (chart,) = charts([told])
    assert chart.best == chart.bars[-1]
    assert (chart.best.earned_height, chart.best.amount[1]) == (TALLEST, "end")
    half = [bar.earned_height for bar in chart.bars if bar.earned * 2 >= chart.best.earned]
    assert min(half) * 2 >= TALLEST
    for bar in chart.bars:
        assert 0 <= bar.left < bar.middle <= WIDTH - chart.width - 1
        assert max(bar.earned_height, bar.given_back_height) <= TALLEST < GROUND
    months = [told.months[0], told.months[-1].model_copy(update={"given_back_minor": -1})]
    (chart,) = charts([EarnedCurrency(currency="USD", months=months)])
    assert [bar.given_back_height for bar in chart.bars] == [0, 1]
