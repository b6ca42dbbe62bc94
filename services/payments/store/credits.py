"""SQL for what is for sale in advance, and for the credits that were bought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.credits import Lot, Package
from shared.db import Connection
from shared.money import Money

INSERT_PACKAGE = """
INSERT INTO packages (package_id, offering_id, mentor_id, sessions, unit_minor, currency,
    valid_months, offered)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
PACKAGE = """
SELECT package_id, offering_id, mentor_id, sessions, unit_minor, currency, valid_months, offered
FROM packages WHERE package_id = $1
"""
PACKAGES_OF = """
SELECT package_id, offering_id, mentor_id, sessions, unit_minor, currency, valid_months, offered
FROM packages WHERE mentor_id = $1 AND offered ORDER BY package_id
"""
WITHDRAW_PACKAGE = "UPDATE packages SET offered = false WHERE package_id = $1"
INSERT_LOT = """
INSERT INTO lots (lot_id, purchase_id, kind, buyer_id, owner_id, mentor_id, offering_id, title,
    minutes, list_price_minor, unit_minor, currency, sessions, valid_months, remaining, expires_at,
    remind_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
SAVE_LOT = """
UPDATE lots SET owner_id = $2, remaining = $3, expires_at = $4, remind_at = $5, set_aside = false
WHERE lot_id = $1
"""
SET_ASIDE = "UPDATE lots SET set_aside = true WHERE lot_id = $1"
_LOT = """
SELECT lot_id, purchase_id, kind, buyer_id, owner_id, mentor_id, offering_id, title, minutes,
    list_price_minor, unit_minor, currency, sessions, valid_months, remaining, expires_at, remind_at
FROM lots
"""
_NOT_FROZEN = """
NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id)
"""
"""What a bank took back pays for nothing, unless it comes back."""
LOT = f"{_LOT} WHERE lot_id = $1"
LOCK_LOT = f"{_LOT} WHERE lot_id = $1 FOR UPDATE"
LOCK_LOTS = f"{_LOT} WHERE lot_id = ANY($1::uuid[]) ORDER BY lot_id FOR UPDATE"
LOCK_LOTS_OF_PURCHASE = f"{_LOT} WHERE purchase_id = $1 ORDER BY lot_id FOR UPDATE"
LOTS_OF_PURCHASES = f"{_LOT} WHERE purchase_id = ANY($1::uuid[]) ORDER BY lot_id"
LOTS_OF_OWNER = f"{_LOT} WHERE owner_id = $1 AND expires_at IS NOT NULL ORDER BY expires_at, lot_id"
LOCK_USABLE = f"""
{_LOT} WHERE owner_id = $1 AND mentor_id = $2 AND remaining > 0 AND expires_at > $3
    AND {_NOT_FROZEN} ORDER BY lot_id FOR UPDATE
"""
USABLE = f"""
{_LOT} WHERE owner_id = $1 AND mentor_id = $2 AND remaining > 0 AND expires_at > $3
    AND {_NOT_FROZEN} ORDER BY expires_at, lot_id
"""
FUND = f"""
{_LOT} WHERE mentor_id = $1 AND kind = 'sponsorship' AND owner_id IS NULL AND remaining > 0
    AND expires_at > $2 AND {_NOT_FROZEN} ORDER BY expires_at, lot_id
"""
FUND_FOR = f"""
{_LOT} WHERE mentor_id = $1 AND offering_id = $2 AND kind = 'sponsorship' AND owner_id IS NULL
    AND remaining > 0 AND expires_at > $3 AND {_NOT_FROZEN} ORDER BY expires_at, lot_id
"""
BY_CODE = f"{_LOT} WHERE code_hash = $1"
FREE_SESSIONS = "UPDATE sessions SET lot_id = NULL WHERE order_id = $1 AND lot_id IS NOT NULL"
SAVE_CODE = "UPDATE lots SET code_hash = $2 WHERE lot_id = $1"
USED_OF = """
SELECT count(*) FROM sessions AS s JOIN lots AS l ON l.lot_id = s.lot_id
WHERE l.purchase_id = $1 AND NOT EXISTS (
    SELECT FROM refunds AS r WHERE r.session_id = s.session_id AND r.lot_id = s.lot_id
)
"""
IS_FROZEN = "SELECT EXISTS (SELECT FROM frozen_purchases WHERE order_id = $1)"
RESTING = """
SELECT l.lot_id, o.unbookable_since
FROM resting_lots AS r JOIN lots AS l ON l.lot_id = r.lot_id
JOIN offered AS o ON o.offering_id = l.offering_id
WHERE r.lot_id = ANY($1::uuid[])
"""
LOCK_RESTING = f"""
{_LOT} WHERE offering_id = ANY($1) AND remaining > 0 AND expires_at IS NOT NULL
    AND NOT (kind = 'sponsorship' AND owner_id IS NULL)
ORDER BY lot_id FOR UPDATE
"""
NEXT_TO_EXPIRE = f"""
{_LOT} WHERE remaining > 0 AND NOT set_aside AND expires_at <= $1 ORDER BY expires_at LIMIT 1
"""
NEXT_TO_REMIND = f"""
{_LOT} WHERE remaining > 0 AND NOT set_aside AND remind_at <= $1 ORDER BY remind_at LIMIT 1
"""
PURCHASES_OF = """
SELECT order_id FROM orders WHERE mentee_id = $1 AND kind IN ('package', 'gift', 'sponsorship')
    AND state IN ('being_prepared', 'open', 'closing', 'paid')
    AND ($2::uuid IS NULL OR order_id < $2)
ORDER BY order_id DESC LIMIT $3
"""
MENTEES_OF = """
SELECT mentee_id FROM orders
WHERE mentor_id = $1 AND mentee_id <> $1 AND kind = 'sessions' AND state = 'paid'
GROUP BY mentee_id ORDER BY max(paid_at) DESC LIMIT $2
"""
KNOWS = """
SELECT EXISTS (
    SELECT FROM orders
    WHERE mentor_id = $1 AND mentee_id = $2 AND kind = 'sessions' AND state = 'paid'
)
"""


async def add_package(conn: Connection, package: Package) -> None:
    """Store a new package."""
    await conn.execute(
        INSERT_PACKAGE,
        package.package_id,
        package.offering_id,
        package.mentor_id,
        package.sessions,
        package.unit.minor,
        package.unit.currency,
        package.valid_months,
        package.offered,
    )


async def load_package(conn: Connection, package_id: UUID) -> Package | None:
    """Return a package."""
    row = await conn.fetchrow(PACKAGE, package_id)
    return _package(row) if row else None


async def packages_of(conn: Connection, mentor_id: UUID) -> list[Package]:
    """Return what a mentor offers, oldest first."""
    return [_package(row) for row in await conn.fetch(PACKAGES_OF, mentor_id)]


async def withdraw_package(conn: Connection, package_id: UUID) -> None:
    """Offer a package no more."""
    await conn.execute(WITHDRAW_PACKAGE, package_id)


async def add_lot(conn: Connection, lot: Lot) -> None:
    """Store a new lot."""
    await conn.execute(
        INSERT_LOT,
        lot.lot_id,
        lot.purchase_id,
        lot.kind,
        lot.buyer_id,
        lot.owner_id,
        lot.mentor_id,
        lot.offering_id,
        lot.title,
        lot.minutes,
        lot.list_price.minor,
        lot.unit.minor,
        lot.unit.currency,
        lot.sessions,
        lot.valid_months,
        lot.remaining,
        lot.expires_at,
        lot.remind_at,
    )


async def save_lot(conn: Connection, lot: Lot) -> None:
    """Store what changes of a lot that is locked; its time is looked at anew."""
    await conn.execute(
        SAVE_LOT, lot.lot_id, lot.owner_id, lot.remaining, lot.expires_at, lot.remind_at
    )


async def set_aside(conn: Connection, lot_id: UUID) -> None:
    """Look at the time of a lot no more, which stands still, until something changes of it."""
    await conn.execute(SET_ASIDE, lot_id)


async def load_lot(conn: Connection, lot_id: UUID) -> Lot | None:
    """Return a lot."""
    row = await conn.fetchrow(LOT, lot_id)
    return _lot(row) if row else None


async def lock_lot(conn: Connection, lot_id: UUID) -> Lot | None:
    """Return a lot, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_LOT, lot_id)
    return _lot(row) if row else None


async def lock_lots(conn: Connection, lot_ids: Sequence[UUID]) -> dict[UUID, Lot]:
    """Return lots by id, locked in the order of their ids."""
    rows = await conn.fetch(LOCK_LOTS, list(lot_ids)) if lot_ids else []
    return {row["lot_id"]: _lot(row) for row in rows}


async def lock_lots_of(conn: Connection, purchase_id: UUID) -> list[Lot]:
    """Return the lots of a purchase, locked: what was bought, and what was granted of it."""
    return [_lot(row) for row in await conn.fetch(LOCK_LOTS_OF_PURCHASE, purchase_id)]


async def lots_of_purchases(conn: Connection, purchase_ids: Sequence[UUID]) -> list[Lot]:
    """Return the lots of several purchases."""
    return [_lot(row) for row in await conn.fetch(LOTS_OF_PURCHASES, list(purchase_ids))]


async def lots_of_owner(conn: Connection, owner_id: UUID) -> list[Lot]:
    """Return somebody's credits, used up ones as well; the first to expire comes first."""
    return [_lot(row) for row in await conn.fetch(LOTS_OF_OWNER, owner_id)]


async def usable(conn: Connection, owner_id: UUID, mentor_id: UUID, now: datetime) -> list[Lot]:
    """Return somebody's credits with a mentor that are good now."""
    return [_lot(row) for row in await conn.fetch(USABLE, owner_id, mentor_id, now)]


async def lock_usable(
    conn: Connection, owner_id: UUID, mentor_id: UUID, now: datetime
) -> list[Lot]:
    """Return somebody's credits with a mentor that are good now, locked: one purchase uses them."""
    return [_lot(row) for row in await conn.fetch(LOCK_USABLE, owner_id, mentor_id, now)]


async def is_frozen(conn: Connection, purchase_id: UUID) -> bool:
    """Return whether a bank has what was paid for a purchase."""
    return bool(await conn.fetchval(IS_FROZEN, purchase_id))


async def resting(conn: Connection, lots: Sequence[Lot]) -> dict[UUID, datetime]:
    """Return which credits rest because nobody can book what they are for, and since when."""
    rows = await conn.fetch(RESTING, [lot.lot_id for lot in lots])
    return {row["lot_id"]: row["unbookable_since"] for row in rows}


async def lock_resting(conn: Connection, offerings: Sequence[UUID]) -> list[Lot]:
    """Return the credits, locked, that rest while their offerings cannot be booked."""
    return [_lot(row) for row in await conn.fetch(LOCK_RESTING, offerings)]


async def used_of(conn: Connection, purchase_id: UUID) -> int:
    """Return how many sessions the credits of a purchase pay for."""
    return int(await conn.fetchval(USED_OF, purchase_id))


async def fund_of(conn: Connection, mentor_id: UUID, now: datetime) -> list[Lot]:
    """Return what sponsors gave a mentor and nobody was granted yet."""
    return [_lot(row) for row in await conn.fetch(FUND, mentor_id, now)]


async def fund_for(
    conn: Connection, mentor_id: UUID, offering_id: UUID, now: datetime
) -> list[tuple[UUID, UUID]]:
    """Return purchase and lot of what sponsors gave for an offering; the first to expire first."""
    rows = await conn.fetch(FUND_FOR, mentor_id, offering_id, now)
    return [(row["purchase_id"], row["lot_id"]) for row in rows]


async def by_code(conn: Connection, code_hash: bytes) -> Lot | None:
    """Return the gift with a code."""
    row = await conn.fetchrow(BY_CODE, code_hash)
    return _lot(row) if row else None


async def save_code(conn: Connection, lot_id: UUID, code_hash: bytes | None) -> None:
    """Remember what the code of a gift hashes to, or forget it; the code itself is kept nowhere."""
    await conn.execute(SAVE_CODE, lot_id, code_hash)


async def free_sessions(conn: Connection, order_id: UUID) -> None:
    """Note that credits pay for no session of a purchase any more."""
    await conn.execute(FREE_SESSIONS, order_id)


async def next_to_expire(conn: Connection, now: datetime) -> tuple[UUID, UUID] | None:
    """Return purchase and lot whose credits expired first, if some did."""
    row = await conn.fetchrow(NEXT_TO_EXPIRE, now)
    return (row["purchase_id"], row["lot_id"]) if row else None


async def next_to_remind(conn: Connection, now: datetime) -> Lot | None:
    """Return the lot of which somebody must be reminded first, if one is due."""
    row = await conn.fetchrow(NEXT_TO_REMIND, now)
    return _lot(row) if row else None


async def purchases_of(
    conn: Connection, buyer_id: UUID, before: UUID | None, limit: int
) -> list[UUID]:
    """Return somebody's purchases of credits, newest first, those that lapsed unpaid left out."""
    rows = await conn.fetch(PURCHASES_OF, buyer_id, before, limit)
    return [row["order_id"] for row in rows]


async def mentees_of(conn: Connection, mentor_id: UUID, limit: int) -> list[UUID]:
    """Return who booked with a mentor, the latest first."""
    return [row["mentee_id"] for row in await conn.fetch(MENTEES_OF, mentor_id, limit)]


async def knows(conn: Connection, mentor_id: UUID, mentee_id: UUID) -> bool:
    """Return whether somebody booked with a mentor before."""
    return bool(await conn.fetchval(KNOWS, mentor_id, mentee_id))


def _package(row: asyncpg.Record) -> Package:
    return Package(**_with_money(row, unit="unit_minor"))


def _lot(row: asyncpg.Record) -> Lot:
    return Lot(**_with_money(row, unit="unit_minor", list_price="list_price_minor"))


def _with_money(row: asyncpg.Record, **amounts: str) -> dict[str, Any]:
    fields: dict[str, Any] = dict(row)
    currency = fields.pop("currency")
    return fields | {name: Money(fields.pop(column), currency) for name, column in amounts.items()}
