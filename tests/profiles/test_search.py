"""Search: stems, misspellings, filters, order and pages, from this service's own tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.profiles.domain.search import edits, fold, meant, tsquery, words_of
from services.profiles.store.search import BEFORE_THE_BEST, FIND_BEST
from shared.contracts.booking import OfferingPublished, OfferingSnapshot, OfferingWithdrawn
from shared.ids import new_id
from tests.engines import Database
from tests.profiles.conftest import Marketplace, Person


async def found(market: Marketplace, **query: Any) -> list[str]:
    """Return the names a search finds, in order."""
    status, page = await market.call("GET", "/v1/mentors", params=query)
    assert status == 200, page
    return [item["name"] for item in page["items"]]


async def cast(market: Marketplace, operator: Person) -> dict[str, Person]:
    """Bring three mentors on stage who differ in everything a search may ask for."""
    return {
        "Grace": await market.mentor(
            operator, "Grace", headline="Backend engineer", expertise=["python", "databases"],
            story="I taught compilers for years.", languages=["en", "de"], price=9_000,
        ),
        "José": await market.mentor(
            operator, "José", headline="Leading teams without drama", expertise=["conflict"],
            story="Managers become better listeners with me.", languages=["es"], price=15_000,
        ),
        "Mary": await market.mentor(
            operator, "Mary", headline="Product strategist", expertise=["product-strategy"],
            story="Roadmaps that everybody believes in.", price=20_000, currency="EUR",
        ),
    }  # fmt: skip


async def test_a_search_finds_mentors(market: Marketplace, operator: Person) -> None:
    """By stem, synonym, misspelling, accent, name; with filters; in the order asked for."""
    people = await cast(market, operator)
    for text, names in {
        "compiler": ["Grace"],  # the stem of compilers
        "teaching": [],  # irregular: taught
        "listening": ["José"],  # the stem of listeners is listen
        "django": ["Grace"],  # a synonym of python
        "pyhton": ["Grace"],  # two letters swapped
        "databses": ["Grace"],  # one left out
        "compilars": ["Grace"],  # one replaced
        "stratgey": ["Mary"],
        "jose": ["José"],  # without the accent
        "JOSÉ": ["José"],
        "roadmap": ["Mary"],
        "zeppelin": [],
        "the": ["Grace", "José", "Mary"],  # nothing to go by
        "'); DROP TABLE people; --": [],
        "!!! &|:*": ["Grace", "José", "Mary"],
    }.items():
        assert sorted(await found(market, q=text)) == names, text
    assert (await found(market, q="python drama compilers"))[0] == "Grace"
    for filters, names in (
        ({"expertise": "software"}, ["Grace"]),  # what lies below it in the tree
        ({"expertise": "leadership"}, ["José"]),
        ({"expertise": "alchemy"}, []),
        ({"language": "de"}, ["Grace"]),
        ({"currency": "EUR"}, ["Mary"]),
        ({"price_max_minor": 9_000, "currency": "USD"}, ["Grace"]),
        ({"price_max_minor": 8_999, "currency": "USD"}, []),
        ({"q": "pyhton", "language": "es"}, []),
    ):
        assert await found(market, **filters) == names, filters
    assert await found(market, sort="price", currency="USD") == ["Grace", "José"]
    await market.pool.execute(
        "UPDATE mentor_profiles SET rating_mean = 4.9 WHERE person_id = $1",
        people["Mary"].person_id,
    )
    assert (await found(market, sort="rating"))[0] == "Mary"


async def test_only_approved_mentors_with_something_to_book_are_shown(
    market: Marketplace, operator: Person
) -> None:
    """Whoever is suspended or has withdrawn everything is not found, in any order of facts."""
    mentor = await market.mentor(operator, "Grace", published=False)
    assert await found(market) == []
    offering: dict[str, Any] = {
        "offering_id": new_id(), "mentor_id": mentor.person_id, "title": "An hour",
        "minutes": 60, "price_minor": 5_000, "currency": "USD",
    }  # fmt: skip
    await market.hear(OfferingPublished(version=3, published=True, **offering))
    assert await found(market) == ["Grace"]
    await market.hear(OfferingWithdrawn(version=2, published=False, **offering))
    assert await found(market) == ["Grace"]
    await market.hear(OfferingWithdrawn(version=4, published=False, **offering))
    assert await found(market) == []
    await market.hear(OfferingSnapshot(version=5, published=True, **offering))
    _, page = await market.call("GET", "/v1/mentors")
    assert page["items"][0]["from_price"] == {"price_minor": 5_000, "currency": "USD"}
    await market.offer(mentor, price=4_000)
    _, shown = await market.call("GET", f"/v1/mentors/{mentor.person_id}")
    assert shown["from_price"] == {"price_minor": 4_000, "currency": "USD"}
    assert shown["story"] == "Years of practice."
    path = f"/v1/operator/mentors/{mentor.person_id}/suspend"
    await market.call("POST", path, as_=operator, json={})
    assert await found(market) == []
    for path in ("", "/reviews"):
        status, _ = await market.call("GET", f"/v1/mentors/{mentor.person_id}{path}")
        assert status == 404


async def test_pages_show_everybody_once(market: Marketplace, operator: Person) -> None:
    """Equal scores are told apart by the id, so that nobody is skipped or shown twice."""
    made = [await market.mentor(operator, f"Mentor {n}", price=1_000 * (n // 2)) for n in range(5)]
    for sort, text in (("relevance", "python"), ("rating", ""), ("price", "")):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            params = {"sort": sort, "limit": "2", "q": text} | cursor
            _, page = await market.call("GET", "/v1/mentors", params=params)
            seen += [item["person_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)) == len(made)
        assert set(seen) == {str(mentor.person_id) for mentor in made}


CROWD = 20_000
PEOPLE = """
INSERT INTO people (person_id, email, name, locale, zone, wants, password_hash, verified,
                    mentor_state, version, contact_version, message_version, registered_at)
SELECT gen_random_uuid(), n || '@mentorium.test', 'Mentor ' || n, 'en', 'UTC', 'mentor', '', true,
       'approved', 1, 1, 1, now()
FROM generate_series(1, $1::int) AS n
"""
PROFILES = """
INSERT INTO mentor_profiles (person_id, headline, story, expertise, languages, industries, years,
                             version, rating_mean)
SELECT person_id, '', '', ARRAY['python'], ARRAY['en'], '{}', 1, 1,
       CASE WHEN random() < 0.5 THEN 4.0 ELSE 3 + 2 * random() END
FROM people
"""
OFFERINGS = """
INSERT INTO offerings (offering_id, mentor_id, price_minor, currency, published, version)
SELECT gen_random_uuid(), person_id, 100, 'USD', true, 1 FROM people
"""
ANALYSE = "ANALYZE people, mentor_profiles, offerings"
ROWS_OF_A_PAGE = 21


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_of_the_best_costs_the_same_among_many(own: Database, plans: str) -> None:
    """A search without words reads one page of an index and sorts nobody.

    So on the first page and deep inside of the many who have the same mean.
    """
    conn = await asyncpg.connect(own.superuser_url, server_settings={"search_path": "profiles"})
    try:
        for statement in (PEOPLE, PROFILES, OFFERINGS):
            await conn.execute(statement, *([CROWD] if statement is PEOPLE else []))
        await conn.execute(ANALYSE)
        await conn.execute(f"SET plan_cache_mode = {plans}")
        for after in (BEFORE_THE_BEST, (4.0, UUID("80000000-0000-0000-0000-000000000000"))):
            explained = await conn.fetchval(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {FIND_BEST}",
                None, None, None, None, None, *after, ROWS_OF_A_PAGE,
            )  # fmt: skip
            plan = json.loads(explained)[0]["Plan"]
            nodes = list(_nodes(plan))
            assert plan["Actual Rows"] == ROWS_OF_A_PAGE
            assert "mentor_profiles_best" in [node.get("Index Name") for node in nodes]
            read = [node for node in nodes if node.get("Relation Name") == "mentor_profiles"]
            assert [node["Actual Rows"] for node in read] == [ROWS_OF_A_PAGE], explained
    finally:
        await conn.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


async def test_a_new_name_is_found(market: Marketplace, operator: Person) -> None:
    """The account's name is part of what is searched."""
    mentor = await market.mentor(operator, "Grace")
    body = {"name": "Amelia", "locale": "en", "zone": "UTC"}
    await market.call("PUT", "/v1/me", as_=mentor, version=1, json=body)
    assert await found(market, q="amelia") == ["Amelia"]
    assert await found(market, q="grace") == []


async def test_a_bad_search_is_refused(market: Marketplace) -> None:
    """Unknown parameters, repeated ones, and cursors of our own making."""
    for query in (
        "colour=red", "sort=money", "limit=0", "limit=101", "limit=x", "q=a&q=b",
        "price_max_minor=-1", "currency=usd", "language=English", f"q={'x' * 201}",
    ):  # fmt: skip
        status, refused = await market.call("GET", f"/v1/mentors?{query}")
        assert (status, refused["code"]) == (422, "shape_invalid"), query
    for cursor in ("nonsense", "WyJhIl0=", "WyIxIiwgIjIiXQ==", "e30="):
        status, refused = await market.call("GET", f"/v1/mentors?cursor={cursor}")
        assert (status, refused["code"]) == (422, "cursor_invalid"), cursor


async def test_the_expertise_tree_hangs_together(market: Marketplace) -> None:
    """Every tag has a known parent or none, and fields come first."""
    _, tree = await market.call("GET", "/v1/expertise")
    seen: set[str] = set()
    for tag in tree["items"]:
        assert tag["parent"] is None or tag["parent"] in seen
        seen.add(tag["slug"])
    assert {"python", "engineering-leadership", "career-change"} <= seen


words = st.text("abcdefgh", min_size=1, max_size=9)


@given(words, words)
def test_edits_are_a_distance(one: str, other: str) -> None:
    """Zero for the same word alone, the same both ways, never more than the longer word."""
    assert (edits(one, other) == 0) == (one == other)
    assert edits(one, other) == edits(other, one)
    assert abs(len(one) - len(other)) <= edits(one, other) <= max(len(one), len(other))


@given(st.text("abcdefgh", min_size=2, max_size=9), st.data())
def test_a_swap_of_neighbours_is_one_edit(word: str, data: st.DataObject) -> None:
    """As typing goes wrong most often."""
    at = data.draw(st.integers(0, len(word) - 2))
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    assert edits(word, swapped) <= 1


@pytest.mark.parametrize(
    ("word", "known", "wanted"),
    [
        ("pyhton", ["python", "photon"], ["python"]),
        ("python", ["python", "pythons"], []),
        ("cat", ["car"], []),
        ("leadreshpi", ["leadership"], ["leadership"]),
    ],
)
def test_what_a_word_may_have_meant(word: str, known: list[str], wanted: list[str]) -> None:
    """A known word means itself, a short one is not guessed at, a long one has two mistakes."""
    assert meant(word, known) == wanted


@given(st.text(max_size=200))
@example("\U0001d4d0")  # A capital letter that has no small one of its own.
def test_any_text_becomes_a_safe_query(text: str) -> None:
    """Only letters and digits stand between the quotes."""
    asked = words_of(text)
    assert all(word.isalnum() and word == fold(word) for word in asked)
    assert tsquery(asked, {}).count("'") == 2 * len(asked)
