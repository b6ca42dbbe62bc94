"""The proof of the books: every entry is read once, in windows, and compared with what is counted.

A proof that was interrupted goes on where it stopped.
Entries are read in the order of their ids, which rise with time, up to those so young that one of
before may still be committed; these are read at the end, in one snapshot with the counters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ops.database import reading
from shared.clock import system_now
from shared.db import Connection
from shared.ids import new_id

WINDOW = 20_000
"""Entries read in one transaction."""
SETTLED_AFTER = timedelta(minutes=5)
"""No transaction is open as long as this."""
WRONG_KEPT = 20
NOTHING_READ = UUID(int=0)

OPEN_PROOF = "SELECT proof_id, read_to, entries FROM ledger_proofs WHERE ended_at IS NULL"
GIVE_UP = "UPDATE ledger_proofs SET ended_at = $1 WHERE ended_at IS NULL"
BEGIN = "INSERT INTO ledger_proofs (proof_id, begun_at) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM ledger_entries"
WINDOW_ENDS = """
SELECT count(*) AS entries, (array_agg(entry_id ORDER BY entry_id DESC))[1] AS last
FROM (
    SELECT entry_id FROM ledger_entries
    WHERE entry_id > $1 AND entry_id < uuidv7(-$2::interval)
    ORDER BY entry_id LIMIT $3
) AS next
"""
WRONG_ENTRIES = """
SELECT format('entry %s (%s): %s %s', e.entry_id, e.cause, COALESCE(sum(l.amount_minor), 0),
              COALESCE(l.currency, 'without a line')) AS wrong
FROM ledger_entries AS e LEFT JOIN ledger_lines AS l ON l.entry_id = e.entry_id
WHERE e.entry_id > $1 AND e.entry_id <= $2
GROUP BY e.entry_id, l.currency HAVING count(l.entry_id) = 0 OR sum(l.amount_minor) <> 0
LIMIT $3
"""
ADD_UP = """
INSERT INTO ledger_proof_sums AS s (proof_id, account, mentor_id, currency, amount_minor)
SELECT $1, account, mentor_id, currency, sum(amount_minor)
FROM ledger_lines WHERE entry_id > $2 AND entry_id <= $3
GROUP BY account, mentor_id, currency
ON CONFLICT ON CONSTRAINT ledger_proof_sums_once
DO UPDATE SET amount_minor = s.amount_minor + EXCLUDED.amount_minor
"""
REMEMBER = """
UPDATE ledger_proofs SET read_to = $2, entries = entries + $3, wrong = (wrong || $4::text[])[:20]
WHERE proof_id = $1
"""
LAST_ENTRIES = """
SELECT count(*) AS entries, COALESCE((array_agg(entry_id ORDER BY entry_id DESC))[1], $1) AS last
FROM ledger_entries WHERE entry_id > $1
"""
WRONG_BALANCES = """
SELECT format('%s %s: counted %s, entries say %s %s', account, COALESCE(mentor_id::text, ''),
              sum(counted), sum(posted), currency) AS wrong
FROM (
    SELECT account, mentor_id, currency, amount_minor AS counted, 0 AS posted FROM ledger_counters
    UNION ALL
    SELECT account, mentor_id, currency, 0, amount_minor FROM ledger_proof_sums WHERE proof_id = $1
) AS both_ways
GROUP BY account, mentor_id, currency HAVING sum(counted) <> sum(posted)
UNION ALL
SELECT format('%s sums to %s', currency, sum(amount_minor)) FROM ledger_proof_sums
WHERE proof_id = $1 GROUP BY currency HAVING sum(amount_minor) <> 0
UNION ALL
SELECT format('%s of session %s holds %s %s in a final state', account, session_id, amount_minor,
              currency) FROM clearing_leftovers
"""
ENDED = "UPDATE ledger_proofs SET ended_at = $2 WHERE proof_id = $1 RETURNING entries, wrong"

Say = Callable[[int, int], None]
"""Hears how many entries have been read, of about how many."""


@dataclass(frozen=True)
class Proof:
    """What a proof found; `resumed` entries had been read before."""

    entries: int
    resumed: int
    wrong: tuple[str, ...]


async def prove(
    url: str,
    say: Say,
    *,
    afresh: bool = False,
    window: int = WINDOW,
    settled_after: timedelta = SETTLED_AFTER,
) -> Proof:
    """Read every entry and compare; raises `CannotOperate` when the database is away."""
    async with reading(url) as conn:
        proof_id, read_to, before = await _begin(conn, afresh=afresh)
        about, done = int(await conn.fetchval(COUNT)), before
        while True:
            async with conn.transaction():
                found = await conn.fetchrow(WINDOW_ENDS, read_to, settled_after, window)
                if found is None or not found["entries"]:
                    break
                await _read(conn, proof_id, read_to, found["last"], found["entries"])
            read_to, done = found["last"], done + found["entries"]
            say(done, about)
        return await _end(conn, proof_id, read_to, before)


async def _begin(conn: Connection, *, afresh: bool) -> tuple[UUID, UUID, int]:
    async with conn.transaction():
        if afresh:
            await conn.execute(GIVE_UP, system_now())
        known = await conn.fetchrow(OPEN_PROOF)
        if known is not None:
            return known["proof_id"], known["read_to"] or NOTHING_READ, known["entries"]
        proof_id = new_id()
        await conn.execute(BEGIN, proof_id, system_now())
        return proof_id, NOTHING_READ, 0


async def _read(conn: Connection, proof_id: UUID, after: UUID, to: UUID, entries: int) -> None:
    rows = await conn.fetch(WRONG_ENTRIES, after, to, WRONG_KEPT)
    await conn.execute(ADD_UP, proof_id, after, to)
    await conn.execute(REMEMBER, proof_id, to, entries, [row["wrong"] for row in rows])


async def _end(conn: Connection, proof_id: UUID, read_to: UUID, before: int) -> Proof:
    """Read the youngest entries and compare everything with the counters, on one snapshot."""
    async with conn.transaction(isolation="repeatable_read"):
        last = await conn.fetchrow(LAST_ENTRIES, read_to)
        assert last is not None  # noqa: S101  A count has a row in any case.
        await _read(conn, proof_id, read_to, last["last"], last["entries"])
        wrong = [row["wrong"] for row in await conn.fetch(WRONG_BALANCES, proof_id)]
        ended = await conn.fetchrow(ENDED, proof_id, system_now())
    assert ended is not None  # noqa: S101  It was begun.
    return Proof(ended["entries"], before, (*ended["wrong"], *wrong))
