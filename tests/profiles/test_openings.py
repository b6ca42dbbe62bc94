"""Search by when mentors are free next, from what booking tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.profiles.store.search import BEFORE_THE_BEST, FIND_SOONEST
from shared.contracts.booking import NextFreeChanged, NextFreeSnapshot
from shared.ids import new_id
from shared.web import Page
from tests.engines import Database
from tests.profiles.conftest import NOON, Marketplace, Person
from tests.profiles.test_search import (
    CROWD,
    OFFERINGS,
    PEOPLE,
    PROFILES,
    ROWS_OF_A_PAGE,
    found,
)

OPENINGS = """
INSERT INTO openings (mentor_id, next_free_at, version)
SELECT person_id, '2030-05-06Z'::timestamptz + (random() * 100)::int * interval '30 minutes', 1
FROM people
"""
ANALYSE = "ANALYZE people, mentor_profiles, offerings, openings"


async def free(market: Marketplace, mentor: Person, at: datetime | None, version: int = 1) -> None:
    """Let the service hear when a mentor is free next."""
    told = NextFreeChanged(
        version=version,
        mentor_id=mentor.person_id,
        next_free_at=at,
        offering_id=new_id() if at else None,
    )
    assert await market.hear(told) == "handled"


async def test_search_knows_who_is_free_soon(market: Marketplace, operator: Person) -> None:
    """Shown with each mentor, filtered by days, sorted by the soonest with words and without."""
    grace = await market.mentor(operator, "Grace", headline="Compilers")
    mary = await market.mentor(operator, "Mary", headline="Compilers")
    await market.mentor(operator, "José", headline="Compilers")
    await free(market, grace, NOON + timedelta(days=6))
    await free(market, mary, NOON + timedelta(days=7))
    for text in ("", "compiler"):
        assert sorted(await found(market, q=text)) == ["Grace", "José", "Mary"]
        assert await found(market, q=text, sort="soonest") == ["Grace", "Mary"]
        assert await found(market, q=text, free_within_days=7) == ["Grace"]
        assert await found(market, q=text, free_within_days=6) == []
        assert await found(market, q=text, free_within_days=8, sort="soonest") == ["Grace", "Mary"]
        assert await found(market, q=text, free_within_days=8, sort="price", currency="EUR") == []
    await free(market, mary, NOON + timedelta(days=1), version=3)
    await free(market, mary, NOON + timedelta(days=9), version=2)
    assert await found(market, sort="soonest") == ["Mary", "Grace"]
    _, shown = await market.call("GET", f"/v1/mentors/{mary.person_id}")
    assert shown["next_free_at"] == "2030-05-07T12:00:00Z"
    await free(market, mary, None, version=4)
    assert await found(market, sort="soonest") == ["Grace"]
    again = NextFreeSnapshot(
        version=5, mentor_id=mary.person_id, next_free_at=NOON, offering_id=new_id()
    )
    await market.hear(again)
    _, page = await market.call("GET", "/v1/mentors", params={"sort": "soonest"})
    assert [each["next_free_at"] for each in page["items"]] == [
        "2030-05-06T12:00:00Z",
        "2030-05-12T12:00:00Z",
    ]


async def test_pages_of_the_soonest_show_everybody_once(
    market: Marketplace, operator: Person
) -> None:
    """Equal instants are told apart by the id; a cursor of our own making is refused."""
    for number in range(5):
        mentor = await market.mentor(operator, f"Mentor {number}")
        await free(market, mentor, NOON + timedelta(days=number // 3))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        params = {"sort": "soonest", "limit": "2"} | cursor
        _, page = await market.call("GET", "/v1/mentors", params=params)
        seen += [item["name"] for item in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == [f"Mentor {number}" for number in range(5)]
    for score in ("nan", "inf", "-1e300", "1e18", "never"):
        made = {"cursor": str(Page.cursor(score, str(new_id()))), "sort": "soonest"}
        status, refused = await market.call("GET", "/v1/mentors", params=made)
        assert (status, refused["code"]) == (422, "cursor_invalid"), score


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_of_the_soonest_costs_the_same_among_many(own: Database, plans: str) -> None:
    """It reads one page of an index and sorts nobody, also deep inside of an equal instant."""
    conn = await asyncpg.connect(own.superuser_url, server_settings={"search_path": "profiles"})
    try:
        for statement in (PEOPLE, PROFILES, OFFERINGS, OPENINGS):
            await conn.execute(statement, *([CROWD] if statement is PEOPLE else []))
        await conn.execute(ANALYSE)
        await conn.execute(f"SET plan_cache_mode = {plans}")
        inside = (-NOON.timestamp(), UUID("80000000-0000-0000-0000-000000000000"))
        for after in (BEFORE_THE_BEST, inside):
            explained = await conn.fetchval(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {FIND_SOONEST}",
                None, None, None, None, None, *after, ROWS_OF_A_PAGE,
            )  # fmt: skip
            nodes = list(_nodes(json.loads(explained)[0]["Plan"]))
            assert "openings_soonest" in [node.get("Index Name") for node in nodes]
            read = [node for node in nodes if node.get("Relation Name") == "openings"]
            assert [node["Actual Rows"] for node in read] == [ROWS_OF_A_PAGE], explained
    finally:
        await conn.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)
