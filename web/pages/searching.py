"""The front page: what this is, for whoever is new; and finding a mentor."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service
from web.routes import Row, open_to_all
from web.shapes import Expertise, MentorCard, Page
from web.visit import Visit

QUERY_LONGEST = 200
MENTORS_PER_PAGE = 12
LANGUAGES = tuple("en es fr de pt it nl pl sv ar hi zh ja ko tr uk".split())
"""Languages to mentor in, by ISO 639 code."""
SORTS = {"relevance": "Best match", "rating": "Best rated", "price": "Lowest price"}


async def search(visit: Visit) -> web.Response:
    """Show the search and what it finds."""
    wanted = {
        "q": visit.query("q")[:QUERY_LONGEST],
        "expertise": visit.query("expertise"),
        "language": visit.query("language") if visit.query("language") in LANGUAGES else "",
        "sort": visit.query("sort") if visit.query("sort") in SORTS else "",
    }
    tree, found = await asyncio.gather(
        expertise(visit),
        visit.try_read(
            Service.PROFILES,
            "/v1/mentors",
            Page[MentorCard],
            **wanted,
            limit=MENTORS_PER_PAGE,
            cursor=visit.query("cursor"),
        ),
    )
    names = {entry.slug: entry.name for entry in tree}
    return visit.page(
        "search.html",
        welcome=visit.session.person is None and not visit.request.query_string,
        wanted=wanted,
        tree=tree,
        names=names,
        found=found,
        sorts=SORTS,
        languages=LANGUAGES,
    )


async def expertise(visit: Visit) -> list[Expertise]:
    """Return the curated tree, or nothing while `profiles` is away."""
    tree = await visit.try_read(Service.PROFILES, "/v1/expertise", Page[Expertise])
    return in_order(tree.items) if tree else []


def in_order(tags: list[Expertise]) -> list[Expertise]:
    """Return the tags with every field followed by what belongs to it."""
    fields = [tag for tag in tags if tag.parent is None]
    return [
        tag
        for field in fields
        for tag in (field, *(each for each in tags if each.parent == field.slug))
    ]


ROUTES: tuple[Row, ...] = (open_to_all("/", search),)
