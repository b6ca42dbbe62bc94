"""SQL for mentors' statements and yearly summaries."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from services.payments.domain.statements import (
    LESS_BOTH_FEES,
    Month,
    Movement,
    PaidOut,
    Period,
    Quarter,
    Statement,
    StatementWanted,
    topic_of,
)
from shared.db import Connection

NEXT_MONTH = "SELECT period_from, period_until FROM next_statement_month"
CLOSE_MONTH = """
INSERT INTO statement_months (period_from, period_until, closed_at) VALUES ($1, $2, $3)
ON CONFLICT (period_from) DO NOTHING
"""
WANT_STATEMENTS = """
INSERT INTO statements_wanted (mentor_id, currency, period_from, period_until)
SELECT l.mentor_id, l.currency, $1, $2
FROM ledger_entries AS e JOIN ledger_lines AS l ON l.entry_id = e.entry_id
WHERE e.happened_at >= $1 AND e.happened_at < $2 AND l.mentor_id IS NOT NULL
UNION
SELECT mentor_id, currency, $1, $2 FROM payouts WHERE ended_at >= $1 AND ended_at < $2
"""
NEXT_WANTED = """
DELETE FROM statements_wanted WHERE ctid = (
    SELECT ctid FROM statements_wanted ORDER BY period_from LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING mentor_id, currency, period_from, period_until
"""
OPENING = """
SELECT COALESCE(-sum(l.amount_minor), 0)::bigint
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.mentor_id = $1 AND l.currency = $2 AND l.account IN ('mentor_payable', 'mentor_debt')
    AND e.happened_at < $3
"""
MOVEMENTS = """
SELECT e.kind, e.happened_at, l.order_id, l.session_id, o.title,
    -sum(l.amount_minor)::bigint AS amount_minor,
    COALESCE(sum(l.amount_minor) FILTER (WHERE l.account = 'mentor_payable'), 0)::bigint
        AS payable_minor,
    (
        SELECT s.price_minor FROM sessions AS s
        WHERE s.session_id = l.session_id AND e.kind = 'release'
    ) AS price_minor,
    (
        SELECT COALESCE(-sum(f.amount_minor), 0)::bigint FROM ledger_lines AS f
        WHERE f.entry_id = e.entry_id AND f.account = 'platform_revenue' AND e.kind = 'release'
    ) AS fee_minor,
    COALESCE(o.borne_fee_minor, 0) > 0 AS bears_stripe_fee
FROM ledger_lines AS l
JOIN ledger_entries AS e ON e.entry_id = l.entry_id
LEFT JOIN orders AS o ON o.order_id = l.order_id
WHERE l.mentor_id = $1 AND l.currency = $2 AND l.account IN ('mentor_payable', 'mentor_debt')
    AND e.happened_at >= $3 AND e.happened_at < $4
GROUP BY e.entry_id, l.order_id, l.session_id, o.title, o.borne_fee_minor
ORDER BY e.happened_at, e.entry_id
"""
# What a statement said to have arrived, a later one takes back.
PAYOUTS_OF_MONTH = """
SELECT p.stripe_payout_id AS payout_id, p.created_at, p.arrives_at, p.ended_at, p.state,
    p.amount_minor,
    p.state = 'failed' AND EXISTS (
        SELECT FROM statements AS s
        WHERE s.mentor_id = $1 AND s.currency = $2 AND s.content -> 'payouts' @> jsonb_build_array(
            jsonb_build_object('payout_id', p.stripe_payout_id, 'state', 'paid')
        )
    ) AS returned
FROM payouts AS p
WHERE p.mentor_id = $1 AND p.currency = $2 AND p.ended_at >= $3 AND p.ended_at < $4
ORDER BY p.ended_at, p.stripe_payout_id
"""
INSERT_STATEMENT = """
INSERT INTO statements (statement_id, mentor_id, currency, period_from, period_until,
    opening_minor, closing_minor, made_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
COUNT_STATEMENTS = "SELECT count(*) FROM statements WHERE mentor_id = $1"
STATEMENT = """
SELECT statement_id, mentor_id, currency, period_from, period_until, opening_minor, closing_minor,
    made_at, content
FROM statements WHERE statement_id = $1
"""
STATEMENTS_OF = """
SELECT statement_id, mentor_id, currency, period_from, period_until, opening_minor, closing_minor,
    made_at, content
FROM statements WHERE mentor_id = $1 AND ($2::uuid IS NULL OR statement_id < $2)
ORDER BY statement_id DESC LIMIT $3
"""
LATEST_YEAR = """
SELECT extract(year FROM max(e.happened_at) AT TIME ZONE 'UTC')::int
FROM earnings AS n
JOIN ledger_lines AS l ON l.order_id = n.order_id AND l.session_id = n.session_id
JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE n.mentor_id = $1 AND l.account IN ('mentor_payable', 'mentor_debt', 'platform_revenue')
    AND e.kind NOT IN ('transfer', 'reversal', 'netting', 'debt_owed_again')
"""
QUARTERS = """
WITH posted AS (
    SELECT e.entry_id, e.kind, e.happened_at, l.currency, l.session_id,
        -sum(l.amount_minor) FILTER (WHERE l.account = 'platform_revenue') AS fees,
        -sum(l.amount_minor) FILTER (WHERE l.account <> 'platform_revenue') AS net
    FROM earnings AS n
    JOIN ledger_lines AS l ON l.order_id = n.order_id AND l.session_id = n.session_id
    JOIN ledger_entries AS e ON e.entry_id = l.entry_id
    WHERE n.mentor_id = $1 AND e.happened_at >= $2 AND e.happened_at < $3
        AND l.account IN ('mentor_payable', 'mentor_debt', 'platform_revenue')
        AND e.kind NOT IN ('transfer', 'reversal', 'netting', 'debt_owed_again')
    GROUP BY e.entry_id, l.currency, l.session_id
)
SELECT date_trunc('quarter', p.happened_at, 'UTC') AS since, p.currency,
    count(*) FILTER (WHERE p.kind = 'release') AS sessions,
    COALESCE(sum(s.price_minor) FILTER (WHERE p.kind = 'release'), 0)::bigint AS gross_minor,
    COALESCE(sum(p.fees), 0)::bigint AS fees_minor,
    COALESCE(sum(p.net), 0)::bigint AS net_minor
FROM posted AS p JOIN sessions AS s ON s.session_id = p.session_id
GROUP BY 1, 2 ORDER BY 1, 2
"""


async def next_month(conn: Connection) -> Period | None:
    """Return the first month in which money moved and that is not stated yet."""
    row = await conn.fetchrow(NEXT_MONTH)
    return Period(row["period_from"], row["period_until"]) if row else None


async def close_month(conn: Connection, period: Period, now: datetime) -> None:
    """Want a statement for every mentor whose money moved in a month, once."""
    done = await conn.execute(CLOSE_MONTH, period.since, period.until, now)
    if done.endswith(" 1"):
        await conn.execute(WANT_STATEMENTS, period.since, period.until)


async def next_wanted(conn: Connection) -> StatementWanted | None:
    """Take the next statement to make; nobody else takes it unless this is rolled back."""
    row = await conn.fetchrow(NEXT_WANTED)
    if row is None:
        return None
    period = Period(row["period_from"], row["period_until"])
    return StatementWanted(row["mentor_id"], row["currency"], period)


async def opening_of(conn: Connection, wanted: StatementWanted) -> int:
    """Return what a mentor had when a month began, as the ledger says."""
    found = await conn.fetchval(OPENING, wanted.mentor_id, wanted.currency, wanted.period.since)
    return int(found)


async def month_of(conn: Connection, wanted: StatementWanted) -> Month:
    """Return everything that moved a mentor's money in a month."""
    about = (wanted.mentor_id, wanted.currency, wanted.period.since, wanted.period.until)
    movements = tuple(_movement(row) for row in await conn.fetch(MOVEMENTS, *about))
    payouts = tuple(PaidOut(**dict(row)) for row in await conn.fetch(PAYOUTS_OF_MONTH, *about))
    return Month(movements=movements, payouts=payouts)


async def add_statement(conn: Connection, statement: Statement) -> int:
    """Store a statement for good; return how many the mentor has now."""
    await conn.execute(
        INSERT_STATEMENT,
        statement.statement_id,
        statement.mentor_id,
        statement.currency,
        statement.period.since,
        statement.period.until,
        statement.opening_minor,
        statement.closing_minor,
        statement.made_at,
        statement.month.model_dump(mode="json"),
    )
    return int(await conn.fetchval(COUNT_STATEMENTS, statement.mentor_id))


async def load_statement(conn: Connection, statement_id: UUID) -> Statement | None:
    """Return a statement."""
    row = await conn.fetchrow(STATEMENT, statement_id)
    return _statement(row) if row else None


async def statements_of(
    conn: Connection, mentor_id: UUID, before: UUID | None, limit: int
) -> list[Statement]:
    """Return a page of a mentor's statements, newest first."""
    rows = await conn.fetch(STATEMENTS_OF, mentor_id, before, limit)
    return [_statement(row) for row in rows]


async def latest_year(conn: Connection, mentor_id: UUID) -> int | None:
    """Return the last year (UTC) in which the ledger credited or took anything from a mentor."""
    return await conn.fetchval(LATEST_YEAR, mentor_id)


async def quarters(
    conn: Connection, mentor_id: UUID, since: datetime, until: datetime
) -> list[Quarter]:
    """Return what the ledger credited to a mentor between two instants, by quarter."""
    rows = await conn.fetch(QUARTERS, mentor_id, since, until)
    return [Quarter(**dict(row)) for row in rows]


def _movement(row: asyncpg.Record) -> Movement:
    topic, words = topic_of(row["kind"], row["amount_minor"])
    earned = row["kind"] == "release"
    return Movement(
        at=row["happened_at"],
        topic=topic,
        words=LESS_BOTH_FEES if earned and row["bears_stripe_fee"] else words,
        order_id=row["order_id"],
        session_id=row["session_id"],
        title=row["title"],
        amount_minor=row["amount_minor"],
        kept_minor=row["payable_minor"] if topic == "kept" else 0,
        price_minor=row["price_minor"] if earned else None,
        fee_minor=row["fee_minor"] if earned else None,
    )


def _statement(row: asyncpg.Record) -> Statement:
    return Statement(
        row["statement_id"],
        row["mentor_id"],
        row["currency"],
        Period(row["period_from"], row["period_until"]),
        row["opening_minor"],
        row["closing_minor"],
        row["made_at"],
        Month.model_validate(row["content"]),
    )
