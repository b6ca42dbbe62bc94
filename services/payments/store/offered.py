"""SQL for what mentors sell, and for whether anybody can book it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.offered import Offered
from shared.db import Connection
from shared.money import Money

SAVE_OFFERED = """
INSERT INTO offered AS o (offering_id, mentor_id, title, minutes, price_minor, currency, published,
    version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (offering_id) DO UPDATE SET title = excluded.title, minutes = excluded.minutes,
    price_minor = excluded.price_minor, currency = excluded.currency,
    published = excluded.published, version = excluded.version
WHERE o.version < excluded.version
"""
_OFFERED = """
SELECT offering_id, mentor_id, title, minutes, price_minor, currency, published, version,
    unbookable_since
FROM offered
"""
OFFERED = f"{_OFFERED} WHERE offering_id = $1"
OFFERED_BY = f"{_OFFERED} WHERE mentor_id = $1"
TAKE_TURN = """
INSERT INTO standings AS s (mentor_id) VALUES ($1)
ON CONFLICT (mentor_id) DO UPDATE SET mentor_id = s.mentor_id
"""
"""The row is locked by this, also where it was there."""
NOTE_STANDING = """
UPDATE standings SET version = $2, approved = $3 WHERE mentor_id = $1 AND version < $2
"""
NOTE_ERASED = "UPDATE standings SET erased = true WHERE mentor_id = $1"
_TURNED = """
(unbookable_since IS NOT NULL) = (
    published AND currency = ANY({settled}) AND NOT EXISTS (
        SELECT FROM standings AS s
        WHERE s.mentor_id = offered.mentor_id AND (NOT s.approved OR s.erased)
    )
)
"""
TURNED = f"""
{_OFFERED} WHERE mentor_id = $1 AND {_TURNED.format(settled="$2::text[]")} ORDER BY offering_id
"""
NEXT_TURNED = f"""
{_OFFERED} WHERE {_TURNED.format(settled="$1::text[]")} LIMIT 1
"""
MARK = "UPDATE offered SET unbookable_since = $2 WHERE offering_id = $1"
LOOK_AT_PLANS = """
UPDATE subscriptions SET look_at = $2
WHERE state NOT IN ('closed', 'ended')
    AND (plan_id IN (SELECT plan_id FROM plans WHERE offering_id = $1)
        OR wish_plan_id IN (SELECT plan_id FROM plans WHERE offering_id = $1))
"""
CLOSE_PAGES = """
UPDATE orders SET close_at = LEAST(close_at, $2)
WHERE state IN ('being_prepared', 'open')
    AND order_id IN (SELECT purchase_id FROM lots WHERE offering_id = $1 AND expires_at IS NULL)
"""


async def take_turn(conn: Connection, mentor_id: UUID) -> None:
    """Wait until nobody else hears of this mentor; who is not known yet may take sessions."""
    await conn.execute(TAKE_TURN, mentor_id)


async def note_standing(conn: Connection, mentor_id: UUID, version: int, *, approved: bool) -> None:
    """Keep whether a mentor may take new sessions, unless something newer is known."""
    await conn.execute(NOTE_STANDING, mentor_id, version, approved)


async def note_erased(conn: Connection, mentor_id: UUID) -> None:
    """Keep that somebody is gone for good."""
    await conn.execute(NOTE_ERASED, mentor_id)


async def save_offered(conn: Connection, offered: Offered) -> None:
    """Store what a mentor sells, unless a later state is known."""
    await conn.execute(
        SAVE_OFFERED,
        offered.offering_id,
        offered.mentor_id,
        offered.title,
        offered.minutes,
        offered.price.minor,
        offered.price.currency,
        offered.published,
        offered.version,
    )


async def load_offered(conn: Connection, offering_id: UUID) -> Offered | None:
    """Return an offering as booking told it last."""
    row = await conn.fetchrow(OFFERED, offering_id)
    return _offered(row) if row else None


async def offered_by(conn: Connection, mentor_id: UUID) -> dict[UUID, Offered]:
    """Return the offerings of a mentor by id."""
    found = _all(await conn.fetch(OFFERED_BY, mentor_id))
    return {each.offering_id: each for each in found}


async def turned(conn: Connection, mentor_id: UUID, settled: Collection[str]) -> list[Offered]:
    """Return the offerings of a mentor that can be booked and are not known so, or the reverse."""
    return _all(await conn.fetch(TURNED, mentor_id, list(settled)))


async def next_turned(conn: Connection, settled: Collection[str]) -> UUID | None:
    """Return a mentor who has such offerings: facts leave none, another list of currencies does."""
    row = await conn.fetchrow(NEXT_TURNED, list(settled))
    return row["mentor_id"] if row else None


async def mark(conn: Connection, offering_id: UUID, unbookable_since: datetime | None) -> None:
    """Keep since when an offering cannot be booked, or that it can."""
    await conn.execute(MARK, offering_id, unbookable_since)


async def look_at_plans(conn: Connection, offering_id: UUID, at: datetime) -> None:
    """Have the subscriptions looked at that an offering is in now, or will be."""
    await conn.execute(LOOK_AT_PLANS, offering_id, at)


async def close_pages(conn: Connection, offering_id: UUID, at: datetime) -> None:
    """Have the payment pages closed on which credits of an offering are bought, or will be."""
    await conn.execute(CLOSE_PAGES, offering_id, at)


def _all(rows: Sequence[asyncpg.Record]) -> list[Offered]:
    return [_offered(row) for row in rows]


def _offered(row: asyncpg.Record) -> Offered:
    fields: dict[str, Any] = dict(row)
    price = Money(fields.pop("price_minor"), fields.pop("currency"))
    return Offered(**fields, price=price)
