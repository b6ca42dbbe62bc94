"""SQL for promotion codes and the purchases that used them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.promotions import Promotion, UseState
from shared.db import Connection
from shared.money import Money

INSERT_PROMOTION = """
INSERT INTO promotions (promotion_id, code, paid_by, made_by, made_at, percent_basis_points,
    amount_minor, currency, mentor_id, offering_id, at_most, per_person, first_purchase_only,
    starts_at, ends_at, mentee_id, amends_for, remind_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT DO NOTHING
"""
BY_CODE = """
SELECT promotion_id, code, paid_by, made_by, made_at, percent_basis_points, amount_minor, currency,
    mentor_id, offering_id, at_most, per_person, first_purchase_only, starts_at, ends_at, paused_at,
    used, mentee_id, amends_for, paused_by
FROM promotions WHERE code = $1
"""
LOCK_BY_CODE = """
SELECT promotion_id, code, paid_by, made_by, made_at, percent_basis_points, amount_minor, currency,
    mentor_id, offering_id, at_most, per_person, first_purchase_only, starts_at, ends_at, paused_at,
    used, mentee_id, amends_for, paused_by
FROM promotions WHERE code = $1 FOR NO KEY UPDATE
"""
LOCK = """
SELECT promotion_id, code, paid_by, made_by, made_at, percent_basis_points, amount_minor, currency,
    mentor_id, offering_id, at_most, per_person, first_purchase_only, starts_at, ends_at, paused_at,
    used, mentee_id, amends_for, paused_by
FROM promotions WHERE promotion_id = $1 AND code IS NOT NULL FOR NO KEY UPDATE
"""
LIST = """
SELECT promotion_id, code, paid_by, made_by, made_at, percent_basis_points, amount_minor, currency,
    mentor_id, offering_id, at_most, per_person, first_purchase_only, starts_at, ends_at, paused_at,
    used, mentee_id, amends_for, paused_by
FROM promotions
WHERE code IS NOT NULL AND ($1::uuid IS NULL OR (mentor_id = $1 AND paid_by = 'mentor'))
  AND ($2::uuid IS NULL OR promotion_id < $2)
ORDER BY promotion_id DESC LIMIT $3
"""
AMENDS_OF = """
SELECT p.promotion_id, p.code, p.paid_by, p.made_by, p.made_at, p.percent_basis_points,
    p.amount_minor - u.taken_minor AS amount_minor, p.currency, p.mentor_id, p.offering_id,
    p.at_most, p.per_person, p.first_purchase_only, p.starts_at, p.ends_at, p.paused_at, p.used,
    p.mentee_id, p.amends_for
FROM promotions AS p
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(discount_minor), 0)::bigint AS taken_minor FROM promotion_uses
    WHERE promotion_id = p.promotion_id AND state <> 'given_back'
) AS u
WHERE p.mentee_id = $1 AND p.ends_at > $2 AND p.amount_minor > u.taken_minor
ORDER BY p.made_at, p.promotion_id
"""
NEXT_TO_REMIND = """
SELECT p.promotion_id, p.mentee_id, s.order_id
FROM promotions AS p JOIN sessions AS s ON s.session_id = p.amends_for
WHERE p.remind_at <= $1 ORDER BY p.remind_at LIMIT 1
"""
NOTE_REMINDED = """
UPDATE promotions SET remind_at = NULL WHERE promotion_id = $1 AND remind_at IS NOT NULL
"""
SAVE_PAUSE = "UPDATE promotions SET paused_at = $2, paused_by = $3 WHERE promotion_id = $1"
COUNT = "UPDATE promotions SET used = used + $2 WHERE promotion_id = $1"
USED_BEFORE = """
SELECT count(*) FROM promotion_uses
WHERE promotion_id = $1 AND mentee_id = $2 AND state <> 'given_back'
"""
BOUGHT_BEFORE = """
SELECT EXISTS (SELECT FROM orders WHERE mentee_id = $1 AND paid_at IS NOT NULL AND price_minor > 0)
    OR EXISTS (
        SELECT FROM promotion_uses AS u JOIN promotions AS p ON p.promotion_id = u.promotion_id
        WHERE u.mentee_id = $1 AND u.state <> 'given_back' AND p.first_purchase_only
    )
"""
TAKE_TURN = (
    "SELECT pg_advisory_xact_lock(hashtextextended('payments:promotions:' || ($1::uuid)::text, 0))"
)
INSERT_USE = """
INSERT INTO promotion_uses (order_id, promotion_id, mentee_id, discount_minor, currency, state,
    changed_at)
VALUES ($1, $2, $3, $4, $5, 'reserved', $6)
"""
USE_OF = "SELECT promotion_id, state FROM promotion_uses WHERE order_id = $1"
SAVE_USE = "UPDATE promotion_uses SET state = $2, changed_at = $3 WHERE order_id = $1"


async def add_promotion(conn: Connection, promotion: Promotion) -> bool:
    """Store a new promotion; return whether its code was free, or its session without amends."""
    done = await conn.execute(
        INSERT_PROMOTION,
        promotion.promotion_id,
        promotion.code,
        promotion.paid_by,
        promotion.made_by,
        promotion.made_at,
        promotion.percent_basis_points,
        promotion.amount_minor,
        promotion.currency,
        promotion.mentor_id,
        promotion.offering_id,
        promotion.at_most,
        promotion.per_person,
        promotion.first_purchase_only,
        promotion.starts_at,
        promotion.ends_at,
        promotion.mentee_id,
        promotion.amends_for,
        promotion.remind_at,
    )
    return done.endswith(" 1")


async def by_code(conn: Connection, code: str) -> Promotion | None:
    """Return the promotion with a code."""
    return _promotion(await conn.fetchrow(BY_CODE, code))


async def lock_by_code(conn: Connection, code: str) -> Promotion | None:
    """Return the promotion with a code, of which nobody else uses one up meanwhile."""
    return _promotion(await conn.fetchrow(LOCK_BY_CODE, code))


async def lock(conn: Connection, promotion_id: UUID) -> Promotion | None:
    """Return a promotion that has a code, locked until the transaction ends."""
    return _promotion(await conn.fetchrow(LOCK, promotion_id))


async def list_promotions(
    conn: Connection, mentor_id: UUID | None, before: UUID | None, limit: int
) -> list[Promotion]:
    """Return all promotions with a code, or those that a mentor pays for, newest first."""
    rows = await conn.fetch(LIST, mentor_id, before, limit)
    return [Promotion(**dict(row)) for row in rows]


async def amends_of(conn: Connection, mentee_id: UUID, now: datetime) -> list[Promotion]:
    """Return somebody's amends that are good, oldest first, each with what is left of it."""
    return [Promotion(**dict(row)) for row in await conn.fetch(AMENDS_OF, mentee_id, now)]


async def next_to_remind(conn: Connection, now: datetime) -> tuple[UUID, UUID, UUID] | None:
    """Return which amends end first that nobody was reminded of: their id, whose, of what order."""
    row = await conn.fetchrow(NEXT_TO_REMIND, now)
    return (row["promotion_id"], row["mentee_id"], row["order_id"]) if row else None


async def note_reminded(conn: Connection, promotion_id: UUID) -> bool:
    """Note that somebody is reminded of amends; return whether it was not noted before."""
    return (await conn.execute(NOTE_REMINDED, promotion_id)).endswith(" 1")


async def save_pause(conn: Connection, promotion: Promotion) -> None:
    """Note whether a promotion is stopped that is locked, since when and by whom."""
    await conn.execute(SAVE_PAUSE, promotion.promotion_id, promotion.paused_at, promotion.paused_by)


async def take_turn(conn: Connection, mentee_id: UUID) -> None:
    """Wait until no other purchase of this person begins with a code."""
    await conn.execute(TAKE_TURN, mentee_id)


async def used_before(conn: Connection, promotion_id: UUID, mentee_id: UUID) -> int:
    """Return how often a person has used a code, or is about to."""
    return await conn.fetchval(USED_BEFORE, promotion_id, mentee_id)


async def bought_before(conn: Connection, mentee_id: UUID) -> bool:
    """Return whether a person has paid for something, or used a newcomers' code."""
    return bool(await conn.fetchval(BOUGHT_BEFORE, mentee_id))


async def add_use(
    conn: Connection,
    order_id: UUID,
    promotion_id: UUID,
    mentee_id: UUID,
    discount: Money,
    at: datetime,
) -> None:
    """Note that a purchase uses a promotion, which is locked, and count it."""
    await conn.execute(
        INSERT_USE, order_id, promotion_id, mentee_id, discount.minor, discount.currency, at
    )
    await conn.execute(COUNT, promotion_id, 1)


async def use_of(conn: Connection, order_id: UUID) -> tuple[UUID, UseState] | None:
    """Return which promotion a purchase uses and how far that is; the order is locked."""
    row = await conn.fetchrow(USE_OF, order_id)
    return (row["promotion_id"], row["state"]) if row else None


async def save_use(
    conn: Connection, order_id: UUID, promotion_id: UUID, state: UseState, at: datetime, counts: int
) -> None:
    """Note how far the use is, and count it so much more or less."""
    await conn.execute(SAVE_USE, order_id, state, at)
    if counts:
        await conn.execute(COUNT, promotion_id, counts)


def _promotion(row: asyncpg.Record | None) -> Promotion | None:
    fields: dict[str, Any] = dict(row) if row else {}
    return Promotion(**fields) if row else None
