"""SQL for orders: the payment page, the payment, and the sessions with booking's decisions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.orders import Order, Session
from shared.db import Connection
from shared.money import Money

INSERT_ORDER = """
INSERT INTO orders (order_id, mentor_id, mentee_id, title, price_minor, currency,
    platform_share_basis_points, release_delay_seconds, hold_until, opened_at, state, close_at,
    look_at, checkout_id, checkout_url, payment_intent_id, charge_id, stripe_fee_minor,
    paid_at, closed_because, version, borne_fee_minor, kind, minimum_fee_minor, fee_rule,
    promotion_code, promotion_refused, taken_off_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25, $26, $27, $28)
"""
INSERT_SESSION = """
INSERT INTO sessions (session_id, order_id, place, price_minor, decision, discount_minor, lot_id,
    taken_off_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
SESSIONS = """
SELECT session_id, price_minor, decision, objected_at, discount_minor, lot_id, disputed_at,
    taken_off_minor
FROM sessions WHERE order_id = $1 ORDER BY place
"""
SAVE_SESSION = """
UPDATE sessions SET decision = $2, objected_at = $3, disputed_at = $4 WHERE session_id = $1
"""
ORDER = """
SELECT order_id, mentor_id, mentee_id, title, price_minor, currency,
    platform_share_basis_points, release_delay_seconds, hold_until, opened_at, state, close_at,
    look_at, checkout_id, checkout_url, payment_intent_id, charge_id, stripe_fee_minor,
    paid_at, closed_because, version, kind, minimum_fee_minor, fee_rule, borne_fee_minor,
    promotion_code, promotion_refused, taken_off_minor
FROM orders WHERE order_id = $1
"""
LOCK_ORDER = """
SELECT order_id, mentor_id, mentee_id, title, price_minor, currency,
    platform_share_basis_points, release_delay_seconds, hold_until, opened_at, state, close_at,
    look_at, checkout_id, checkout_url, payment_intent_id, charge_id, stripe_fee_minor,
    paid_at, closed_because, version, kind, minimum_fee_minor, fee_rule, borne_fee_minor,
    promotion_code, promotion_refused, taken_off_minor
FROM orders WHERE order_id = $1 FOR UPDATE
"""
SAVE_ORDER = """
UPDATE orders SET state = $2, close_at = $3, look_at = $4, checkout_id = $5, checkout_url = $6,
    payment_intent_id = $7, charge_id = $8, stripe_fee_minor = $9, paid_at = $10,
    closed_because = $11, version = $12, borne_fee_minor = $13
WHERE order_id = $1
"""
NEXT_TO_CLOSE = """
SELECT order_id FROM orders WHERE state = 'open' AND close_at <= $1
ORDER BY close_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
NEXT_TO_LOOK_AT = """
SELECT order_id FROM orders WHERE look_at <= $1
ORDER BY look_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""


async def add_order(conn: Connection, order: Order) -> None:
    """Store a new order."""
    await conn.execute(
        INSERT_ORDER,
        order.order_id,
        order.mentor_id,
        order.mentee_id,
        order.title,
        order.price.minor,
        order.price.currency,
        order.platform_share_basis_points,
        round(order.release_delay.total_seconds()),
        order.hold_until,
        order.opened_at,
        *_changing(order),
        order.kind,
        order.minimum_fee_minor,
        order.fee_rule,
        order.promotion_code,
        order.promotion_refused,
        order.taken_off_minor,
    )
    for place, each in enumerate(order.sessions, 1):
        await conn.execute(
            INSERT_SESSION,
            each.session_id,
            order.order_id,
            place,
            each.price.minor,
            each.decision,
            each.discount_minor,
            each.lot_id,
            each.taken_off_minor,
        )


async def load_order(conn: Connection, order_id: UUID) -> Order | None:
    """Return an order as it stands."""
    row = await conn.fetchrow(ORDER, order_id)
    return await _order(conn, row) if row else None


async def lock_order(conn: Connection, order_id: UUID) -> Order | None:
    """Return an order, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_ORDER, order_id)
    return await _order(conn, row) if row else None


async def save_order(conn: Connection, order: Order) -> None:
    """Store what changes of an order that is locked, but for its sessions."""
    await conn.execute(SAVE_ORDER, order.order_id, *_changing(order))


async def save_sessions(conn: Connection, order: Order) -> None:
    """Store what was decided about the sessions of an order that is locked."""
    for each in order.sessions:
        await conn.execute(
            SAVE_SESSION, each.session_id, each.decision, each.objected_at, each.disputed_at
        )


async def next_to_close(conn: Connection, now: datetime) -> UUID | None:
    """Return and lock the open order whose page must be closed first, if one is due."""
    return await conn.fetchval(NEXT_TO_CLOSE, now)


async def next_to_look_at(conn: Connection, now: datetime) -> UUID | None:
    """Return and lock the order that must be looked at first, if one is due."""
    return await conn.fetchval(NEXT_TO_LOOK_AT, now)


def _changing(order: Order) -> tuple[object, ...]:
    return (
        order.state,
        order.close_at,
        order.look_at,
        order.checkout_id,
        order.checkout_url,
        order.payment_intent_id,
        order.charge_id,
        order.stripe_fee_minor,
        order.paid_at,
        order.closed_because,
        order.version,
        order.borne_fee_minor,
    )


async def _order(conn: Connection, row: asyncpg.Record) -> Order:
    """Read the sessions of an order in a statement that begins when the order is locked."""
    fields: dict[str, Any] = dict(row)
    currency = fields.pop("currency")
    delay = timedelta(seconds=fields.pop("release_delay_seconds"))
    sessions = tuple(
        Session(
            each["session_id"],
            Money(each["price_minor"], currency),
            each["decision"],
            each["objected_at"],
            each["discount_minor"],
            each["lot_id"],
            each["disputed_at"],
            each["taken_off_minor"],
        )
        for each in await conn.fetch(SESSIONS, fields["order_id"])
    )
    price = Money(fields.pop("price_minor"), currency)
    return Order(**fields, price=price, release_delay=delay, sessions=sessions)
