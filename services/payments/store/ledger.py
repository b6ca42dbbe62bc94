"""SQL for the ledger: added to, read, never changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from services.payments.domain.timeline import Posted
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry
from shared.db import Connection
from shared.ids import new_id

POST = """
WITH entry AS (
    INSERT INTO ledger_entries (entry_id, cause, kind, happened_at, source)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (cause) DO NOTHING RETURNING entry_id, kind, source
), asked AS (
    INSERT INTO ledger_questions (source) SELECT source FROM entry WHERE source IS NOT NULL
), documented AS (
    INSERT INTO documents_wanted (entry_id)
    SELECT entry_id FROM entry WHERE kind IN ('payment', 'refund_planned')
)
INSERT INTO ledger_lines (entry_id, line_number, account, order_id, mentor_id, amount_minor,
    currency, session_id)
SELECT entry.entry_id, line.number, line.account, line.order_id, line.mentor_id, line.amount_minor,
    line.currency, line.session_id
FROM entry CROSS JOIN unnest($6::text[], $7::uuid[], $8::uuid[], $9::bigint[], $10::text[],
    $11::uuid[]) WITH ORDINALITY
    AS line (account, order_id, mentor_id, amount_minor, currency, session_id, number)
"""
NOTHING_POSTED = "INSERT 0 0"
LINES_OF_ORDER = """
SELECT e.kind, e.entry_id, l.line_number, e.happened_at, l.account, l.amount_minor, l.currency,
    l.session_id
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.order_id = $1
UNION ALL
SELECT e.kind, e.entry_id, l.line_number, e.happened_at, l.account, l.amount_minor, l.currency,
    own.session_id
FROM (
    SELECT DISTINCT entry_id, session_id FROM ledger_lines
    WHERE order_id = $1 AND session_id IS NOT NULL
) AS own
JOIN ledger_entries AS e ON e.entry_id = own.entry_id AND e.kind = 'credit_returned'
JOIN ledger_lines AS l ON l.entry_id = e.entry_id AND l.account IN ('credits', 'sponsored')
ORDER BY happened_at, entry_id, line_number
"""
"""A credit that came back stands with the purchase of the credit, and is told of its session."""
TRIAL_BALANCE = """
SELECT account, currency, amount_minor FROM ledger_balances ORDER BY currency, account
"""
TRIAL_BALANCE_BEFORE = """
SELECT l.account, l.currency, sum(l.amount_minor)::bigint AS amount_minor
FROM ledger_entries AS e JOIN ledger_lines AS l ON l.entry_id = e.entry_id
WHERE e.happened_at < $1 GROUP BY l.account, l.currency ORDER BY l.currency, l.account
"""
MENTOR_BALANCE = """
SELECT account, currency, sum(amount_minor)::bigint AS amount_minor
FROM ledger_counters WHERE mentor_id = $1 GROUP BY account, currency
"""
FOLD = "SELECT fold_ledger_counters($1)"


async def post(conn: Connection, entry: Entry) -> bool:
    """Post an entry unless its cause was posted before; return whether it was new."""
    if not entry.lines:
        return False
    touched = any(line.account is Account.STRIPE_BALANCE for line in entry.lines)
    done = await conn.execute(
        POST,
        new_id(),
        entry.cause,
        entry.kind,
        entry.happened_at,
        # Stripe shows nothing under our own cause: whoever forgot the object is noticed.
        entry.source or (entry.cause if touched else None),
        [line.account.value for line in entry.lines],
        [line.order_id for line in entry.lines],
        [line.mentor_id for line in entry.lines],
        [line.minor for line in entry.lines],
        [line.currency for line in entry.lines],
        [line.session_id for line in entry.lines],
    )
    return done != NOTHING_POSTED


async def lines_of_order(conn: Connection, order_id: UUID) -> list[Posted]:
    """Return all lines about an order, in order."""
    return [_line(row) for row in await conn.fetch(LINES_OF_ORDER, order_id)]


async def trial_balance(
    conn: Connection, before: datetime | None = None
) -> list[tuple[str, str, int]]:
    """Return account, currency and balance of every account, now or before an instant."""
    if before is None:
        rows = await conn.fetch(TRIAL_BALANCE)
    else:
        rows = await conn.fetch(TRIAL_BALANCE_BEFORE, before)
    return [(row["account"], row["currency"], row["amount_minor"]) for row in rows]


async def mentor_balance(conn: Connection, mentor_id: UUID) -> dict[tuple[Account, str], int]:
    """Return the balances that are a mentor's own, by account and currency."""
    rows = await conn.fetch(MENTOR_BALANCE, mentor_id)
    return {(Account(row["account"]), row["currency"]): row["amount_minor"] for row in rows}


async def fold(conn: Connection, at_most: int) -> int:
    """Add up rows of the same balance; return how many there were."""
    return int(await conn.fetchval(FOLD, at_most))


def _line(row: asyncpg.Record) -> Posted:
    return Posted(
        entry=row["kind"],
        at=row["happened_at"],
        account=row["account"],
        minor=row["amount_minor"],
        currency=row["currency"],
        session_id=row["session_id"],
    )
