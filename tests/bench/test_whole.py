"""What is measured of the whole marketplace, without starting one; and how figures are told."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from bench import report
from bench.__main__ import QUICK, QUICK_MARKET
from bench.memory import family_of, megabytes_of
from bench.pictures import draw
from bench.rounds import Measurement, Value
from bench.suites import OVER_FEW
from bench.whole import FILL_PAYMENTS, WEBHOOK_TO_CONFIRMATION, measure_whole
from bench.world import world
from tests.bench.conftest import silently
from tests.engines import Database

STORED = 30
COUNTS = """
SELECT (SELECT count(*) FROM payments.orders), (SELECT count(*) FROM payments.earnings),
       (SELECT count(*) FROM payments.ledger_entries), (SELECT count(*) FROM payments.webhooks)
"""
MEASURED = Measurement("a", "hold", "pgbench", "holds/s", 10, 0.6, (50.0, 60.0), (100.0, 100.0))
GROWN = Measurement("a", "hold, many", OVER_FEW, "holds/s", 10, 0.7, (9.0,), (10.0,))
VALUE = Value("f", "memory at rest", "MB", (950.0,), 900.0)


async def test_payments_is_filled_with_the_sessions_of_booking(
    database: Callable[..., Awaitable[Database]],
) -> None:
    """An order, its money and a ledger that balances for every stored session."""
    own = await database()
    async with world(own.app_url("booking"), stored=STORED):
        conn = await asyncpg.connect(own.superuser_url)
        try:
            await conn.execute(FILL_PAYMENTS)
            assert set((await conn.fetchrow(COUNTS)) or ()) == {STORED}
            assert await conn.fetchval("SELECT sum(amount_minor) FROM payments.ledger_lines") == 0
            orders = await conn.fetch("SELECT order_id FROM payments.orders")
            waits = await conn.fetch(WEBHOOK_TO_CONFIRMATION, [row["order_id"] for row in orders])
            assert len(waits) == STORED
        finally:
            await conn.close()


async def test_a_family_is_a_process_and_its_children() -> None:
    """A child counts with its memory until it is gone."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
    )
    family = family_of(os.getpid())
    assert {os.getpid(), child.pid} <= family
    assert family_of(child.pid) == {child.pid}
    assert megabytes_of(os.getpid()) > megabytes_of(child.pid) > 0
    await asyncio.wait_for(child.communicate(b"\n"), 10)
    assert megabytes_of(child.pid) == 0


def test_figures_are_told_in_three_ways(tmp_path: Path) -> None:
    """The table, the file and the pictures hold every result and whether its goal is met."""
    results = [MEASURED, GROWN, VALUE]
    text = report.in_markdown(results)
    assert "| a | hold | 60 holds/s | 100 (pgbench) | 0.55 | 0.50–0.60 | ≥ 0.60 | no |" in text
    assert "| f | memory at rest | 950 MB |  |  | 950–950 | ≤ 900 MB | no |" in text
    report.write_json(results, tmp_path / "folder" / "figures.json")
    told = json.loads((tmp_path / "folder" / "figures.json").read_text())["results"]
    assert [each["met"] for each in told] == [False, True, False]
    draw([MEASURED, GROWN], tmp_path)
    for name, inside in (("performance.svg", "hold"), ("performance-growth.svg", "hold, many")):
        assert inside in (tmp_path / name).read_text()


def test_the_page_takes_a_new_table(tmp_path: Path) -> None:
    """What stands between the marks is replaced; everything else stays."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nyesterday\n{report.END}\nafter\n")
    report.write_docs([MEASURED], page, tmp_path)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert "| a | hold |" in text
    assert report.PAGE.read_text().count(report.BEGIN) == 1
    assert report.PAGE.read_text().count(report.END) == 1


@pytest.mark.long
async def test_the_whole_marketplace_is_measured() -> None:
    """It starts cold and warm, weighs something, and confirms every session that is bought."""
    results = await measure_whole(QUICK, QUICK_MARKET, silently)
    assert {each.name for each in results} >= {"cold start", "memory at rest", "warm start"}
    assert all(each.value > 0 for each in results)
    assert sum(each.name.startswith("paid sessions") for each in results) == 2
