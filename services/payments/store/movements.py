"""SQL for Stripe's own list of movements, and for where the ledger says something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.payments.domain.requests import PLATFORM, ReadMovements
from services.payments.domain.seen import BookedSeen
from shared.db import Connection

ADD_PLATFORM = """
INSERT INTO movement_reads (list, read_until, next_read_at)
VALUES ($1, '2011-01-01Z', $2)
ON CONFLICT (list) DO NOTHING
"""
# Payouts that failed pay nothing out.
ADD_PAYOUTS = """
INSERT INTO movement_reads (list, account_id, payout_id, read_until, next_read_at)
SELECT p.stripe_payout_id, a.stripe_account_id, p.stripe_payout_id, p.created_at, $1
FROM payouts AS p JOIN accounts AS a ON a.mentor_id = p.mentor_id
WHERE p.state = 'paid' AND p.ended_at > $2
ON CONFLICT (list) DO NOTHING
"""
NEXT_READ = """
SELECT account_id, payout_id, read_until FROM movement_reads WHERE next_read_at <= $1
ORDER BY next_read_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
PLAN_NEXT_READ = "UPDATE movement_reads SET next_read_at = $2 WHERE list = $1"
NOTE_READ = """
UPDATE movement_reads SET read_at = $2, read_until = GREATEST(read_until, $3) WHERE list = $1
"""
ADD_MOVEMENTS = """
INSERT INTO stripe_movements (movement_id, account_id, payout_id, type, source, amount_minor,
    fee_minor, currency, created_at)
SELECT m.movement_id, $1, $2, m.type, m.source, m.amount_minor, m.fee_minor, m.currency,
    m.created_at
FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],
    $9::timestamptz[])
    AS m (movement_id, type, source, amount_minor, fee_minor, currency, created_at)
ON CONFLICT (movement_id) DO NOTHING RETURNING movement_id
"""
ASK = "INSERT INTO ledger_questions (source) SELECT unnest($1::text[])"
COMPARE_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('payments.compare_books'))"
TAKE_QUESTIONS = """
WITH taken AS (
    DELETE FROM ledger_questions WHERE question_id IN (
        SELECT question_id FROM ledger_questions ORDER BY question_id LIMIT $1
    ) RETURNING source
)
SELECT DISTINCT source FROM taken
"""
FORGET_DIFFERENCES = "DELETE FROM stripe_differences WHERE source = ANY($1)"
COMPARE = """
INSERT INTO stripe_differences (source, currency, ledger_minor, stripe_minor, fee_minor, booked_at,
    moved_at)
SELECT source, currency, COALESCE(ours.minor, 0), COALESCE(theirs.minor, 0),
    COALESCE(theirs.fee_minor, 0), ours.booked_at, theirs.moved_at
FROM (
    SELECT e.source, l.currency, sum(l.amount_minor)::bigint AS minor,
        max(e.happened_at) AS booked_at
    FROM ledger_entries AS e JOIN ledger_lines AS l ON l.entry_id = e.entry_id
    WHERE e.source = ANY($1) AND l.account = 'stripe_balance'
    GROUP BY e.source, l.currency
) AS ours
FULL JOIN (
    SELECT source, currency, sum(amount_minor - fee_minor)::bigint AS minor,
        sum(fee_minor)::bigint AS fee_minor, max(created_at) AS moved_at
    FROM stripe_movements WHERE account_id IS NULL AND source = ANY($1)
    GROUP BY source, currency
) AS theirs USING (source, currency)
WHERE COALESCE(ours.minor, 0) <> COALESCE(theirs.minor, 0)
"""
LIST_DIFFERENCES = """
SELECT source, currency, ledger_minor, stripe_minor, since, reason FROM named_differences($1)
ORDER BY reason = 'unexplained' DESC, since, source LIMIT $2
"""
# Of what a payout carries there is nothing to book: it is Stripe's list that is not complete.
UNEXPLAINED = """
SELECT n.source, n.currency, n.ledger_minor, n.stripe_minor, n.since, n.reason
FROM named_differences($1) AS n
JOIN stripe_differences AS d ON d.source = n.source AND d.currency = n.currency
WHERE n.source = $2 AND n.reason = 'unexplained'
"""
NOT_COMPARED = "SELECT EXISTS (SELECT 1 FROM ledger_questions WHERE source = $1)"
COUNT_DIFFERENCES = """
SELECT reason, count(*) AS found FROM named_differences($1) GROUP BY reason ORDER BY reason
"""
READ_SO_FAR = """
SELECT r.read_at, (SELECT count(*) FROM stripe_movements) AS movements,
    (SELECT count(*) FROM ledger_questions) AS unanswered
FROM (SELECT 1) AS one LEFT JOIN movement_reads AS r ON r.list = $1
"""


@dataclass(frozen=True)
class Difference:
    """An object of Stripe of which the books say different amounts, and what explains it."""

    source: str
    currency: str
    ledger_minor: int
    stripe_minor: int
    since: datetime
    reason: str


@dataclass(frozen=True)
class ReadSoFar:
    """When Stripe's list was last read to its end, how much is known of it, and what is open."""

    read_at: datetime | None
    movements: int
    unanswered: int


async def add_lists(
    conn: Connection, first_read_at: datetime, paid_since: datetime, now: datetime
) -> None:
    """Have the platform's list read, and those of payouts that arrived lately."""
    await conn.execute(ADD_PLATFORM, PLATFORM, first_read_at)
    await conn.execute(ADD_PAYOUTS, now, paid_since)


async def next_read(conn: Connection, now: datetime) -> ReadMovements | None:
    """Return and lock the list that is to be read now."""
    row = await conn.fetchrow(NEXT_READ, now)
    if row is None:
        return None
    return ReadMovements(
        account_id=row["account_id"], payout_id=row["payout_id"], since=row["read_until"]
    )


async def plan_next_read(conn: Connection, name: str, at: datetime | None) -> None:
    """Say when a list is to be read next, never where it ends."""
    await conn.execute(PLAN_NEXT_READ, name, at)


async def note_read(conn: Connection, name: str, now: datetime, until: datetime) -> None:
    """Remember that a list was read to its end."""
    await conn.execute(NOTE_READ, name, now, until)


async def add_movements(
    conn: Connection, request: ReadMovements, seen: Sequence[BookedSeen]
) -> set[str]:
    """Keep what a list says; return the ids that are new."""
    rows = await conn.fetch(
        ADD_MOVEMENTS,
        request.account_id,
        request.payout_id,
        [each.movement_id for each in seen],
        [each.type for each in seen],
        [each.source for each in seen],
        [each.amount_minor for each in seen],
        [each.fee_minor for each in seen],
        [each.currency for each in seen],
        [each.created_at for each in seen],
    )
    return {row["movement_id"] for row in rows}


async def ask(conn: Connection, sources: Sequence[str]) -> None:
    """Have both books compared about these objects."""
    await conn.execute(ASK, sources)


async def compare(conn: Connection, at_most: int) -> int:
    """Compare both books about what was asked first; return about how many objects.

    One at a time: an answer from an older look must not replace a newer one.
    """
    if not await conn.fetchval(COMPARE_ALONE):
        return 0
    sources = [row["source"] for row in await conn.fetch(TAKE_QUESTIONS, at_most)]
    if sources:
        await conn.execute(FORGET_DIFFERENCES, sources)
        await conn.execute(COMPARE, sources)
    return len(sources)


async def differences(conn: Connection, now: datetime, at_most: int) -> list[Difference]:
    """Return the differences, the unexplained first."""
    rows = await conn.fetch(LIST_DIFFERENCES, now, at_most)
    return [Difference(**dict(row)) for row in rows]


async def unexplained(conn: Connection, source: str, now: datetime) -> list[Difference]:
    """Return what nothing explains about an object; nothing while it is to be compared again."""
    if await conn.fetchval(NOT_COMPARED, source):
        return []
    return [Difference(**dict(row)) for row in await conn.fetch(UNEXPLAINED, now, source)]


async def count_differences(conn: Connection, now: datetime) -> dict[str, int]:
    """Return how many differences have which explanation."""
    rows = await conn.fetch(COUNT_DIFFERENCES, now)
    return {row["reason"]: row["found"] for row in rows}


async def read_so_far(conn: Connection) -> ReadSoFar:
    """Return how far the comparison has come."""
    row = await conn.fetchrow(READ_SO_FAR, PLATFORM)
    assert row is not None  # noqa: S101  The query has a row in any case.
    return ReadSoFar(row["read_at"], row["movements"], row["unanswered"])
