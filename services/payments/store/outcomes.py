"""SQL for refunds and earnings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.outcomes import Earnings, Refund
from shared.db import Connection
from shared.money import Money

INSERT_REFUND = """
INSERT INTO refunds (refund_id, order_id, session_id, amount_minor, currency, reason, state,
    planned_at, lot_id, discount_minor, issued_at, failed_at, failure_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
REFUND = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt, lot_id, discount_minor
FROM refunds WHERE refund_id = $1
"""
REFUNDS_OF = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt, lot_id, discount_minor
FROM refunds WHERE session_id = $1 ORDER BY planned_at, refund_id
"""
REFUNDS_OF_ORDER = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt, lot_id, discount_minor
FROM refunds WHERE order_id = $1 ORDER BY planned_at, refund_id
"""
REFUNDS_OF_CREDITS = """
SELECT r.refund_id, r.order_id, r.session_id, r.amount_minor, r.currency, r.reason, r.state,
    r.stripe_refund_id, r.planned_at, r.issued_at, r.failed_at, r.failure_code, r.attempt, r.lot_id,
    r.discount_minor
FROM lots AS l JOIN sessions AS s ON s.lot_id = l.lot_id
JOIN refunds AS r ON r.session_id = s.session_id
WHERE l.purchase_id = $1 AND r.state IN ('paid_otherwise', 'failed')
ORDER BY r.order_id, r.refund_id
"""
SENT_BACK_OF = """
SELECT COALESCE(sum(r.amount_minor), 0)::bigint FROM refunds AS r
WHERE (r.state <> 'paid_otherwise' OR r.failure_code IS NULL) AND r.refund_id <> $2
AND r.refund_id IN (
    SELECT r.refund_id FROM refunds AS r LEFT JOIN sessions AS s ON s.session_id = r.session_id
    WHERE r.order_id = $1 AND s.lot_id IS NULL
    UNION ALL
    SELECT r.refund_id FROM lots AS l JOIN sessions AS s ON s.lot_id = l.lot_id
    JOIN refunds AS r ON r.session_id = s.session_id
    WHERE l.purchase_id = $1 AND r.lot_id IS NULL
)
"""
SAVE_REFUND = """
UPDATE refunds SET state = $2, stripe_refund_id = $3, issued_at = $4, failed_at = $5,
    failure_code = $6, attempt = $7, amount_minor = $8
WHERE refund_id = $1
"""
INSERT_EARNINGS = """
INSERT INTO earnings (session_id, order_id, mentor_id, currency, retained_minor, mentor_minor,
    platform_minor, due_at, released_at, transfer_state, gone_minor, payable_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
EARNINGS = """
SELECT e.session_id, e.order_id, e.mentor_id, e.currency, e.mentor_minor, e.platform_minor,
    e.due_at, e.released_at, e.transfer_state, e.gone_minor, e.payable_minor, (
        SELECT COALESCE(sum(r.amount_minor), 0) FROM refunds AS r
        WHERE r.session_id = e.session_id
    )::bigint + (
        SELECT COALESCE(sum(t.amount_minor), 0) FROM dispute_takings AS t
        WHERE t.session_id = e.session_id
    )::bigint AS gone_by_card_minor
FROM earnings AS e WHERE e.session_id = $1
"""
SAVE_EARNINGS = """
UPDATE earnings SET retained_minor = $2, mentor_minor = $3, platform_minor = $4, due_at = $5,
    released_at = $6, transfer_state = $7, gone_minor = $8, payable_minor = $9
WHERE session_id = $1
"""
NEXT_TO_RELEASE = """
SELECT e.order_id, e.session_id
FROM earnings AS e
JOIN orders AS o ON o.order_id = e.order_id
JOIN sessions AS s ON s.session_id = e.session_id
WHERE e.released_at IS NULL AND e.due_at <= $1 AND e.retained_minor > 0
    AND s.objected_at IS NULL AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id)
ORDER BY e.due_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""


async def add_refund(conn: Connection, refund: Refund) -> None:
    """Store a new refund."""
    await conn.execute(
        INSERT_REFUND,
        refund.refund_id,
        refund.order_id,
        refund.session_id,
        refund.amount.minor,
        refund.amount.currency,
        refund.reason,
        refund.state,
        refund.planned_at,
        refund.lot_id,
        refund.discount_minor,
        refund.issued_at,
        refund.failed_at,
        refund.failure_code,
    )


async def load_refund(conn: Connection, refund_id: UUID) -> Refund | None:
    """Return a refund; whoever changes it holds its order's lock."""
    row = await conn.fetchrow(REFUND, refund_id)
    return _refund(row) if row else None


async def refunds_of(conn: Connection, session_id: UUID) -> list[Refund]:
    """Return the refunds of a session's part, in the order in which they were decided."""
    return [_refund(row) for row in await conn.fetch(REFUNDS_OF, session_id)]


async def refunds_of_order(conn: Connection, order_id: UUID) -> list[Refund]:
    """Return the refunds of all sessions of an order."""
    return [_refund(row) for row in await conn.fetch(REFUNDS_OF_ORDER, order_id)]


async def refunds_of_credits(conn: Connection, purchase_id: UUID) -> list[Refund]:
    """Return refunds that Stripe did not send of sessions that credits of a purchase paid."""
    return [_refund(row) for row in await conn.fetch(REFUNDS_OF_CREDITS, purchase_id)]


async def sent_back_of(conn: Connection, purchase_id: UUID, but_for: UUID) -> int:
    """Return what of a purchase goes back by refunds but for one, however, unless a bank paid it.

    One that failed counts as one that an operator paid: the mentee gets that money as well.
    """
    return int(await conn.fetchval(SENT_BACK_OF, purchase_id, but_for))


async def save_refund(conn: Connection, refund: Refund) -> None:
    """Store what changes of a refund."""
    await conn.execute(
        SAVE_REFUND,
        refund.refund_id,
        refund.state,
        refund.stripe_refund_id,
        refund.issued_at,
        refund.failed_at,
        refund.failure_code,
        refund.attempt,
        refund.amount.minor,
    )


async def add_earnings(conn: Connection, earnings: Earnings) -> None:
    """Store what a session will earn."""
    await conn.execute(
        INSERT_EARNINGS,
        earnings.session_id,
        earnings.order_id,
        earnings.mentor_id,
        earnings.mentor.currency,
        *_changing(earnings),
    )


async def load_earnings(conn: Connection, session_id: UUID) -> Earnings | None:
    """Return the earnings of a session; whoever changes them holds the order's lock."""
    row = await conn.fetchrow(EARNINGS, session_id)
    return _earnings(row) if row else None


async def save_earnings(conn: Connection, earnings: Earnings) -> None:
    """Store what changes of the earnings of a session."""
    await conn.execute(SAVE_EARNINGS, earnings.session_id, *_changing(earnings))


async def next_to_release(conn: Connection, now: datetime) -> tuple[UUID, UUID] | None:
    """Return the order, which is locked, and the session whose release is due first, if one is."""
    row = await conn.fetchrow(NEXT_TO_RELEASE, now)
    return (row["order_id"], row["session_id"]) if row else None


def _changing(earnings: Earnings) -> tuple[object, ...]:
    return (
        earnings.mentor.minor + earnings.platform.minor,
        earnings.mentor.minor,
        earnings.platform.minor,
        earnings.due_at,
        earnings.released_at,
        earnings.transfer_state,
        earnings.gone.minor,
        earnings.payable.minor,
    )


def _refund(row: asyncpg.Record) -> Refund:
    fields: dict[str, Any] = dict(row)
    amount = Money(fields.pop("amount_minor"), fields.pop("currency"))
    return Refund(**fields, amount=amount)


def _earnings(row: asyncpg.Record) -> Earnings:
    fields: dict[str, Any] = dict(row)
    currency = fields.pop("currency")
    for name in ("mentor", "platform", "gone", "payable", "gone_by_card"):
        fields[name] = Money(fields.pop(f"{name}_minor"), currency)
    return Earnings(**fields)
