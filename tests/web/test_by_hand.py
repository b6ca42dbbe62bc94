"""What operators do by hand: where a page has no button, it names the command."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.house.sources import REPOSITORY
from tests.web.conftest import ORDER, STARTS, Browser, Services, order
from tests.web.filling import fill
from tests.web.filling_money import disputes

PAPER = "an operator finds out why its paper cannot be made"
MIGRATIONS = REPOSITORY / "services" / "payments" / "migrations"
WAIT = {
    "order_id": ORDER, "waits_for": PAPER, "since": STARTS, "due_at": STARTS, "clock": "business",
    "needs_operator": True, "details": {"error": "lines_do_not_add_up"},
}  # fmt: skip
ISSUE = f"python -m ops saga issue-papers {ORDER} --reason 'what was mended'"
BOOK = "python -m ops ledger book {} --to {} --reason"


@pytest.fixture
async def operator(browser: Browser, services: Services) -> Browser:
    """Give an operator's browser; the services have something for every page."""
    fill(services)
    await browser.sign_in(services, "operator")
    return browser


async def words(browser: Browser, path: str) -> str:
    """Return the text of a page with its blanks made one."""
    return " ".join((await browser.page(path)).text.split())


@pytest.mark.parametrize("path", ["/operator/stuck", f"/operator/orders/{ORDER}"])
async def test_a_paper_that_was_put_aside_names_its_command(
    operator: Browser, services: Services, path: str
) -> None:
    """Beside the wait, and beside no other."""
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order("completed")))
    services.tell("GET", "/v1/operator/stuck", (200, {"items": [WAIT]}))
    told = {"steps": [], "waits": [WAIT]}
    services.tell("GET", f"/v1/operator/orders/{ORDER}/steps", (200, told))
    assert ISSUE in await words(operator, path)
    other = WAIT | {"waits_for": "the bank decides the dispute"}
    services.tell("GET", "/v1/operator/stuck", (200, {"items": [other]}))
    services.tell("GET", f"/v1/operator/orders/{ORDER}/steps", (200, told | {"waits": [other]}))
    assert "issue-papers" not in await words(operator, path)


def test_payments_says_it_in_these_words() -> None:
    """The command is found by what the view of the schema says."""
    newest = [path.read_text() for path in sorted(MIGRATIONS.glob("*.sql"))]
    views = [text for text in newest if "VIEW saga_waits_documents" in text]
    assert f"'{PAPER}'" in views[-1]


async def test_a_difference_that_nothing_explains_names_its_command(operator: Browser) -> None:
    """What time explains is not booked by hand."""
    page = await words(operator, "/operator/reconciliation")
    assert BOOK.format("ch_<0>", "ACCOUNT") in page
    assert page.count("ops ledger book") == 1


async def test_what_a_bank_moved_in_another_currency_names_its_command(
    operator: Browser, services: Services
) -> None:
    """The page of the dispute says how it comes into the books."""
    path = "/v1/operator/disputes/du_1"
    case = cast("dict[str, Any]", disputes()[path])
    (moved,) = case["movements"]
    foreign = moved | {"currency": "EUR", "foreign": True}
    services.tell("GET", path, (200, case | {"movements": [foreign]}))
    assert BOOK.format("du_1", "dispute_losses") in await words(operator, "/operator/disputes/du_1")
    services.tell("GET", path, (200, case))
    assert "ops ledger book" not in await words(operator, "/operator/disputes/du_1")
