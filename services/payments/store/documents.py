"""SQL for receipts and credit notes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from services.payments.domain.documents import Content, Document, Series, Wanted, name_of
from shared.db import Connection

NEXT_WANTED = """
SELECT wanted_id, entry_id FROM documents_wanted
WHERE failed_at IS NULL ORDER BY wanted_id LIMIT 1 FOR UPDATE
"""
"""Without SKIP LOCKED: one is numbered after the other, a refund's after its payment's."""
ENTRY = """
SELECT e.kind, split_part(e.cause, ':', 2)::uuid AS subject, e.happened_at,
    COALESCE((
        SELECT abs(sum(l.amount_minor)) FROM ledger_lines AS l
        WHERE l.entry_id = e.entry_id AND l.account IN ('stripe_balance', 'refunds_in_transit')
    ), 0)::bigint AS card_minor
FROM ledger_entries AS e WHERE e.entry_id = $1
"""
PUT_ASIDE = "UPDATE documents_wanted SET failed_at = $2, reason = $3 WHERE wanted_id = $1"
TAKE_UP = """
UPDATE documents_wanted AS w SET failed_at = NULL, reason = NULL
WHERE w.failed_at IS NOT NULL AND EXISTS (
    SELECT FROM ledger_lines AS l WHERE l.entry_id = w.entry_id AND l.order_id = $1
)
RETURNING w.wanted_id
"""
RECEIPT_PUT_ASIDE = """
SELECT EXISTS (
    SELECT FROM documents_wanted AS w JOIN ledger_entries AS e ON e.entry_id = w.entry_id
    WHERE w.failed_at IS NOT NULL AND e.cause = 'payment:' || ($1::uuid)::text
)
"""
DONE = "DELETE FROM documents_wanted WHERE wanted_id = $1"
NEXT_NUMBER = """
INSERT INTO document_counters AS c (series, year, last_number) VALUES ($1, $2, 1)
ON CONFLICT (series, year) DO UPDATE SET last_number = c.last_number + 1
RETURNING last_number
"""
INSERT_DOCUMENT = """
INSERT INTO documents (document_id, series, year, number, entry_id, order_id, person_id,
    amount_minor, currency, issued_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
DOCUMENT = """
SELECT document_id, series, year, number, entry_id, person_id, issued_at, content
FROM documents WHERE document_id = $1
"""
DOCUMENTS_OF_PERSON = """
SELECT document_id, series, year, number, entry_id, person_id, issued_at, content
FROM documents WHERE person_id = $1 AND ($2::uuid IS NULL OR document_id < $2)
ORDER BY document_id DESC LIMIT $3
"""
DOCUMENTS_OF_ORDER = """
SELECT document_id, series, year, number, entry_id, person_id, issued_at, content
FROM documents WHERE order_id = $1 ORDER BY document_id
"""
RECEIPT_OF = """
SELECT series, year, number FROM documents WHERE order_id = $1 AND series = 'R'
"""


async def next_wanted(conn: Connection) -> Wanted | None:
    """Return and lock what was posted first of all that has no document yet."""
    row = await conn.fetchrow(NEXT_WANTED)
    if row is None:
        return None
    entry = await conn.fetchrow(ENTRY, row["entry_id"])
    assert entry is not None  # noqa: S101  Entries are never deleted.
    return Wanted(**dict(row), **dict(entry))


async def done(conn: Connection, wanted: Wanted) -> None:
    """Note that a posting has its document, or needs none."""
    await conn.execute(DONE, wanted.wanted_id)


async def put_aside(conn: Connection, wanted: Wanted, reason: str, now: datetime) -> None:
    """Let a posting whose document cannot be made keep no other waiting."""
    await conn.execute(PUT_ASIDE, wanted.wanted_id, now, reason)


async def take_up(conn: Connection, order_id: UUID) -> int:
    """Have the documents of a purchase tried again that were put aside; return how many."""
    return len(await conn.fetch(TAKE_UP, order_id))


async def is_receipt_put_aside(conn: Connection, order_id: UUID) -> bool:
    """Return whether the receipt of a purchase could not be made yet."""
    return bool(await conn.fetchval(RECEIPT_PUT_ASIDE, order_id))


async def next_number(conn: Connection, series: Series, year: int) -> int:
    """Return the next number of a series; it is free again unless the transaction commits."""
    return int(await conn.fetchval(NEXT_NUMBER, series.value, year))


async def add_document(conn: Connection, document: Document) -> None:
    """Store a document for good."""
    content = document.content
    await conn.execute(
        INSERT_DOCUMENT,
        document.document_id,
        document.series.value,
        document.year,
        document.number,
        document.entry_id,
        content.order_id,
        document.person_id,
        content.amount_minor,
        content.currency,
        document.issued_at,
        content.model_dump(mode="json"),
    )


async def load_document(conn: Connection, document_id: UUID) -> Document | None:
    """Return a document."""
    row = await conn.fetchrow(DOCUMENT, document_id)
    return _document(row) if row else None


async def documents_of_person(
    conn: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Document]:
    """Return a page of somebody's documents, newest first."""
    rows = await conn.fetch(DOCUMENTS_OF_PERSON, person_id, before, limit)
    return [_document(row) for row in rows]


async def documents_of_order(conn: Connection, order_id: UUID) -> list[Document]:
    """Return the documents of a purchase, in the order in which they were issued."""
    return [_document(row) for row in await conn.fetch(DOCUMENTS_OF_ORDER, order_id)]


async def receipt_of(conn: Connection, order_id: UUID) -> str | None:
    """Return the number of the receipt of a purchase."""
    row = await conn.fetchrow(RECEIPT_OF, order_id)
    return name_of(Series(row["series"]), row["year"], row["number"]) if row else None


def _document(row: asyncpg.Record) -> Document:
    return Document(
        row["document_id"],
        Series(row["series"]),
        row["year"],
        row["number"],
        row["entry_id"],
        row["person_id"],
        row["issued_at"],
        Content.model_validate(row["content"]),
    )
