"""SQL for disputes, the money they moved, and what that took of each session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.disputes import Dispute, Left, Loss, Movement
from shared.db import Connection
from shared.money import Money

SAVE_DISPUTE = """
INSERT INTO disputes (dispute_id, order_id, amount_minor, currency, reason, state, opened_at,
    due_by, answered_at, closed_at, refusal)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (dispute_id) DO UPDATE SET amount_minor = excluded.amount_minor,
    reason = excluded.reason, state = excluded.state, due_by = excluded.due_by,
    answered_at = excluded.answered_at, closed_at = excluded.closed_at, refusal = excluded.refusal
"""
DISPUTE = """
SELECT dispute_id, order_id, amount_minor, currency, reason, state, opened_at, due_by, answered_at,
    closed_at, refusal
FROM disputes WHERE dispute_id = $1
"""
DISPUTES_OF = """
SELECT dispute_id, order_id, amount_minor, currency, reason, state, opened_at, due_by, answered_at,
    closed_at, refusal
FROM disputes WHERE order_id = $1 ORDER BY opened_at, dispute_id
"""
OPEN_DISPUTES = """
SELECT dispute_id, order_id, amount_minor, currency, reason, state, opened_at, due_by, answered_at,
    closed_at, refusal
FROM disputes
WHERE closed_at IS NULL
  AND ($1::timestamptz IS NULL OR (COALESCE(due_by, opened_at), dispute_id) > ($1, $2::text))
ORDER BY COALESCE(due_by, opened_at), dispute_id LIMIT $3
"""
CLOSED_DISPUTES = """
SELECT dispute_id, order_id, amount_minor, currency, reason, state, opened_at, due_by, answered_at,
    closed_at, refusal
FROM disputes
WHERE closed_at IS NOT NULL
  AND ($1::timestamptz IS NULL OR (closed_at, dispute_id) < ($1, $2::text))
ORDER BY closed_at DESC, dispute_id DESC LIMIT $3
"""
INSERT_MOVEMENT = """
INSERT INTO dispute_movements (movement_id, dispute_id, amount_minor, fee_minor, currency, moved_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (movement_id) DO NOTHING RETURNING movement_id
"""
MOVEMENTS_OF = """
SELECT movement_id, dispute_id, amount_minor, fee_minor, currency, moved_at
FROM dispute_movements WHERE dispute_id = $1 ORDER BY moved_at, movement_id
"""
TAKEN_OF = """
SELECT COALESCE(-sum(
    CASE WHEN m.currency = d.currency THEN m.amount_minor
         ELSE sign(m.amount_minor) * d.amount_minor END
), 0)::bigint
FROM dispute_movements AS m INNER JOIN disputes AS d ON m.dispute_id = d.dispute_id
WHERE d.order_id = $1
"""
ADD_TAKING = """
INSERT INTO dispute_takings (movement_id, session_id, amount_minor, price_minor)
VALUES ($1, $2, $3, $4)
ON CONFLICT (movement_id, session_id) DO UPDATE SET
    amount_minor = dispute_takings.amount_minor + excluded.amount_minor,
    price_minor = dispute_takings.price_minor + excluded.price_minor
"""
LOSSES_OF = """
SELECT
    (array_agg(m.movement_id ORDER BY m.moved_at DESC) FILTER (WHERE m.amount_minor < 0))[1]
        AS movement_id,
    -sum(m.amount_minor + COALESCE(t.minor, 0))::bigint AS minor
FROM disputes AS d
INNER JOIN dispute_movements AS m ON d.dispute_id = m.dispute_id AND d.currency = m.currency
LEFT JOIN (
    SELECT movement_id, sum(amount_minor) AS minor FROM dispute_takings GROUP BY movement_id
) AS t ON m.movement_id = t.movement_id
WHERE d.order_id = $1
GROUP BY d.dispute_id HAVING -sum(m.amount_minor + COALESCE(t.minor, 0)) > 0
ORDER BY d.opened_at, d.dispute_id
"""
TAKINGS_OF = """
SELECT t.session_id, sum(t.amount_minor)::bigint AS minor, sum(t.price_minor)::bigint AS price_minor
FROM dispute_takings AS t INNER JOIN dispute_movements AS m ON t.movement_id = m.movement_id
WHERE m.dispute_id = $1 GROUP BY t.session_id
"""
ORDER_OF_PAYMENT = "SELECT order_id FROM orders WHERE payment_intent_id = $1"


async def save_dispute(conn: Connection, dispute: Dispute) -> None:
    """Store a dispute as Stripe last showed it; the order is locked."""
    await conn.execute(
        SAVE_DISPUTE,
        dispute.dispute_id,
        dispute.order_id,
        dispute.amount.minor,
        dispute.amount.currency,
        dispute.reason,
        dispute.state,
        dispute.opened_at,
        dispute.due_by,
        dispute.answered_at,
        dispute.closed_at,
        dispute.refusal,
    )


async def load_dispute(conn: Connection, dispute_id: str) -> Dispute | None:
    """Return a dispute; whoever changes it holds its order's lock."""
    row = await conn.fetchrow(DISPUTE, dispute_id)
    return _dispute(row) if row else None


async def disputes_of(conn: Connection, order_id: UUID) -> list[Dispute]:
    """Return the disputes of a purchase, the oldest first."""
    return [_dispute(row) for row in await conn.fetch(DISPUTES_OF, order_id)]


async def open_disputes(
    conn: Connection, after: tuple[datetime, str] | None, limit: int
) -> list[Dispute]:
    """Return a page of the open disputes, those whose time ends first in front."""
    at, dispute_id = after or (None, "")
    return [_dispute(row) for row in await conn.fetch(OPEN_DISPUTES, at, dispute_id, limit)]


async def closed_disputes(
    conn: Connection, before: tuple[datetime, str] | None, limit: int
) -> list[Dispute]:
    """Return a page of the decided disputes, the last decided in front."""
    at, dispute_id = before or (None, "")
    return [_dispute(row) for row in await conn.fetch(CLOSED_DISPUTES, at, dispute_id, limit)]


async def add_movement(conn: Connection, movement: Movement) -> bool:
    """Store a movement of a dispute's money; return whether it is new."""
    new = await conn.fetchval(
        INSERT_MOVEMENT,
        movement.movement_id,
        movement.dispute_id,
        movement.amount.minor,
        movement.fee.minor,
        movement.amount.currency,
        movement.moved_at,
    )
    return new is not None


async def movements_of(conn: Connection, dispute_id: str) -> list[Movement]:
    """Return what a dispute moved, in order."""
    return [
        Movement(
            movement_id=row["movement_id"],
            dispute_id=row["dispute_id"],
            amount=Money(row["amount_minor"], row["currency"]),
            fee=Money(row["fee_minor"], row["currency"]),
            moved_at=row["moved_at"],
        )
        for row in await conn.fetch(MOVEMENTS_OF, dispute_id)
    ]


async def taken_of(conn: Connection, order_id: UUID) -> int:
    """Return what banks took of a purchase's charge and did not give back.

    What Stripe moved in another currency counts as what the dispute is about.
    """
    return int(await conn.fetchval(TAKEN_OF, order_id))


async def add_takings(conn: Connection, movement_id: str, parts: Mapping[UUID, Left]) -> None:
    """Store what a movement took of each session, beside what it took before; below zero came back.

    The order is locked.
    """
    for session_id, part in parts.items():
        await conn.execute(
            ADD_TAKING, movement_id, session_id, part.by_card.minor, part.price.minor
        )


async def losses_of(conn: Connection, order_id: UUID, currency: str) -> list[Loss]:
    """Return what disputes took of a purchase beyond its sessions, and did not give back."""
    rows = await conn.fetch(LOSSES_OF, order_id)
    return [Loss(row["movement_id"], Money(row["minor"], currency)) for row in rows]


async def takings_of(conn: Connection, dispute_id: str, currency: str) -> dict[UUID, Left]:
    """Return what a dispute has taken of each session and not given back."""
    return {
        row["session_id"]: Left(Money(row["minor"], currency), Money(row["price_minor"], currency))
        for row in await conn.fetch(TAKINGS_OF, dispute_id)
    }


async def order_of_payment(conn: Connection, payment_intent_id: str) -> UUID | None:
    """Return the purchase that a payment paid, when its payment is recorded."""
    return await conn.fetchval(ORDER_OF_PAYMENT, payment_intent_id)


def _dispute(row: asyncpg.Record) -> Dispute:
    fields: dict[str, Any] = dict(row)
    amount = Money(fields.pop("amount_minor"), fields.pop("currency"))
    return Dispute(**fields, amount=amount)
