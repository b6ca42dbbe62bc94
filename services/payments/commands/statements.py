"""Statements are made when a month is over and its last postings are in."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.payments.commands.plans import announcer
from services.payments.domain import statements as rules
from services.payments.store import statements as store
from shared.db import Connection
from shared.ids import new_id

CLOSED_AFTER = timedelta(hours=24)
"""After the end of a month: whatever was being posted when it ended is posted by then. The view
due_documents says the same."""


async def close_next_month(conn: Connection, now: datetime) -> bool:
    """Want the statements of the next month that is over; return whether there was one."""
    period = await store.next_month(conn)
    if period is None or now < period.until + CLOSED_AFTER:
        return False
    await store.close_month(conn, period, now)
    return True


async def make_next_statement(conn: Connection, now: datetime) -> bool:
    """Make a statement that is wanted, from the ledger alone; return whether there was one."""
    wanted = await store.next_wanted(conn)
    if wanted is None:
        return False
    opening = await store.opening_of(conn, wanted)
    month = await store.month_of(conn, wanted)
    statement = rules.draw_up(new_id(), wanted, opening, month, now)
    version = await store.add_statement(conn, statement)
    await announcer.announce(conn, rules.ready(statement, version), at=now)
    return True
