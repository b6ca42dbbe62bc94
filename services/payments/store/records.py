"""SQL for what booking told about sessions, kept to answer a dispute with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from services.payments.domain.evidence import End, Record, Visit
from shared.db import Connection

BEGIN_RECORD = """
INSERT INTO session_records (session_id, starts_at, ends_at, policy) VALUES ($1, $2, $3, $4)
ON CONFLICT (session_id) DO NOTHING
"""
END_RECORD = """
UPDATE session_records SET starts_at = $2, ends_at = $3, ended = $4, ended_by = $5, ended_at = $6,
    visits = $7
WHERE session_id = $1
"""
OWE = """
UPDATE session_records SET owed_basis_points = GREATEST(owed_basis_points, $2) WHERE session_id = $1
"""
_RECORD = """
SELECT r.session_id, r.starts_at, r.ends_at, r.policy, r.ended, r.ended_by, r.ended_at, r.visits,
    r.owed_basis_points, s.decision = 'lost' AS lost, o.mentee_id
FROM session_records AS r
INNER JOIN sessions AS s ON r.session_id = s.session_id
INNER JOIN orders AS o ON s.order_id = o.order_id
"""
RECORDS_OF = f"{_RECORD} WHERE s.order_id = $1 ORDER BY s.place"
_PAID_BY = """
SELECT session_id FROM sessions WHERE order_id = $1 AND lot_id IS NULL
UNION ALL
SELECT u.session_id FROM lots AS l INNER JOIN sessions AS u ON l.lot_id = u.lot_id
WHERE l.purchase_id = $1 AND u.decision <> 'held'
"""
RECORDS_PAID_BY = f"""
{_RECORD} WHERE s.session_id IN ({_PAID_BY}) ORDER BY r.starts_at, r.session_id
"""
SUBSCRIBED_AT = """
SELECT min(o.paid_at) FROM plan_invoices AS i
INNER JOIN plan_invoices AS one ON i.subscription_id = one.subscription_id
INNER JOIN orders AS o ON one.order_id = o.order_id
WHERE i.order_id = $1
"""


async def begin_record(
    conn: Connection, session_id: UUID, starts_at: datetime, ends_at: datetime, policy: str
) -> None:
    """Keep when a session is and which policy was accepted."""
    await conn.execute(BEGIN_RECORD, session_id, starts_at, ends_at, policy)


async def end_record(
    conn: Connection, session_id: UUID, starts_at: datetime, ends_at: datetime, end: End
) -> None:
    """Keep how a session ended; one that was sold before records were kept has none."""
    visits = [
        {
            "side": visit.side,
            "joined_at": visit.joined_at.isoformat(),
            "left_at": visit.left_at.isoformat() if visit.left_at else None,
        }
        for visit in end.visits
    ]
    await conn.execute(END_RECORD, session_id, starts_at, ends_at, end.how, end.by, end.at, visits)


async def owe(conn: Connection, session_id: UUID, basis_points: int) -> None:
    """Keep which fraction of a session's price goes back; what was more before stays."""
    await conn.execute(OWE, session_id, basis_points)


async def records_of(conn: Connection, order_id: UUID) -> list[Record]:
    """Return what was told of each session of a purchase, in order."""
    return [_record(row) for row in await conn.fetch(RECORDS_OF, order_id)]


async def records_paid_by(conn: Connection, order_id: UUID) -> list[Record]:
    """Return what was told of each session that a payment paid, itself or by credits, in time."""
    return [_record(row) for row in await conn.fetch(RECORDS_PAID_BY, order_id)]


async def subscribed_at(conn: Connection, order_id: UUID) -> datetime | None:
    """Return when the first month of the plan was paid of which a purchase is a month."""
    return await conn.fetchval(SUBSCRIBED_AT, order_id)


def _record(row: asyncpg.Record) -> Record:
    visits = tuple(
        Visit(
            visit["side"],
            datetime.fromisoformat(visit["joined_at"]),
            datetime.fromisoformat(visit["left_at"]) if visit["left_at"] else None,
        )
        for visit in row["visits"]
    )
    ended = row["ended"]
    return Record(
        row["session_id"],
        row["starts_at"],
        row["ends_at"],
        row["policy"],
        End(ended, row["ended_by"], row["ended_at"], visits) if ended else None,
        row["owed_basis_points"],
        lost=row["lost"],
        mentee_id=row["mentee_id"],
    )
