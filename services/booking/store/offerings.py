"""Offerings."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.booking.domain.offerings import (
    Offering,
    OfferingContent,
    OfferingState,
    Question,
)
from services.booking.slots import Caps
from shared.db import Connection
from shared.ids import OfferingId, PersonId

INSERT_OFFERING = """
INSERT INTO offerings (
    offering_id, mentor_id, state, revision, version, title, description, minutes, price_minor,
    currency, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes, horizon_days,
    cancellation_preset, by_request, daily_cap, weekly_cap, questions
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
)
"""
UPDATE_OFFERING = """
UPDATE offerings SET
    state = $2, revision = $3, version = $4, title = $5, description = $6, minutes = $7,
    price_minor = $8, currency = $9, buffer_before_minutes = $10, buffer_after_minutes = $11,
    minimum_notice_minutes = $12, horizon_days = $13, cancellation_preset = $14,
    by_request = $15, daily_cap = $16, weekly_cap = $17, questions = $18
WHERE offering_id = $1
"""
READ_OFFERINGS = """
SELECT offering_id, mentor_id, state, revision, version, title, description, minutes, price_minor,
       currency, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes, horizon_days,
       cancellation_preset, by_request, daily_cap, weekly_cap, questions
FROM offerings
WHERE offering_id = ANY($1::uuid[])
ORDER BY offering_id
"""
LOCK_OFFERING = "SELECT offering_id FROM offerings WHERE offering_id = $1 FOR UPDATE"
LIST_OF_MENTOR = """
SELECT offering_id FROM offerings
WHERE mentor_id = $1 AND ($2::uuid IS NULL OR offering_id > $2)
ORDER BY offering_id
LIMIT $3
"""
LIST_FOR_SALE = """
SELECT o.offering_id
FROM offerings AS o
INNER JOIN people AS p ON p.person_id = o.mentor_id
WHERE o.mentor_id = $1 AND o.state = 'published' AND p.mentor_state = 'approved'
  AND ($2::uuid IS NULL OR o.offering_id > $2)
ORDER BY o.offering_id
LIMIT $3
"""
LIST_TOLD = """
SELECT offering_id FROM offerings
WHERE version > 0 AND ($1::uuid IS NULL OR offering_id > $1)
ORDER BY offering_id
LIMIT $2
"""
LOCK_CAPS = """
SELECT daily_cap, weekly_cap FROM offerings
WHERE offering_id = $1 AND (daily_cap IS NOT NULL OR weekly_cap IS NOT NULL)
FOR NO KEY UPDATE
"""

TAKE_TURN_FOR_CURRENCY = (
    "SELECT pg_advisory_xact_lock(hashtextextended('booking:currency:' || ($1::uuid)::text, 0))"
)
CURRENCY_OF = """
SELECT COALESCE(
    (SELECT currency FROM mentor_currencies WHERE mentor_id = $1),
    (SELECT currency FROM offerings WHERE mentor_id = $1 AND offering_id <> $2
     ORDER BY offering_id LIMIT 1)
)
"""
SETTLE_CURRENCY = """
INSERT INTO mentor_currencies AS m (mentor_id, currency) VALUES ($1, $2)
ON CONFLICT (mentor_id) DO UPDATE SET currency = m.currency
RETURNING currency
"""


async def insert_offering(conn: Connection, offering: Offering) -> None:
    """Keep a new offering."""
    await conn.execute(
        INSERT_OFFERING,
        offering.offering_id,
        offering.mentor_id,
        offering.state.value,
        offering.revision,
        offering.version,
        *_content(offering),
    )


async def update_offering(conn: Connection, offering: Offering) -> None:
    """Keep an offering that was locked and changed."""
    await conn.execute(
        UPDATE_OFFERING,
        offering.offering_id,
        offering.state.value,
        offering.revision,
        offering.version,
        *_content(offering),
    )


async def take_turn_for_currency(conn: Connection, mentor_id: PersonId) -> None:
    """Wait until nobody else prices something of this mentor's."""
    await conn.execute(TAKE_TURN_FOR_CURRENCY, mentor_id)


async def currency_of(conn: Connection, mentor_id: PersonId, besides: OfferingId) -> str | None:
    """Return the currency of what a mentor sells, or drafted, besides one offering."""
    return await conn.fetchval(CURRENCY_OF, mentor_id, besides)


async def settle_currency(conn: Connection, mentor_id: PersonId, currency: str) -> str:
    """Return the currency that a mentor is settled in, which is this one if there was none."""
    return await conn.fetchval(SETTLE_CURRENCY, mentor_id, currency)


async def read_offering(conn: Connection, offering_id: OfferingId) -> Offering | None:
    """Return an offering."""
    rows = await conn.fetch(READ_OFFERINGS, [offering_id])
    return _offering(rows[0]) if rows else None


async def lock_offering(conn: Connection, offering_id: OfferingId) -> Offering | None:
    """Return an offering that nobody else changes until this transaction ends."""
    if await conn.fetchval(LOCK_OFFERING, offering_id) is None:
        return None
    return await read_offering(conn, offering_id)


async def list_of_mentor(
    conn: Connection, mentor_id: PersonId, after: UUID | None, limit: int
) -> list[Offering]:
    """Return all offerings of a mentor, oldest first."""
    return await _read_all(conn, await conn.fetch(LIST_OF_MENTOR, mentor_id, after, limit))


async def list_for_sale(
    conn: Connection, mentor_id: PersonId, after: UUID | None, limit: int
) -> list[Offering]:
    """Return what a mentor who takes new sessions sells now, oldest first."""
    return await _read_all(conn, await conn.fetch(LIST_FOR_SALE, mentor_id, after, limit))


async def list_told(conn: Connection, after: UUID | None, limit: int) -> list[OfferingId]:
    """Return the ids of offerings that others have heard of, in the order of ids."""
    rows = await conn.fetch(LIST_TOLD, after, limit)
    return [OfferingId(row["offering_id"]) for row in rows]


async def lock_caps(conn: Connection, offering_id: OfferingId) -> Caps | None:
    """Return the caps of an offering that has any, which until the end nobody else may use up."""
    row = await conn.fetchrow(LOCK_CAPS, offering_id)
    return Caps(row["daily_cap"], row["weekly_cap"]) if row else None


async def _read_all(conn: Connection, found: Sequence[asyncpg.Record]) -> list[Offering]:
    rows = await conn.fetch(READ_OFFERINGS, [row["offering_id"] for row in found])
    return [_offering(row) for row in rows]


def _content(offering: Offering) -> tuple[object, ...]:
    content = offering.content
    return (
        content.title,
        content.description,
        content.minutes,
        content.price_minor,
        content.currency,
        content.buffer_before_minutes,
        content.buffer_after_minutes,
        content.minimum_notice_minutes,
        content.horizon_days,
        content.cancellation_preset,
        content.by_request,
        content.daily_cap,
        content.weekly_cap,
        [[question.text, question.required] for question in content.questions],
    )


def _offering(row: asyncpg.Record) -> Offering:
    return Offering(
        offering_id=OfferingId(row["offering_id"]),
        mentor_id=PersonId(row["mentor_id"]),
        state=OfferingState(row["state"]),
        revision=row["revision"],
        version=row["version"],
        content=OfferingContent(
            title=row["title"],
            description=row["description"],
            minutes=row["minutes"],
            price_minor=row["price_minor"],
            currency=row["currency"],
            buffer_before_minutes=row["buffer_before_minutes"],
            buffer_after_minutes=row["buffer_after_minutes"],
            minimum_notice_minutes=row["minimum_notice_minutes"],
            horizon_days=row["horizon_days"],
            cancellation_preset=row["cancellation_preset"],
            by_request=row["by_request"],
            daily_cap=row["daily_cap"],
            weekly_cap=row["weekly_cap"],
            questions=tuple(Question(*asked) for asked in row["questions"]),
        ),
    )
