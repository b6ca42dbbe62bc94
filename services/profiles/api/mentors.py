"""What everybody may see: the expertise tree, search, mentors and their reviews."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from pydantic import Field, StringConstraints

from services.profiles.api.front import Language, MeanRating, Price, Slug, api
from services.profiles.domain import search as words
from services.profiles.domain.mentors import plain_mean
from services.profiles.store import mentors as store
from services.profiles.store import reviews, search
from services.profiles.store.search import Wanted
from shared.contracts.common import CurrencyCode
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId
from shared.money import MAX_MINOR_OF_ALL
from shared.web import ANYONE, Call, Page, PageQuery, View
from shared.web.shapes import CursorInvalid, instant_in_cursor

RATINGS = range(1, 6)
FREE_WITHIN_DAYS_LONGEST = 400
LATEST_EPOCH_SECONDS = 1e11


class ExpertiseView(View):
    """A tag of the curated tree."""

    slug: str
    name: str
    parent: str | None = None
    synonyms: list[str]


class ExpertiseListView(View):
    """The whole tree, fields first."""

    items: list[ExpertiseView]


class SearchQuery(PageQuery):
    """What a search asks for; prices compare within one currency, so give it as well.

    Sorted by `soonest` are those who have a free start, the soonest first.
    """

    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    expertise: Slug | None = None
    language: Language | None = None
    price_max_minor: Annotated[int, Field(ge=0, le=MAX_MINOR_OF_ALL)] | None = None
    currency: CurrencyCode | None = None
    free_within_days: Annotated[int, Field(ge=1, le=FREE_WITHIN_DAYS_LONGEST)] | None = None
    sort: Literal["relevance", "rating", "price", "soonest"] = "relevance"


class MentorCard(View):
    """A mentor in a list; `expertise` are slugs, `from_price` the cheapest that was asked for.

    `next_free_at` is the first start over all offerings that can be booked, in UTC.
    """

    person_id: UUID
    name: str
    zone: str
    headline: str
    expertise: list[str]
    languages: list[str]
    rating: MeanRating
    from_price: Price | None
    next_free_at: datetime | None


class MentorView(MentorCard):
    """A mentor in full; `ratings` counts the published reviews by stars."""

    story: str
    years: int
    industries: list[str]
    ratings: dict[str, int]


class PublicReview(View):
    """What a mentee wrote, once it is published."""

    session_id: UUID
    author_name: str
    rating: int
    text: str
    sub_scores: dict[str, int]
    published_at: datetime


@api.get("/v1/expertise", may=ANYONE)
async def expertise(call: Call, conn: Connection) -> ExpertiseListView:
    """Show what one can be mentored in."""
    tags = await store.expertise(conn)
    return ExpertiseListView(
        items=[
            ExpertiseView(slug=t.slug, name=t.name, parent=t.parent, synonyms=t.synonyms)
            for t in tags
        ]
    )


@api.get("/v1/mentors", may=ANYONE)
async def find_mentors(query: SearchQuery, call: Call, conn: Connection) -> Page[MentorCard]:
    """Find mentors who are approved and have something to book."""
    asked = words.asked_words(query.q)
    near = await search.near_words(conn, asked) if asked else {}
    corrections = {word: words.meant(word, near.get(word, ())) for word in asked}
    wanted = Wanted(
        tsquery=words.tsquery(asked, corrections),
        expertise=query.expertise,
        language=query.language,
        price_max_minor=query.price_max_minor,
        currency=query.currency,
        free_before=_free_before(query, call.now),
        sort=query.sort,
        after=_after(query),
        at_most=query.limit + 1,
    )
    found = await search.find_mentors(conn, wanted)
    page, last = found[: query.limit], found[query.limit - 1] if len(found) > query.limit else None
    return Page(
        items=[_card(row) for row in page],
        next_cursor=Page.cursor(repr(last["score"]), last["person_id"]) if last else None,
    )


def _free_before(query: SearchQuery, now: datetime) -> datetime | None:
    days = query.free_within_days
    return None if days is None else now + timedelta(days=days)


def _after(query: SearchQuery) -> tuple[float, UUID] | None:
    values = query.after()
    if not values:
        return None
    try:
        last, person_id = values
        score = float(last)
        # Sorted by the soonest it becomes an instant; NaN is not less than anything.
        if query.sort == "soonest" and not abs(score) < LATEST_EPOCH_SECONDS:
            raise CursorInvalid
        return score, UUID(person_id)
    except ValueError:
        raise CursorInvalid from None


def _card(row: asyncpg.Record) -> MentorCard:
    price = row["price_minor"]
    return MentorCard(
        person_id=row["person_id"],
        name=row["name"],
        zone=row["zone"],
        headline=row["headline"],
        expertise=row["expertise"],
        languages=row["languages"],
        rating=_rating(row["rating_mean"], row["rating_count"]),
        from_price=None if price is None else Price(price_minor=price, currency=row["currency"]),
        next_free_at=row["next_free_at"],
    )


def _rating(held_back: float, count: int) -> MeanRating:
    mean = plain_mean(held_back, count)
    return MeanRating(mean=None if mean is None else round(mean, 2), count=count)


@api.get("/v1/mentors/{person_id}", may=ANYONE)
async def mentor(person_id: UUID, call: Call, conn: Connection) -> MentorView:
    """Show an approved mentor."""
    row = await store.public_mentor(conn, person_id)
    if row is None:
        raise NotFound
    counts = await reviews.ratings_of_mentor(conn, PersonId(person_id))
    return MentorView(
        **_card(row).model_dump(),
        story=row["story"],
        years=row["years"],
        industries=row["industries"],
        ratings={str(stars): counts.get(stars, 0) for stars in RATINGS},
    )


@api.get("/v1/mentors/{person_id}/reviews", may=ANYONE)
async def mentor_reviews(
    person_id: UUID, query: PageQuery, call: Call, conn: Connection
) -> Page[PublicReview]:
    """Show the published reviews of a mentor, the latest first."""
    if await store.public_mentor(conn, person_id) is None:
        raise NotFound
    found = await reviews.reviews_of_mentor(conn, person_id, _reviews_after(query), query.limit + 1)
    page, last = found[: query.limit], found[query.limit - 1] if len(found) > query.limit else None
    return Page(
        items=[_public(row) for row in page],
        next_cursor=Page.cursor(last["published_at"], last["session_id"]) if last else None,
    )


def _public(row: asyncpg.Record) -> PublicReview:
    return PublicReview(
        session_id=row["session_id"],
        author_name=row["author_name"],
        rating=row["rating"],
        text=row["text"],
        sub_scores=row["sub_scores"],
        published_at=row["published_at"],
    )


def _reviews_after(query: PageQuery) -> tuple[datetime, UUID] | None:
    values = query.after()
    if not values:
        return None
    try:
        at, session_id = values
        return instant_in_cursor(at), UUID(session_id)
    except ValueError:
        raise CursorInvalid from None
