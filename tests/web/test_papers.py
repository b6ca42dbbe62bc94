"""Receipts and statements as files: handed on as `payments` made them."""

from __future__ import annotations

import pytest

from tests.web.conftest import MENTOR, SESSION, Browser, Services
from tests.web.filling import fill

FILES = {
    f"/receipts/{SESSION}/receipt.pdf": (
        f"/v1/receipts/{SESSION}/receipt.pdf", "application/pdf", "receipt.pdf",
    ),
    f"/statements/{SESSION}/statement.pdf": (
        f"/v1/statements/{SESSION}/statement.pdf", "application/pdf", "statement.pdf",
    ),
    f"/statements/{SESSION}/statement.csv": (
        f"/v1/statements/{SESSION}/statement.csv", "text/csv", "statement.csv",
    ),
    "/statements/year/2030.csv": (
        "/v1/me/yearly-summary/summary.csv", "text/csv", "year-2030.csv",
    ),
}  # fmt: skip


@pytest.mark.parametrize("page", FILES)
async def test_a_file_is_handed_on_under_its_name(browser: Browser, services: Services, page: str):
    """What `payments` answers to the person is what the person gets to keep."""
    path, kind, name = FILES[page]
    await browser.sign_in(services, "mentor")
    services.tell("GET", path, (200, "the content"))
    async with browser.http.get(browser.url + page) as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        assert name in answer.headers["Content-Disposition"]
        assert await answer.text() == '"the content"'


async def test_a_file_of_somebody_else_is_not_here(browser: Browser, services: Services):
    """Who asks for another person's receipt is told that there is none."""
    await browser.sign_in(services)
    async with browser.http.get(f"{browser.url}/receipts/{SESSION}/receipt.pdf") as answer:
        assert answer.status == 404


async def test_the_figures_open_with_the_latest_year_that_has_some(
    browser: Browser, services: Services
):
    """Unless a year is named, `payments` says which; an empty January shows the year before."""
    fill(services)
    await browser.sign_in(services, "mentor")
    assert "The year 2030 for your taxes" in (await browser.page("/statements")).text
    asked = services.of("GET", "/v1/me/yearly-summary")
    assert ["year" in each.query for each in asked] == [False]


async def test_operators_read_a_mentors_statements(browser: Browser, services: Services):
    """From the mentor's page, in the mentor's words: this year's figures, or another year's."""
    fill(services)
    await browser.sign_in(services, "operator")
    here = f"/operator/mentors/{MENTOR}"
    assert f'href="{here}/statements"' in (await browser.page(here)).html
    page = await browser.page(f"{here}/statements")
    for words in ("Of Maya, in the words", "February 2030, USD", "Earned with sessions", "Q1"):
        assert words in page.text, words
    assert f'href="/statements/{SESSION}/statement.pdf"' in page.html
    await browser.page(f"{here}/statements?year=2029")
    asked = services.of("GET", f"/v1{here}/yearly-summary")
    assert ["year" in each.query for each in asked] == [True, True]
    assert asked[1].query["year"] == "2029"
