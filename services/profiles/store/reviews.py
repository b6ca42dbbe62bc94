"""SQL of reviews and of the cases they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.profiles.domain.reviews import Review, ReviewCase
from shared.db import Connection
from shared.ids import PersonId, SessionId

ADD_CASE = """
INSERT INTO review_cases (session_id, order_id, mentor_id, mentee_id, state, version)
VALUES ($1, $2, $3, $4, 'awaiting', 0)
ON CONFLICT (session_id) DO NOTHING
"""
CASE = """
SELECT session_id, order_id, mentor_id, mentee_id, state, publish_at, published_at, version
FROM review_cases WHERE session_id = $1
"""
LOCK_CASE = """
SELECT session_id, order_id, mentor_id, mentee_id, state, publish_at, published_at, version
FROM review_cases WHERE session_id = $1 FOR UPDATE
"""
SAVE_CASE = """
UPDATE review_cases SET state = $2, publish_at = $3, published_at = $4, version = $5
WHERE session_id = $1
"""
DUE_CASES = """
SELECT session_id FROM review_cases
WHERE state = 'open' AND publish_at <= $1 ORDER BY publish_at, session_id LIMIT $2
"""
REVIEWS = """
SELECT author, rating, text, sub_scores, written_at
FROM reviews WHERE session_id = $1 ORDER BY written_at, author
"""
ADD_REVIEW = """
INSERT INTO reviews (session_id, author, rating, text, sub_scores, written_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
REVIEWS_OF_MENTOR = """
SELECT c.session_id, c.published_at, r.rating, r.text, r.sub_scores, p.name AS author_name
FROM review_cases AS c
JOIN reviews AS r ON r.session_id = c.session_id AND r.author = 'mentee'
JOIN people AS p ON p.person_id = c.mentee_id
WHERE c.mentor_id = $1 AND c.state = 'published'
  AND ($2::timestamptz IS NULL OR (c.published_at, c.session_id) < ($2, $3::uuid))
ORDER BY c.published_at DESC, c.session_id DESC
LIMIT $4
"""
RATINGS_OF_MENTOR = """
SELECT r.rating, count(*) AS reviews
FROM review_cases AS c
JOIN reviews AS r ON r.session_id = c.session_id AND r.author = 'mentee'
WHERE c.mentor_id = $1 AND c.state = 'published'
GROUP BY r.rating
"""


async def add_case(conn: Connection, case: ReviewCase) -> None:
    """Begin a case; one that is there stays."""
    await conn.execute(ADD_CASE, case.session_id, case.order_id, case.mentor_id, case.mentee_id)


async def case(conn: Connection, session_id: UUID) -> ReviewCase | None:
    """Return a case with its reviews."""
    row = await conn.fetchrow(CASE, session_id)
    return await _with_reviews(conn, row) if row else None


async def lock_case(conn: Connection, session_id: UUID) -> ReviewCase | None:
    """Return a case with its reviews, which nobody else can change meanwhile."""
    row = await conn.fetchrow(LOCK_CASE, session_id)
    return await _with_reviews(conn, row) if row else None


async def save_case(conn: Connection, changed: ReviewCase) -> None:
    """Write a case back, whose row the transaction has locked."""
    await conn.execute(
        SAVE_CASE,
        changed.session_id,
        changed.state,
        changed.publish_at,
        changed.published_at,
        changed.version,
    )


async def add_review(conn: Connection, session_id: SessionId, review: Review) -> None:
    """Add one side's review."""
    await conn.execute(
        ADD_REVIEW,
        session_id,
        review.author,
        review.rating,
        review.text,
        review.sub_scores,
        review.written_at,
    )


async def due_cases(conn: Connection, now: datetime, at_most: int) -> Sequence[SessionId]:
    """Return the sessions whose reviews are to be shown, in the order they became due."""
    return [row["session_id"] for row in await conn.fetch(DUE_CASES, now, at_most)]


async def reviews_of_mentor(
    conn: Connection, mentor_id: UUID, after: tuple[datetime, UUID] | None, at_most: int
) -> Sequence[asyncpg.Record]:
    """Return published reviews that mentees wrote about a mentor, the latest first."""
    at, session_id = after or (None, None)
    return await conn.fetch(REVIEWS_OF_MENTOR, mentor_id, at, session_id, at_most)


async def ratings_of_mentor(conn: Connection, mentor_id: PersonId) -> dict[int, int]:
    """Return how often each rating was given to a mentor, in published reviews."""
    found = await conn.fetch(RATINGS_OF_MENTOR, mentor_id)
    return {row["rating"]: row["reviews"] for row in found}


async def _with_reviews(conn: Connection, row: asyncpg.Record) -> ReviewCase:
    found = await conn.fetch(REVIEWS, row["session_id"])
    return ReviewCase(**dict(row), reviews=tuple(Review(**dict(review)) for review in found))
