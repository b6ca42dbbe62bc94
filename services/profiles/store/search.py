"""SQL of search: the words of each mentor, near words, and the one query that finds mentors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.db import Connection

INDEX_MENTOR = """
UPDATE mentor_profiles SET document =
    setweight(to_tsvector('english', $2), 'A') || setweight(to_tsvector('english', $3), 'B')
    || setweight(to_tsvector('english', $4), 'C')
WHERE person_id = $1
"""
ADD_WORDS = """
INSERT INTO search_words (word) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING
"""
NEAR_WORDS = """
SELECT asked.word AS asked, near.word AS near
FROM unnest($1::text[]) AS asked (word)
CROSS JOIN LATERAL (
    SELECT w.word FROM search_words AS w ORDER BY w.word <-> asked.word, w.word LIMIT $2
) AS near
"""
FIND_MENTORS = """
WITH RECURSIVE wanted (slug) AS (
    SELECT e.slug FROM expertise AS e WHERE e.slug = $2::text
    UNION ALL
    SELECT e.slug FROM expertise AS e JOIN wanted AS w ON e.parent = w.slug
),
found AS (
    SELECT m.person_id, p.name, p.zone, m.headline, m.expertise, m.languages, m.rating_mean,
           m.rating_count, cheapest.price_minor, cheapest.currency, free.next_free_at,
           CASE $6::text
               WHEN 'price' THEN -cheapest.price_minor::float8
               WHEN 'soonest' THEN -extract(epoch FROM free.next_free_at)::float8
               WHEN 'rating' THEN m.rating_mean
               -- Weights of D, C, B, A: expertise and story together outweigh a headline.
               ELSE ts_rank('{0.1, 0.4, 0.8, 1.0}', m.document, to_tsquery('english', $1::text))
                    ::float8 * $7::float8 + m.rating_mean
           END AS score
    FROM mentor_profiles AS m
    JOIN people AS p USING (person_id)
    LEFT JOIN openings AS free ON free.mentor_id = m.person_id
    JOIN LATERAL (
        SELECT o.price_minor, o.currency FROM offerings AS o
        WHERE o.mentor_id = m.person_id AND o.published
          AND ($4::bigint IS NULL OR o.price_minor <= $4)
          AND ($5::text IS NULL OR o.currency = $5)
        ORDER BY o.price_minor, o.currency LIMIT 1
    ) AS cheapest ON true
    WHERE p.mentor_state = 'approved'
      AND (numnode(to_tsquery('english', $1::text)) = 0
           OR m.document @@ to_tsquery('english', $1::text))
      AND ($2::text IS NULL OR m.expertise && (SELECT array_agg(w.slug) FROM wanted AS w))
      AND ($3::text IS NULL OR m.languages @> ARRAY[$3::text])
      AND ($11::timestamptz IS NULL OR free.next_free_at < $11)
      AND ($6::text <> 'soonest' OR free.next_free_at IS NOT NULL)
)
SELECT person_id, name, zone, headline, expertise, languages, rating_mean, rating_count,
       price_minor, currency, next_free_at, score
FROM found
WHERE $8::float8 IS NULL OR score < $8 OR (score = $8 AND person_id > $9::uuid)
ORDER BY score DESC, person_id
LIMIT $10
"""
FIND_BEST = """
WITH RECURSIVE wanted (slug) AS (
    SELECT e.slug FROM expertise AS e WHERE e.slug = $1::text
    UNION ALL
    SELECT e.slug FROM expertise AS e JOIN wanted AS w ON e.parent = w.slug
)
SELECT m.person_id, p.name, p.zone, m.headline, m.expertise, m.languages, m.rating_mean,
       m.rating_count, cheapest.price_minor, cheapest.currency, free.next_free_at,
       m.rating_mean AS score
FROM mentor_profiles AS m
JOIN people AS p USING (person_id)
LEFT JOIN openings AS free ON free.mentor_id = m.person_id
JOIN LATERAL (
    SELECT o.price_minor, o.currency FROM offerings AS o
    WHERE o.mentor_id = m.person_id AND o.published
      AND ($3::bigint IS NULL OR o.price_minor <= $3)
      AND ($4::text IS NULL OR o.currency = $4)
    ORDER BY o.price_minor, o.currency LIMIT 1
) AS cheapest ON true
WHERE p.mentor_state = 'approved'
  AND ($1::text IS NULL OR m.expertise && (SELECT array_agg(w.slug) FROM wanted AS w))
  AND ($2::text IS NULL OR m.languages @> ARRAY[$2::text])
  AND ($5::timestamptz IS NULL OR free.next_free_at < $5)
  AND (- m.rating_mean, m.person_id) > (- $6::float8, $7::uuid)
ORDER BY - m.rating_mean, m.person_id
LIMIT $8
"""
"""The search without words, in the order of an index: a page costs the same among many."""
FIND_SOONEST = """
WITH RECURSIVE wanted (slug) AS (
    SELECT e.slug FROM expertise AS e WHERE e.slug = $1::text
    UNION ALL
    SELECT e.slug FROM expertise AS e JOIN wanted AS w ON e.parent = w.slug
)
SELECT m.person_id, p.name, p.zone, m.headline, m.expertise, m.languages, m.rating_mean,
       m.rating_count, cheapest.price_minor, cheapest.currency, free.next_free_at,
       -extract(epoch FROM free.next_free_at)::float8 AS score
FROM openings AS free
JOIN mentor_profiles AS m ON m.person_id = free.mentor_id
JOIN people AS p USING (person_id)
JOIN LATERAL (
    SELECT o.price_minor, o.currency FROM offerings AS o
    WHERE o.mentor_id = m.person_id AND o.published
      AND ($3::bigint IS NULL OR o.price_minor <= $3)
      AND ($4::text IS NULL OR o.currency = $4)
    ORDER BY o.price_minor, o.currency LIMIT 1
) AS cheapest ON true
WHERE p.mentor_state = 'approved'
  AND ($1::text IS NULL OR m.expertise && (SELECT array_agg(w.slug) FROM wanted AS w))
  AND ($2::text IS NULL OR m.languages @> ARRAY[$2::text])
  AND free.next_free_at < COALESCE($5::timestamptz, 'infinity')
  AND (free.next_free_at, free.mentor_id) > (to_timestamp(- $6::float8), $7::uuid)
ORDER BY free.next_free_at, free.mentor_id
LIMIT $8
"""
"""The same in the order in which mentors are free."""
BEFORE_THE_BEST = (float("inf"), UUID(int=0))
RELEVANCE_WEIGHT = 50.0
"""How much a match of words counts against a point of rating (a rank lies between 0 and 1)."""
NEAR_WORDS_LOOKED_AT = 30


@dataclass(frozen=True)
class Wanted:
    """What a search asks for; `tsquery` may be empty, prices are in minor units."""

    tsquery: str
    expertise: str | None
    language: str | None
    price_max_minor: int | None
    currency: str | None
    free_before: datetime | None
    sort: str
    after: tuple[float, UUID] | None
    at_most: int


async def index_mentor(
    conn: Connection, person_id: UUID, texts: tuple[str, str, str], words: Sequence[str]
) -> None:
    """Make a mentor findable by three texts, the weightiest first, and remember their words."""
    await conn.execute(INDEX_MENTOR, person_id, *texts)
    await conn.execute(ADD_WORDS, words)


async def near_words(conn: Connection, words: Sequence[str]) -> dict[str, list[str]]:
    """Return for each word the known ones that look most like it."""
    near: dict[str, list[str]] = {}
    for row in await conn.fetch(NEAR_WORDS, words, NEAR_WORDS_LOOKED_AT):
        near.setdefault(row["asked"], []).append(row["near"])
    return near


async def find_mentors(conn: Connection, wanted: Wanted) -> Sequence[asyncpg.Record]:
    """Return the next mentors that are asked for, best first."""
    if not wanted.tsquery and wanted.sort != "price":
        return await _find_without_words(conn, wanted)
    score, person_id = wanted.after or (None, None)
    return await conn.fetch(
        FIND_MENTORS,
        wanted.tsquery,
        wanted.expertise,
        wanted.language,
        wanted.price_max_minor,
        wanted.currency,
        wanted.sort,
        RELEVANCE_WEIGHT,
        score,
        person_id,
        wanted.at_most,
        wanted.free_before,
    )


async def _find_without_words(conn: Connection, wanted: Wanted) -> Sequence[asyncpg.Record]:
    return await conn.fetch(
        FIND_SOONEST if wanted.sort == "soonest" else FIND_BEST,
        wanted.expertise,
        wanted.language,
        wanted.price_max_minor,
        wanted.currency,
        wanted.free_before,
        *(wanted.after or BEFORE_THE_BEST),
        wanted.at_most,
    )
