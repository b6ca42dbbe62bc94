"""Orders. Lists and locks find ids; one statement reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import asyncpg

from services.booking.domain.orders import Answer, Order, OrderState, Session
from services.booking.store.as_json import (
    objection_as_json,
    objection_from,
    policy_as_json,
    policy_from,
    proposal_as_json,
    proposal_from,
)
from shared.db import Connection
from shared.ids import OfferingId, OrderId, PersonId, SessionId

LAPSES_WITHIN = timedelta(days=1)

INSERT_ORDER = """
INSERT INTO orders (
    order_id, offering_id, offering_revision, mentor_id, mentee_id, title, buffer_before_minutes,
    buffer_after_minutes, minimum_notice_minutes, price_minor, currency, policy, answers, state,
    hold_until, expires_at, version, confirmed_at, lost_reason, given_up,
    promotion_code
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
)
"""
UPDATE_ORDER = """
UPDATE orders SET
    version = $2, state = $3, hold_until = $4, expires_at = $5, confirmed_at = $6,
    lost_reason = $7, given_up = $8
WHERE order_id = $1 AND version = $2 - 1
RETURNING order_id
"""
INSERT_SESSION = """
INSERT INTO sessions (
    session_id, order_id, starts_at, ends_at, price_minor, state, completes_at, calendar_sequence,
    mentee_moves, mentor_moves, refund_closed, cancelled_by, cancel_reason, refund_basis_points,
    completed_by, completed_at, missed_by, objection, released_at, proposal, proposal_until,
    mentee_proposals, mentor_proposals
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23
)
"""
UPDATE_SESSION = """
UPDATE sessions SET
    starts_at = $3, ends_at = $4, price_minor = $5, state = $6, completes_at = $7,
    calendar_sequence = $8, mentee_moves = $9, mentor_moves = $10, refund_closed = $11,
    cancelled_by = $12, cancel_reason = $13, refund_basis_points = $14, completed_by = $15,
    completed_at = $16, missed_by = $17, objection = $18, released_at = $19, proposal = $20,
    proposal_until = $21, mentee_proposals = $22, mentor_proposals = $23
WHERE session_id = $1 AND order_id = $2
"""
READ_ORDERS = """
SELECT o.order_id, o.offering_id, o.offering_revision, o.mentor_id, o.mentee_id, o.title,
       o.buffer_before_minutes, o.buffer_after_minutes, o.minimum_notice_minutes,
       o.price_minor AS whole_price_minor, o.currency, o.policy, o.answers, o.hold_until,
       o.expires_at, o.version, o.confirmed_at, o.lost_reason, o.given_up, o.promotion_code,
       s.session_id, s.starts_at, s.ends_at, s.price_minor, s.state, s.completes_at,
       s.calendar_sequence, s.mentee_moves, s.mentor_moves, s.refund_closed, s.cancelled_by,
       s.cancel_reason, s.refund_basis_points, s.completed_by, s.completed_at, s.missed_by,
       s.objection, s.released_at, s.proposal, s.proposal_until, s.mentee_proposals,
       s.mentor_proposals
FROM orders AS o
INNER JOIN sessions AS s ON s.order_id = o.order_id
WHERE o.order_id = ANY($1::uuid[])
ORDER BY o.order_id DESC, s.starts_at, s.session_id
"""
LOCK_ORDER = "SELECT order_id FROM orders WHERE order_id = $1 FOR UPDATE"
ORDER_OF_SESSION = "SELECT order_id FROM sessions WHERE session_id = $1"
MAY_HOLD = """
SELECT EXISTS (
    SELECT 1 FROM orders
    WHERE mentee_id = $1 AND mentor_id = $2 AND state IN ('requested', 'held')
)
"""
LOCK_OPEN_HOLDS = """
SELECT order_id FROM orders
WHERE mentee_id = $1 AND mentor_id = $2 AND state = 'held'
ORDER BY order_id
FOR UPDATE
"""
# What lapsed in version 2 of a waitlist's order is the offer itself; what it became when it was
# accepted is for the mentor to answer.
COUNT_UNPAID = """
SELECT count(*) FILTER (
           WHERE o.state = 'confirmed'
              OR (o.state IN ('requested', 'held') AND o.expires_at > $2)
       ) AS open,
       count(*) FILTER (WHERE o.state = 'lapsed' OR (o.state = 'expired' AND NOT o.given_up))
           AS lapsed
FROM orders AS o
WHERE o.mentee_id = $1 AND (
    (o.state IN ('requested', 'held', 'expired') AND o.expires_at > $3)
    OR (
        o.state = 'lapsed' AND o.expires_at > $3 AND o.version = 2
        AND EXISTS (SELECT 1 FROM waitlist AS w WHERE w.order_id = o.order_id)
    )
    OR (
        $4 AND o.state = 'confirmed' AND o.price_minor = 0
        AND EXISTS (SELECT 1 FROM sessions AS s WHERE s.order_id = o.order_id AND s.starts_at > $2)
    )
)
"""
NEXT_TO_EXPIRE = """
SELECT order_id FROM orders
WHERE state IN ('requested', 'offered', 'held') AND expires_at <= $1
ORDER BY expires_at, order_id
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
NEXT_TO_COMPLETE = """
SELECT session_id, order_id FROM sessions
WHERE state = 'confirmed' AND completes_at <= $1
ORDER BY completes_at, session_id
LIMIT 1
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
    """Keep a new order with its sessions."""
    await conn.execute(
        INSERT_ORDER,
        order.order_id,
        order.offering_id,
        order.offering_revision,
        order.mentor_id,
        order.mentee_id,
        order.title,
        order.buffer_before_minutes,
        order.buffer_after_minutes,
        order.minimum_notice_minutes,
        order.price_minor,
        order.currency,
        policy_as_json(order.policy),
        [[answer.question, answer.answer] for answer in order.answers],
        order.state.value,
        order.hold_until,
        order.expires_at,
        order.version,
        order.confirmed_at,
        order.lost_reason,
        order.given_up,
        order.promotion_code,
    )
    await _keep_sessions(conn, INSERT_SESSION, order)


async def update_order(conn: Connection, order: Order) -> None:
    """Keep an order that went one version on; raises `OrderMoved` when somebody else was there."""
    updated = await conn.fetchval(
        UPDATE_ORDER,
        order.order_id,
        order.version,
        order.state.value,
        order.hold_until,
        order.expires_at,
        order.confirmed_at,
        order.lost_reason,
        order.given_up,
    )
    if updated is None:
        raise OrderMoved(str(order.order_id))
    await _keep_sessions(conn, UPDATE_SESSION, order)


async def read_order(conn: Connection, order_id: OrderId) -> Order | None:
    """Return an order."""
    return next(iter(await read_orders(conn, [order_id])), None)


async def read_orders(conn: Connection, order_ids: Iterable[UUID]) -> list[Order]:
    """Return orders, newest first."""
    wanted = list(order_ids)
    if not wanted:
        return []
    rows = await conn.fetch(READ_ORDERS, wanted)
    return [_order(list(of_one)) for _, of_one in groupby(rows, key=itemgetter("order_id"))]


async def lock_order(conn: Connection, order_id: OrderId) -> Order | None:
    """Return an order that nobody else changes until this transaction ends."""
    if await conn.fetchval(LOCK_ORDER, order_id) is None:
        return None
    return await read_order(conn, order_id)


async def order_of_session(conn: Connection, session_id: SessionId) -> Order | None:
    """Return the order that bought a session."""
    order_id = await conn.fetchval(ORDER_OF_SESSION, session_id)
    return await read_order(conn, order_id) if order_id else None


async def may_hold(conn: Connection, mentee_id: PersonId, mentor_id: PersonId) -> bool:
    """Return whether a mentee holds a mentor's time, or will once a request is accepted."""
    return bool(await conn.fetchval(MAY_HOLD, mentee_id, mentor_id))


async def lock_open_holds(
    conn: Connection, mentee_id: PersonId, mentor_id: PersonId
) -> list[Order]:
    """Return a mentee's holds with one mentor, locked in the order of ids."""
    rows = await conn.fetch(LOCK_OPEN_HOLDS, mentee_id, mentor_id)
    return await read_orders(conn, [row["order_id"] for row in rows])


async def count_unpaid(
    conn: Connection, mentee_id: PersonId, now: datetime, *, free: bool = False
) -> tuple[int, int]:
    """Return how many slots a mentee keeps unpaid, and how many lapsed within `LAPSES_WITHIN`.

    The `free` sessions still ahead count where one more of them is wanted: nothing else ends them.
    """
    row = await conn.fetchrow(COUNT_UNPAID, mentee_id, now, now - LAPSES_WITHIN, free)
    return (row["open"], row["lapsed"]) if row else (0, 0)


async def lock_next_to_expire(conn: Connection, now: datetime) -> Order | None:
    """Return what waited longest beyond its time and nobody else works on, locked."""
    order_id = await conn.fetchval(NEXT_TO_EXPIRE, now)
    return await read_order(conn, order_id) if order_id else None


async def next_to_complete(conn: Connection, now: datetime) -> tuple[OrderId, SessionId] | None:
    """Return the session that is due to complete first, with its purchase; nothing is locked."""
    row = await conn.fetchrow(NEXT_TO_COMPLETE, now)
    return (OrderId(row["order_id"]), SessionId(row["session_id"])) if row else None


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


def _order(rows: Sequence[asyncpg.Record]) -> Order:
    first = rows[0]
    return Order(
        order_id=OrderId(first["order_id"]),
        offering_id=OfferingId(first["offering_id"]),
        offering_revision=first["offering_revision"],
        mentor_id=PersonId(first["mentor_id"]),
        mentee_id=PersonId(first["mentee_id"]),
        title=first["title"],
        buffer_before_minutes=first["buffer_before_minutes"],
        buffer_after_minutes=first["buffer_after_minutes"],
        minimum_notice_minutes=first["minimum_notice_minutes"],
        price_minor=first["whole_price_minor"],
        currency=first["currency"],
        policy=policy_from(first["policy"]),
        hold_until=first["hold_until"],
        expires_at=first["expires_at"],
        sessions=tuple(_session(row) for row in rows),
        answers=tuple(Answer(*given) for given in first["answers"]),
        version=first["version"],
        confirmed_at=first["confirmed_at"],
        lost_reason=first["lost_reason"],
        given_up=first["given_up"],
        promotion_code=first["promotion_code"],
    )


def _session(row: asyncpg.Record) -> Session:
    return Session(
        session_id=SessionId(row["session_id"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        price_minor=row["price_minor"],
        state=OrderState(row["state"]),
        completes_at=row["completes_at"],
        calendar_sequence=row["calendar_sequence"],
        mentee_moves=row["mentee_moves"],
        mentor_moves=row["mentor_moves"],
        refund_closed=row["refund_closed"],
        cancelled_by=row["cancelled_by"],
        cancel_reason=row["cancel_reason"],
        refund_basis_points=row["refund_basis_points"],
        completed_by=row["completed_by"],
        completed_at=row["completed_at"],
        missed_by=row["missed_by"],
        objection=objection_from(row["objection"]),
        released_at=row["released_at"],
        proposal=proposal_from(row["proposal"], row["proposal_until"]),
        mentee_proposals=row["mentee_proposals"],
        mentor_proposals=row["mentor_proposals"],
    )


async def _keep_sessions(conn: Connection, statement: str, order: Order) -> None:
    for session in order.sessions:
        await conn.execute(
            statement,
            session.session_id,
            order.order_id,
            session.starts_at,
            session.ends_at,
            session.price_minor,
            session.state.value,
            session.completes_at,
            session.calendar_sequence,
            session.mentee_moves,
            session.mentor_moves,
            session.refund_closed,
            session.cancelled_by,
            session.cancel_reason,
            session.refund_basis_points,
            session.completed_by,
            session.completed_at,
            session.missed_by,
            objection_as_json(session.objection),
            session.released_at,
            proposal_as_json(session.proposal),
            session.proposal and session.proposal.answer_by,
            session.mentee_proposals,
            session.mentor_proposals,
        )
