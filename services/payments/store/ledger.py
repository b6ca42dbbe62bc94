"""SQL for the ledger: added to, read, never changed."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from services.payments.domain.timeline import Posted
from services.payments.ledger.entries import Entry
from shared.db import Connection
from shared.ids import new_id

INSERT_ENTRY = """
INSERT INTO ledger_entries (entry_id, cause, kind, happened_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (cause) DO NOTHING RETURNING entry_id
"""
INSERT_LINE = """
INSERT INTO ledger_lines (entry_id, line_number, account, order_id, mentor_id, amount_minor,
    currency, session_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
LINES_OF_ORDER = """
SELECT e.kind, e.happened_at, l.account, l.amount_minor, l.currency, l.session_id
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.order_id = $1
ORDER BY e.happened_at, e.entry_id, l.line_number
"""
TRIAL_BALANCE = """
SELECT account, currency, amount_minor FROM ledger_balances ORDER BY currency, account
"""


async def post(conn: Connection, entry: Entry) -> bool:
    """Post an entry unless its cause was posted before; return whether it was new."""
    if not entry.lines:
        return False
    entry_id = new_id()
    new = await conn.fetchval(INSERT_ENTRY, entry_id, entry.cause, entry.kind, entry.happened_at)
    if new is None:
        return False
    for number, line in enumerate(entry.lines, 1):
        await conn.execute(
            INSERT_LINE,
            entry_id,
            number,
            line.account.value,
            line.order_id,
            line.mentor_id,
            line.minor,
            line.currency,
            line.session_id,
        )
    return True


async def lines_of_order(conn: Connection, order_id: UUID) -> list[Posted]:
    """Return all lines about an order, in order."""
    return [_line(row) for row in await conn.fetch(LINES_OF_ORDER, order_id)]


async def trial_balance(conn: Connection) -> list[tuple[str, str, int]]:
    """Return account, currency and balance of every account."""
    rows = await conn.fetch(TRIAL_BALANCE)
    return [(row["account"], row["currency"], row["amount_minor"]) for row in rows]


def _line(row: asyncpg.Record) -> Posted:
    return Posted(
        entry=row["kind"],
        at=row["happened_at"],
        account=row["account"],
        minor=row["amount_minor"],
        currency=row["currency"],
        session_id=row["session_id"],
    )
