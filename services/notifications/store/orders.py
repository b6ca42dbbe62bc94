"""Purchases and their sessions, as booking told them last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.notifications.domain.orders import Order, Session
from shared.db import Connection

LOCK_ORDER = "SELECT order_id FROM orders WHERE order_id = $1 FOR UPDATE"
ORDERS = """
SELECT order_id, mentor_id, mentee_id, title, free, requested, version
FROM orders WHERE order_id = ANY($1::uuid[])
"""
SESSIONS = """
SELECT order_id, session_id, starts_at, ends_at, state, calendar_sequence, cancelled_by,
       refund_basis_points, missed_by, proposed_by, proposal, objected, mentor_reviewed,
       mentee_reviewed
FROM sessions WHERE order_id = ANY($1::uuid[])
ORDER BY order_id, starts_at, session_id
"""
SAVE_ORDER = """
INSERT INTO orders (order_id, mentor_id, mentee_id, title, free, requested, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (order_id) DO UPDATE SET
    title = excluded.title, free = excluded.free, requested = excluded.requested,
    version = excluded.version
"""
SAVE_SESSION = """
INSERT INTO sessions (session_id, order_id, starts_at, ends_at, state, calendar_sequence,
                      cancelled_by, refund_basis_points, missed_by, proposed_by, proposal,
                      objected, mentor_reviewed, mentee_reviewed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (session_id) DO UPDATE SET
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, state = excluded.state,
    calendar_sequence = excluded.calendar_sequence, cancelled_by = excluded.cancelled_by,
    refund_basis_points = excluded.refund_basis_points, missed_by = excluded.missed_by,
    proposed_by = excluded.proposed_by, proposal = excluded.proposal, objected = excluded.objected,
    mentor_reviewed = excluded.mentor_reviewed, mentee_reviewed = excluded.mentee_reviewed
"""


async def find_order(conn: Connection, order_id: UUID) -> Order | None:
    """Return a purchase and lock it."""
    await conn.fetchval(LOCK_ORDER, order_id)
    return (await read_orders(conn, [order_id])).get(order_id)


async def read_orders(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Return purchases with their sessions, by id."""
    if not order_ids:
        return {}
    sessions: dict[UUID, list[Session]] = defaultdict(list)
    for row in await conn.fetch(SESSIONS, order_ids):
        sessions[row["order_id"]].append(_session(row))
    return {
        row["order_id"]: Order(**row, sessions=tuple(sessions[row["order_id"]]))
        for row in await conn.fetch(ORDERS, order_ids)
    }


async def save_order(conn: Connection, order: Order) -> None:
    """Keep a purchase and its sessions as they stand now."""
    await conn.execute(
        SAVE_ORDER,
        order.order_id,
        order.mentor_id,
        order.mentee_id,
        order.title,
        order.free,
        order.requested,
        order.version,
    )
    await conn.executemany(SAVE_SESSION, [_row(order, each) for each in order.sessions])


def _session(row: asyncpg.Record) -> Session:
    return Session(**{name: value for name, value in row.items() if name != "order_id"})


def _row(order: Order, session: Session) -> tuple[object, ...]:
    return (
        session.session_id,
        order.order_id,
        session.starts_at,
        session.ends_at,
        session.state,
        session.calendar_sequence,
        session.cancelled_by,
        session.refund_basis_points,
        session.missed_by,
        session.proposed_by,
        session.proposal,
        session.objected,
        session.mentor_reviewed,
        session.mentee_reviewed,
    )
