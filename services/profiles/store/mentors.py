"""SQL of mentor and mentee profiles, of the expertise tree, and of what operators look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.profiles.domain.mentors import MentorProfile, MentorWords
from shared.db import Connection
from shared.ids import PersonId

EXPERTISE = "SELECT slug, name, parent, synonyms FROM expertise ORDER BY parent NULLS FIRST, name"
MENTOR_PROFILE = """
SELECT person_id, headline, story, expertise, languages, industries, years, reason,
       edited_since_approval, submitted_at, version
FROM mentor_profiles WHERE person_id = $1
"""
SAVE_MENTOR_PROFILE = """
INSERT INTO mentor_profiles (person_id, headline, story, expertise, languages, industries, years,
                             reason, edited_since_approval, submitted_at, version, rating_mean)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (person_id) DO UPDATE SET
    headline = $2, story = $3, expertise = $4, languages = $5, industries = $6, years = $7,
    reason = $8, edited_since_approval = $9, submitted_at = $10, version = $11
"""
RATE_MENTOR = """
UPDATE mentor_profiles SET rating_sum = rating_sum + $2, rating_count = rating_count + 1
WHERE person_id = $1
RETURNING rating_sum, rating_count
"""
SET_RATING_MEAN = "UPDATE mentor_profiles SET rating_mean = $2 WHERE person_id = $1"
PUBLIC_MENTOR = """
SELECT m.person_id, p.name, p.zone, m.headline, m.story, m.expertise, m.languages, m.industries,
       m.years, m.rating_mean, m.rating_count, cheapest.price_minor, cheapest.currency,
       free.next_free_at
FROM mentor_profiles AS m
JOIN people AS p USING (person_id)
LEFT JOIN openings AS free ON free.mentor_id = m.person_id
LEFT JOIN LATERAL (
    SELECT o.price_minor, o.currency FROM offerings AS o
    WHERE o.mentor_id = m.person_id AND o.published
    ORDER BY o.price_minor, o.currency LIMIT 1
) AS cheapest ON true
WHERE m.person_id = $1 AND p.mentor_state = 'approved'
"""
VETTING = """
SELECT p.person_id, p.name, p.mentor_state, m.headline, m.expertise, m.edited_since_approval,
       m.submitted_at
FROM people AS p JOIN mentor_profiles AS m USING (person_id)
WHERE ($1::text IS NULL OR p.mentor_state = $1
       OR ($1 = 'submitted' AND p.mentor_state = 'approved' AND m.edited_since_approval))
  AND ($2::uuid IS NULL OR p.person_id > $2)
ORDER BY p.person_id
LIMIT $3
"""
MENTEE_PROFILE = """
SELECT goal, background, ask, version FROM mentee_profiles WHERE person_id = $1 FOR UPDATE
"""
SAVE_MENTEE_PROFILE = """
INSERT INTO mentee_profiles (person_id, goal, background, ask, version)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person_id) DO UPDATE SET goal = $2, background = $3, ask = $4, version = $5
"""
SAVE_OFFERING = """
INSERT INTO offerings AS o (offering_id, mentor_id, price_minor, currency, published, version)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (offering_id) DO UPDATE SET
    mentor_id = $2, price_minor = $3, currency = $4, published = $5, version = $6
WHERE o.version < $6
"""
SAVE_OPENING = """
INSERT INTO openings AS o (mentor_id, next_free_at, version) VALUES ($1, $2, $3)
ON CONFLICT (mentor_id) DO UPDATE SET next_free_at = $2, version = $3
WHERE o.version < $3
"""


@dataclass(frozen=True)
class Expertise:
    """A tag of the curated tree."""

    slug: str
    name: str
    parent: str | None
    synonyms: list[str]


@dataclass(frozen=True)
class MenteeProfile:
    """What a mentee says about themselves; version 0 is an empty one."""

    goal: str = ""
    background: str = ""
    ask: str = ""
    version: int = 0


@dataclass(frozen=True)
class ToVet:
    """A mentor as an operator sees them in the list."""

    person_id: PersonId
    name: str
    mentor_state: str
    headline: str
    expertise: list[str]
    edited_since_approval: bool
    submitted_at: datetime | None


async def expertise(conn: Connection) -> Sequence[Expertise]:
    """Return the whole tree, fields first."""
    return [Expertise(**dict(row)) for row in await conn.fetch(EXPERTISE)]


async def mentor_profile(conn: Connection, person_id: PersonId) -> MentorProfile:
    """Return a mentor's profile, or an empty one; lock the person before a change."""
    row = await conn.fetchrow(MENTOR_PROFILE, person_id)
    if row is None:
        return MentorProfile(person_id)
    words = MentorWords(
        headline=row["headline"],
        story=row["story"],
        expertise=tuple(row["expertise"]),
        languages=tuple(row["languages"]),
        industries=tuple(row["industries"]),
        years=row["years"],
    )
    return MentorProfile(
        person_id=person_id,
        words=words,
        reason=row["reason"],
        edited_since_approval=row["edited_since_approval"],
        submitted_at=row["submitted_at"],
        version=row["version"],
    )


async def save_mentor_profile(
    conn: Connection, profile: MentorProfile, first_rating_mean: float
) -> None:
    """Write a profile; a new one starts with `first_rating_mean`."""
    await conn.execute(
        SAVE_MENTOR_PROFILE,
        profile.person_id,
        profile.words.headline,
        profile.words.story,
        profile.words.expertise,
        profile.words.languages,
        profile.words.industries,
        profile.words.years,
        profile.reason,
        profile.edited_since_approval,
        profile.submitted_at,
        profile.version,
        first_rating_mean,
    )


async def rate_mentor(conn: Connection, mentor_id: PersonId, rating: int) -> tuple[int, int] | None:
    """Count a rating; return sum and number of all, or None for a mentor without a profile."""
    row = await conn.fetchrow(RATE_MENTOR, mentor_id, rating)
    return (row["rating_sum"], row["rating_count"]) if row else None


async def set_rating_mean(conn: Connection, mentor_id: PersonId, mean: float) -> None:
    """Write the mean by which a mentor is ranked."""
    await conn.execute(SET_RATING_MEAN, mentor_id, mean)


async def public_mentor(conn: Connection, person_id: UUID) -> asyncpg.Record | None:
    """Return what everybody may see of an approved mentor."""
    return await conn.fetchrow(PUBLIC_MENTOR, person_id)


async def to_vet(
    conn: Connection, state: str | None, after: UUID | None, at_most: int
) -> Sequence[ToVet]:
    """Return mentors by state; `submitted` includes approved ones with an edit to look at."""
    return [ToVet(**dict(row)) for row in await conn.fetch(VETTING, state, after, at_most)]


async def mentee_profile(conn: Connection, person_id: PersonId) -> MenteeProfile:
    """Return a mentee's profile, an empty one when there is none."""
    row = await conn.fetchrow(MENTEE_PROFILE, person_id)
    return MenteeProfile(**dict(row)) if row else MenteeProfile()


async def save_mentee_profile(
    conn: Connection, person_id: PersonId, profile: MenteeProfile
) -> None:
    """Write a mentee's profile."""
    await conn.execute(
        SAVE_MENTEE_PROFILE,
        person_id,
        profile.goal,
        profile.background,
        profile.ask,
        profile.version,
    )


async def save_offering(
    conn: Connection,
    offering_id: UUID,
    mentor_id: UUID,
    price: tuple[int, str],
    *,
    published: bool,
    version: int,
) -> None:
    """Write an offering for search, unless a later state is known; price: minor units, currency."""
    await conn.execute(SAVE_OFFERING, offering_id, mentor_id, *price, published, version)


async def save_opening(
    conn: Connection, mentor_id: UUID, next_free_at: datetime | None, version: int
) -> None:
    """Write when a mentor is free next, unless a later state is known."""
    await conn.execute(SAVE_OPENING, mentor_id, next_free_at, version)
