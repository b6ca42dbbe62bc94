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
    planned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
REFUND = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt
FROM refunds WHERE refund_id = $1
"""
REFUNDS_OF = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt
FROM refunds WHERE session_id = $1 ORDER BY planned_at, refund_id
"""
REFUNDS_OF_ORDER = """
SELECT refund_id, order_id, session_id, amount_minor, currency, reason, state, stripe_refund_id,
    planned_at, issued_at, failed_at, failure_code, attempt
FROM refunds WHERE order_id = $1 ORDER BY planned_at, refund_id
"""
SAVE_REFUND = """
UPDATE refunds SET state = $2, stripe_refund_id = $3, issued_at = $4, failed_at = $5,
    failure_code = $6, attempt = $7
WHERE refund_id = $1
"""
INSERT_EARNINGS = """
INSERT INTO earnings (session_id, order_id, mentor_id, currency, retained_minor, mentor_minor,
    platform_minor, due_at, released_at, transfer_state, stripe_transfer_id, transferred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
EARNINGS = """
SELECT session_id, order_id, mentor_id, currency, mentor_minor, platform_minor, due_at, released_at,
    transfer_state, stripe_transfer_id, transferred_at
FROM earnings WHERE session_id = $1
"""
SAVE_EARNINGS = """
UPDATE earnings SET retained_minor = $2, mentor_minor = $3, platform_minor = $4, due_at = $5,
    released_at = $6, transfer_state = $7, stripe_transfer_id = $8, transferred_at = $9
WHERE session_id = $1
"""
NEXT_TO_RELEASE = """
SELECT e.order_id, e.session_id
FROM earnings AS e
JOIN orders AS o ON o.order_id = e.order_id
JOIN sessions AS s ON s.session_id = e.session_id
WHERE e.released_at IS NULL AND e.due_at <= $1 AND s.objected_at IS NULL
ORDER BY e.due_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""
NEXT_TO_TRANSFER = """
SELECT e.order_id, e.session_id, a.stripe_account_id
FROM earnings AS e
JOIN orders AS o ON o.order_id = e.order_id
JOIN accounts AS a ON a.mentor_id = e.mentor_id
WHERE e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive
ORDER BY e.released_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""
RETRY_REFUSED_TRANSFERS = """
UPDATE earnings SET transfer_state = 'waiting', transfer_refusal = NULL
WHERE mentor_id = $1 AND transfer_state = 'refused'
  AND ($2::text IS NULL OR transfer_refusal = $2)
"""
NOTE_TRANSFER_REFUSAL = """
UPDATE earnings SET transfer_state = 'refused', transfer_refusal = $2 WHERE session_id = $1
"""
LINK_PAYOUT = """
UPDATE earnings SET payout_id = $2
WHERE mentor_id = $1 AND stripe_transfer_id = ANY($3::text[]) AND payout_id IS DISTINCT FROM $2
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


async def next_to_transfer(conn: Connection) -> tuple[UUID, UUID, str] | None:
    """Return an order, which is locked, a session with a share to send, and the account for it."""
    row = await conn.fetchrow(NEXT_TO_TRANSFER)
    return (row["order_id"], row["session_id"], row["stripe_account_id"]) if row else None


async def retry_refused_transfers(
    conn: Connection, mentor_id: UUID, code: str | None = None
) -> None:
    """Let transfers be tried again that Stripe refused, with `code` or for whatever reason."""
    await conn.execute(RETRY_REFUSED_TRANSFERS, mentor_id, code)


async def note_transfer_refusal(conn: Connection, session_id: UUID, code: str) -> None:
    """Remember that Stripe refused a transfer, until the account changes."""
    await conn.execute(NOTE_TRANSFER_REFUSAL, session_id, code)


async def link_payout(
    conn: Connection, mentor_id: UUID, payout_id: str, transfer_ids: tuple[str, ...]
) -> None:
    """Remember which sessions a payout pays out."""
    await conn.execute(LINK_PAYOUT, mentor_id, payout_id, list(transfer_ids))


def _changing(earnings: Earnings) -> tuple[object, ...]:
    return (
        earnings.mentor.minor + earnings.platform.minor,
        earnings.mentor.minor,
        earnings.platform.minor,
        earnings.due_at,
        earnings.released_at,
        earnings.transfer_state,
        earnings.stripe_transfer_id,
        earnings.transferred_at,
    )


def _refund(row: asyncpg.Record) -> Refund:
    fields: dict[str, Any] = dict(row)
    amount = Money(fields.pop("amount_minor"), fields.pop("currency"))
    return Refund(**fields, amount=amount)


def _earnings(row: asyncpg.Record) -> Earnings:
    fields: dict[str, Any] = dict(row)
    currency = fields.pop("currency")
    mentor = Money(fields.pop("mentor_minor"), currency)
    platform = Money(fields.pop("platform_minor"), currency)
    return Earnings(**fields, mentor=mentor, platform=platform)
