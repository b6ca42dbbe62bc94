"""The books to look at: the money of one purchase entry by entry, and the balances of a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from ops.config import CannotOperate
from ops.database import reading

WHOSE = """
SELECT order_id, NULL::uuid AS session_id FROM payments.orders WHERE order_id = $1
UNION ALL
SELECT order_id, session_id FROM payments.sessions WHERE session_id = $1
"""
# Lines from before sessions had parts, and those of the whole purchase, belong to each session.
ENTRIES = """
SELECT e.entry_id, e.cause, e.happened_at, e.source, l.account, l.amount_minor, l.currency
FROM payments.ledger_entries AS e JOIN payments.ledger_lines AS l ON l.entry_id = e.entry_id
WHERE e.entry_id IN (
    SELECT entry_id FROM payments.ledger_lines
    WHERE order_id = $1 AND (session_id IS NULL OR session_id = COALESCE($2, session_id))
)
ORDER BY e.happened_at, e.entry_id, l.line_number
"""
MOVEMENTS = """
SELECT movement_id, type, source, amount_minor - fee_minor AS amount_minor, currency, created_at
FROM payments.stripe_movements WHERE account_id IS NULL AND source = ANY($1)
ORDER BY created_at, movement_id
"""
BALANCES = """
SELECT account, currency, amount_minor FROM payments.ledger_balances ORDER BY currency, account
"""
BALANCES_BEFORE = """
SELECT l.account, l.currency, sum(l.amount_minor)::bigint AS amount_minor
FROM payments.ledger_entries AS e JOIN payments.ledger_lines AS l ON l.entry_id = e.entry_id
WHERE e.happened_at < $1 GROUP BY l.account, l.currency ORDER BY l.currency, l.account
"""


@dataclass(frozen=True)
class Moved:
    """An amount on an account of ours, or in a movement of Stripe's list."""

    where: str
    minor: int
    currency: str

    def fields(self) -> dict[str, str | int]:
        """Return it ready for JSON."""
        return {"where": self.where, "minor": self.minor, "currency": self.currency}


@dataclass(frozen=True)
class Booked:
    """One entry with its lines; `source` is the object of Stripe that shows it."""

    at: datetime
    cause: str
    source: str | None
    lines: tuple[Moved, ...]

    @property
    def balanced(self) -> bool:
        """Whether its lines sum to zero in each currency."""
        sums: Counter[str] = Counter()
        for line in self.lines:
            sums[line.currency] += line.minor
        return not any(sums.values())

    def fields(self) -> dict[str, object]:
        """Return it ready for JSON."""
        return {
            "at": self.at.isoformat(),
            "cause": self.cause,
            "source": self.source,
            "balanced": self.balanced,
            "lines": [line.fields() for line in self.lines],
        }


@dataclass(frozen=True)
class Shown:
    """What Stripe's list says of an object: `where` names the movement and its type."""

    at: datetime
    source: str
    moved: Moved

    def fields(self) -> dict[str, object]:
        """Return it ready for JSON."""
        return {"at": self.at.isoformat(), "source": self.source, **self.moved.fields()}


@dataclass(frozen=True)
class Story:
    """The money of a purchase, or of one of its sessions, in both books."""

    entries: tuple[Booked, ...]
    stripe: tuple[Shown, ...]

    def left(self) -> list[Moved]:
        """Return what all entries leave on each account."""
        left: Counter[tuple[str, str]] = Counter()
        for line in (line for entry in self.entries for line in entry.lines):
            left[line.where, line.currency] += line.minor
        return [Moved(where, minor, currency) for (where, currency), minor in left.items() if minor]

    def fields(self) -> dict[str, object]:
        """Return it ready for JSON."""
        return {
            "entries": [entry.fields() for entry in self.entries],
            "stripe": [shown.fields() for shown in self.stripe],
            "left": [moved.fields() for moved in self.left()],
        }


async def story_of(url: str, subject: UUID) -> Story:
    """Return the money of a session or order; raises `CannotOperate` when there is none such."""
    async with reading(url) as conn:
        whose = await conn.fetchrow(WHOSE, subject)
        if whose is None:
            raise CannotOperate(f"no order or session {subject} is known to payments")
        rows = await conn.fetch(ENTRIES, whose["order_id"], whose["session_id"])
        entries = _entries(rows)
        sources = [entry.source for entry in entries if entry.source]
        movements = await conn.fetch(MOVEMENTS, sources)
    return Story(tuple(entries), tuple(_shown(row) for row in movements))


async def balances(url: str, before: datetime | None) -> list[Moved]:
    """Return the balance of every account, now or of what happened before an instant."""
    async with reading(url) as conn:
        rows = await (conn.fetch(BALANCES_BEFORE, before) if before else conn.fetch(BALANCES))
    return [_moved(row, row["account"]) for row in rows]


def _entries(rows: Sequence[asyncpg.Record]) -> list[Booked]:
    by_id: dict[UUID, list[asyncpg.Record]] = {}
    for row in rows:
        by_id.setdefault(row["entry_id"], []).append(row)
    return [
        Booked(
            lines[0]["happened_at"],
            lines[0]["cause"],
            lines[0]["source"],
            tuple(_moved(line, line["account"]) for line in lines),
        )
        for lines in by_id.values()
    ]


def _shown(row: asyncpg.Record) -> Shown:
    moved = _moved(row, f"{row['type']} {row['movement_id']}")
    return Shown(row["created_at"], row["source"], moved)


def _moved(row: asyncpg.Record, where: str) -> Moved:
    return Moved(where, row["amount_minor"], row["currency"])
