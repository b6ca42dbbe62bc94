"""Orders. Lists and locks find ids; one statement reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.booking.domain.cancellation import Policy, Step
from services.booking.domain.orders import Order, OrderState
from shared.db import Connection
from shared.ids import OfferingId, OrderId, PersonId, SessionId

INSERT_ORDER = """
INSERT INTO orders (
    order_id, session_id, offering_id, mentor_id, mentee_id, title, starts_at, ends_at,
    buffer_before_minutes, buffer_after_minutes, price_minor, currency, policy, state, hold_until,
    expires_at, completes_at, version, calendar_sequence
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
UPDATE_ORDER = """
UPDATE orders SET
    version = $2, state = $3, calendar_sequence = $4, confirmed_at = $5, cancelled_by = $6,
    cancel_reason = $7, refund_basis_points = $8, lost_reason = $9, completed_by = $10,
    completed_at = $11
WHERE order_id = $1 AND version = $2 - 1
RETURNING order_id
"""
READ_ORDERS = """
SELECT order_id, session_id, offering_id, mentor_id, mentee_id, title, starts_at, ends_at,
       buffer_before_minutes, buffer_after_minutes, price_minor, currency, policy, state,
       hold_until, expires_at, completes_at, version, calendar_sequence, confirmed_at,
       cancelled_by, cancel_reason, refund_basis_points, lost_reason, completed_by, completed_at
FROM orders
WHERE order_id = ANY($1::uuid[])
ORDER BY order_id DESC
"""
LOCK_ORDER = "SELECT order_id FROM orders WHERE order_id = $1 FOR UPDATE"
ORDER_OF_SESSION = "SELECT order_id FROM orders WHERE session_id = $1"
LOCK_OPEN_HOLDS = """
SELECT order_id FROM orders
WHERE mentee_id = $1 AND mentor_id = $2 AND state = 'held'
ORDER BY order_id
FOR UPDATE
"""
COUNT_OPEN_HOLDS = """
SELECT count(*) FROM orders WHERE mentee_id = $1 AND state = 'held' AND expires_at > $2
"""
NEXT_TO_EXPIRE = """
SELECT order_id FROM orders
WHERE state = 'held' AND expires_at <= $1
ORDER BY expires_at, order_id
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
NEXT_TO_COMPLETE = """
SELECT order_id FROM orders
WHERE state = 'confirmed' AND completes_at <= $1
ORDER BY completes_at, order_id
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
LIST_OF_MENTEE = """
SELECT order_id FROM orders
WHERE mentee_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR order_id < $3)
ORDER BY order_id DESC
LIMIT $4
"""
LIST_OF_MENTOR = """
SELECT order_id FROM orders
WHERE mentor_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR order_id < $3)
ORDER BY order_id DESC
LIMIT $4
"""
LIST_OF_PERSON = """
SELECT order_id FROM orders
WHERE (mentee_id = $1 OR mentor_id = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR order_id < $3)
ORDER BY order_id DESC
LIMIT $4
"""
LIST_ALL = """
SELECT order_id FROM orders
WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR order_id < $2)
ORDER BY order_id DESC
LIMIT $3
"""
ORDERS_OF = {"mentee": LIST_OF_MENTEE, "mentor": LIST_OF_MENTOR, None: LIST_OF_PERSON}


class OrderMoved(RuntimeError):
    """An order was changed without its row being locked: a mistake of ours."""


async def insert_order(conn: Connection, order: Order) -> None:
    """Keep a new order."""
    await conn.execute(
        INSERT_ORDER,
        order.order_id,
        order.session_id,
        order.offering_id,
        order.mentor_id,
        order.mentee_id,
        order.title,
        order.starts_at,
        order.ends_at,
        order.buffer_before_minutes,
        order.buffer_after_minutes,
        order.price_minor,
        order.currency,
        _policy_as_json(order.policy),
        order.state.value,
        order.hold_until,
        order.expires_at,
        order.completes_at,
        order.version,
        order.calendar_sequence,
    )


async def update_order(conn: Connection, order: Order) -> None:
    """Keep an order that went one version on; raises `OrderMoved` when somebody else was there."""
    updated = await conn.fetchval(
        UPDATE_ORDER,
        order.order_id,
        order.version,
        order.state.value,
        order.calendar_sequence,
        order.confirmed_at,
        order.cancelled_by,
        order.cancel_reason,
        order.refund_basis_points,
        order.lost_reason,
        order.completed_by,
        order.completed_at,
    )
    if updated is None:
        raise OrderMoved(str(order.order_id))


async def read_order(conn: Connection, order_id: OrderId) -> Order | None:
    """Return an order."""
    return next(iter(await read_orders(conn, [order_id])), None)


async def read_orders(conn: Connection, order_ids: Iterable[UUID]) -> list[Order]:
    """Return orders, newest first."""
    wanted = list(order_ids)
    return [_order(row) for row in await conn.fetch(READ_ORDERS, wanted)] if wanted else []


async def lock_order(conn: Connection, order_id: OrderId) -> Order | None:
    """Return an order that nobody else changes until this transaction ends."""
    if await conn.fetchval(LOCK_ORDER, order_id) is None:
        return None
    return await read_order(conn, order_id)


async def order_of_session(conn: Connection, session_id: SessionId) -> Order | None:
    """Return the order that bought a session."""
    order_id = await conn.fetchval(ORDER_OF_SESSION, session_id)
    return await read_order(conn, order_id) if order_id else None


async def lock_open_holds(
    conn: Connection, mentee_id: PersonId, mentor_id: PersonId
) -> list[Order]:
    """Return a mentee's holds with one mentor, locked in the order of ids."""
    rows = await conn.fetch(LOCK_OPEN_HOLDS, mentee_id, mentor_id)
    return await read_orders(conn, [row["order_id"] for row in rows])


async def count_open_holds(conn: Connection, mentee_id: PersonId, now: datetime) -> int:
    """Return how many holds of a mentee nobody may free yet."""
    return int(await conn.fetchval(COUNT_OPEN_HOLDS, mentee_id, now))


async def lock_next_to_expire(conn: Connection, now: datetime) -> Order | None:
    """Return the hold whose time ran out first and that nobody else works on, locked."""
    order_id = await conn.fetchval(NEXT_TO_EXPIRE, now)
    return await read_order(conn, order_id) if order_id else None


async def lock_next_to_complete(conn: Connection, now: datetime) -> Order | None:
    """Return the session that is due to complete first and nobody else works on, locked."""
    order_id = await conn.fetchval(NEXT_TO_COMPLETE, now)
    return await read_order(conn, order_id) if order_id else None


async def list_of_person(
    conn: Connection,
    person_id: PersonId,
    role: str | None,
    state: OrderState | None,
    after: UUID | None,
    limit: int,
) -> list[Order]:
    """Return the orders of a person as mentee, as mentor or (no role) as both, newest first."""
    rows = await conn.fetch(ORDERS_OF[role], person_id, state and state.value, after, limit)
    return await read_orders(conn, [row["order_id"] for row in rows])


async def list_all(
    conn: Connection, state: OrderState | None, after: UUID | None, limit: int
) -> list[Order]:
    """Return everybody's orders, newest first."""
    rows = await conn.fetch(LIST_ALL, state and state.value, after, limit)
    return await read_orders(conn, [row["order_id"] for row in rows])


def _policy_as_json(policy: Policy) -> dict[str, Any]:
    return {
        "preset": policy.preset,
        "policy_version": policy.policy_version,
        "steps": [[step.hours_before, step.refund_basis_points] for step in policy.steps],
    }


def _policy(kept: dict[str, Any]) -> Policy:
    steps = tuple(Step(*step) for step in kept["steps"])
    return Policy(kept["preset"], kept["policy_version"], steps)


def _order(row: asyncpg.Record) -> Order:
    return Order(
        order_id=OrderId(row["order_id"]),
        session_id=SessionId(row["session_id"]),
        offering_id=OfferingId(row["offering_id"]),
        mentor_id=PersonId(row["mentor_id"]),
        mentee_id=PersonId(row["mentee_id"]),
        title=row["title"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        buffer_before_minutes=row["buffer_before_minutes"],
        buffer_after_minutes=row["buffer_after_minutes"],
        price_minor=row["price_minor"],
        currency=row["currency"],
        policy=_policy(row["policy"]),
        state=OrderState(row["state"]),
        hold_until=row["hold_until"],
        expires_at=row["expires_at"],
        completes_at=row["completes_at"],
        version=row["version"],
        calendar_sequence=row["calendar_sequence"],
        confirmed_at=row["confirmed_at"],
        cancelled_by=row["cancelled_by"],
        cancel_reason=row["cancel_reason"],
        refund_basis_points=row["refund_basis_points"],
        lost_reason=row["lost_reason"],
        completed_by=row["completed_by"],
        completed_at=row["completed_at"],
    )
