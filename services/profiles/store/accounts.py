"""SQL of people and of the links that are mailed to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.profiles.domain.accounts import Link, Person
from shared.clock import BusinessInstant, SystemInstant
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId

ADD_PERSON = """
INSERT INTO people (person_id, email, name, locale, zone, wants, password_hash, verified,
                    mentor_state, version, contact_version, message_version, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (email) DO NOTHING
RETURNING person_id
"""
SAVE_PERSON = """
UPDATE people
SET name = $2, locale = $3, zone = $4, wants = $5, password_hash = $6, verified = $7,
    mentor_state = $8, version = $9, contact_version = $10, message_version = $11
WHERE person_id = $1
"""
PERSON = """
SELECT person_id, email, name, locale, zone, wants, password_hash, verified, mentor_state, version,
       contact_version, message_version
FROM people WHERE person_id = $1
"""
LOCK_PERSON = """
SELECT person_id, email, name, locale, zone, wants, password_hash, verified, mentor_state, version,
       contact_version, message_version
FROM people WHERE person_id = $1 FOR UPDATE
"""
PERSON_BY_EMAIL = """
SELECT person_id, email, name, locale, zone, wants, password_hash, verified, mentor_state, version,
       contact_version, message_version
FROM people WHERE email = $1
"""
LOCK_PERSON_BY_EMAIL = """
SELECT person_id, email, name, locale, zone, wants, password_hash, verified, mentor_state, version,
       contact_version, message_version
FROM people WHERE email = $1 FOR UPDATE
"""
LOCK_PEOPLE_AFTER = """
SELECT person_id, email, name, locale, zone, wants, password_hash, verified, mentor_state, version,
       contact_version, message_version
FROM people WHERE $1::uuid IS NULL OR person_id > $1 ORDER BY person_id LIMIT $2 FOR UPDATE
"""
NAMES = "SELECT person_id, name FROM people WHERE person_id = ANY($1::uuid[]) ORDER BY person_id"
ADD_LINK = """
INSERT INTO links (token_hash, person_id, kind, password_hash, sent_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
LINKS_SINCE = "SELECT count(*) FROM links WHERE person_id = $1 AND sent_at > $2"
LOCK_LINK = """
SELECT person_id, kind, password_hash, expires_at, used_at
FROM links WHERE token_hash = $1 AND kind = $2 FOR UPDATE
"""
LINK = """
SELECT person_id, kind, password_hash, expires_at, used_at
FROM links WHERE token_hash = $1 AND kind = $2
"""
USE_LINKS = """
UPDATE links SET used_at = $3
WHERE person_id = $1 AND kind = $2 AND used_at IS NULL
"""
PRUNE_LINKS = """
DELETE FROM links WHERE token_hash IN (
    SELECT token_hash FROM links WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


async def add_person(conn: Connection, person: Person, now: BusinessInstant) -> bool:
    """Add a person; return False when somebody has the address already."""
    added = await conn.fetchval(
        ADD_PERSON,
        person.person_id,
        person.email,
        person.name,
        person.locale,
        person.zone,
        person.wants,
        person.password_hash,
        person.verified,
        person.mentor_state,
        person.version,
        person.contact_version,
        person.message_version,
        now,
    )
    return added is not None


async def save_person(conn: Connection, person: Person) -> None:
    """Write a person back, whose row the transaction has locked."""
    await conn.execute(
        SAVE_PERSON,
        person.person_id,
        person.name,
        person.locale,
        person.zone,
        person.wants,
        person.password_hash,
        person.verified,
        person.mentor_state,
        person.version,
        person.contact_version,
        person.message_version,
    )


async def person(conn: Connection, person_id: UUID) -> Person:
    """Return a person; raises `NotFound`."""
    return _found(await conn.fetchrow(PERSON, person_id))


async def lock_person(conn: Connection, person_id: UUID) -> Person:
    """Return a person, whose facts nobody else can announce meanwhile; raises `NotFound`."""
    return _found(await conn.fetchrow(LOCK_PERSON, person_id))


async def person_by_email(conn: Connection, email: str) -> Person | None:
    """Return whoever has an address."""
    row = await conn.fetchrow(PERSON_BY_EMAIL, email)
    return _person(row) if row else None


async def lock_person_by_email(conn: Connection, email: str) -> Person | None:
    """Return whoever has an address, with the row locked."""
    row = await conn.fetchrow(LOCK_PERSON_BY_EMAIL, email)
    return _person(row) if row else None


async def lock_people_after(conn: Connection, after: UUID | None, at_most: int) -> Sequence[Person]:
    """Return the next people in the order of their ids, with their rows locked."""
    return [_person(row) for row in await conn.fetch(LOCK_PEOPLE_AFTER, after, at_most)]


async def names(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return display names by id; unknown ids are left out."""
    return {row["person_id"]: row["name"] for row in await conn.fetch(NAMES, ids)}


async def add_link(conn: Connection, token_hash: bytes, link: Link, sent_at: SystemInstant) -> None:
    """Remember a link that is about to be mailed."""
    await conn.execute(
        ADD_LINK,
        token_hash,
        link.person_id,
        link.kind,
        link.password_hash,
        sent_at,
        link.expires_at,
    )


async def links_since(conn: Connection, person_id: PersonId, since: datetime) -> int:
    """Return how many links were mailed to a person since a system instant."""
    return await conn.fetchval(LINKS_SINCE, person_id, since)


async def link(conn: Connection, token_hash: bytes, kind: str) -> Link | None:
    """Return a link by the hash of its token."""
    row = await conn.fetchrow(LINK, token_hash, kind)
    return Link(**dict(row)) if row else None


async def lock_link(conn: Connection, token_hash: bytes, kind: str) -> Link | None:
    """Return a link by the hash of its token, with its row locked."""
    row = await conn.fetchrow(LOCK_LINK, token_hash, kind)
    return Link(**dict(row)) if row else None


async def use_links(conn: Connection, person_id: PersonId, kind: str, at: SystemInstant) -> None:
    """Mark every link of a kind as used: one of them was."""
    await conn.execute(USE_LINKS, person_id, kind, at)


def _found(row: asyncpg.Record | None) -> Person:
    if row is None:
        raise NotFound
    return _person(row)


def _person(row: asyncpg.Record) -> Person:
    return Person(**dict(row))
