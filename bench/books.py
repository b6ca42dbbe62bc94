"""The ledger: postings beside pgbench, and how proof and reconciliation grow with the entries."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.engines import Engines
from bench.pgbench import run_script
from bench.rounds import Value, Work
from ops.ledger_proof import prove
from services.payments import ledger
from services.payments.ledger.entries import Entry, Part
from services.payments.store import ledger as books
from services.payments.store import movements
from shared.clock import monotonic_seconds
from shared.db import Pool, in_transaction, open_pool
from shared.ids import new_id
from shared.money import Money

CLIENTS = 8
COMPARED_AT_ONCE = 500
FILLED_AT_ONCE = 2_500
NOON = datetime(2030, 5, 6, 12, tzinfo=UTC)
SHARE, REST = Money(10_200, "USD"), Money(1_800, "USD")
COUNT = "SELECT count(*) FROM ledger_entries"
# Of an hour ago, so that a proof reads them in windows, as it does with all but the youngest.
FILL_ENTRIES = """
INSERT INTO ledger_entries (entry_id, cause, kind, happened_at, source)
SELECT uuidv7(interval '-1 hour' + n * interval '1 millisecond'), 'bench:' || n, 'bench',
       '2030-05-06Z', 'ch_' || n
FROM generate_series($1::int, $2::int) AS n
"""
FILL_LINES = """
INSERT INTO ledger_lines (entry_id, line_number, account, mentor_id, amount_minor, currency)
SELECT e.entry_id, side.number, side.account,
       CASE side.number WHEN 2 THEN md5((n % 200)::text)::uuid END, side.minor,
       'USD'
FROM generate_series($1::int, $2::int) AS n
JOIN ledger_entries AS e ON e.cause = 'bench:' || n
CROSS JOIN (VALUES (1, 'stripe_balance', 12000), (2, 'mentor_payable', -10200),
                   (3, 'platform_revenue', -1800)) AS side (number, account, minor)
"""
FILL_MOVEMENTS = """
INSERT INTO stripe_movements (movement_id, type, source, amount_minor, fee_minor, currency,
    created_at)
SELECT 'txn_' || n, 'charge', 'ch_' || n, 12000, 0, 'USD', '2030-05-06Z'
FROM generate_series($1::int, $2::int) AS n
"""
ASK_ALL = "INSERT INTO ledger_questions (source) SELECT source FROM stripe_movements"
DIFFERENCES = "SELECT count(*) FROM stripe_differences"
# What pgbench puts in place of the parameters of a posting: as many lines, and ids of its own.
_ARGUMENTS = (
    "uuidv7()", "'release-' || uuidv7()", "'release'", "'2030-05-06Z'", "'ch_' || uuidv7()",
    "ARRAY['session_clearing', 'mentor_payable', 'platform_revenue']", "ARRAY[NULL, NULL, NULL]",
    "ARRAY[NULL, '{mentor}', NULL]", "ARRAY[12000, -10200, -1800]", "ARRAY['USD', 'USD', 'USD']",
    "ARRAY[NULL, NULL, NULL]",
)  # fmt: skip
_PARAMETER = re.compile(r"\$(\d+)")


@dataclass(frozen=True)
class Books:
    """A ledger of its own."""

    pool: Pool
    url: str

    async def post_many(self, count: int) -> Work:
        """Post entries with `CLIENTS` at work at the same time."""
        before, started = await self.pool.fetchval(COUNT), monotonic_seconds()
        numbers = iter(range(count))

        async def client() -> None:
            for _ in numbers:
                await in_transaction(self.pool, lambda conn: books.post(conn, _release()))

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        seconds = monotonic_seconds() - started
        return Work(await self.pool.fetchval(COUNT) - before, seconds)

    async def pgbench_many(self, count: int) -> Work:
        """Have as many clients of pgbench execute the same statement."""
        arguments = [each.format(mentor=new_id()) for each in _ARGUMENTS]
        posting = _PARAMETER.sub(lambda found: arguments[int(found[1]) - 1], books.POST)
        script = f"BEGIN;\n{' '.join(posting.split())};\nCOMMIT;\n"
        before = await self.pool.fetchval(COUNT)
        seconds = await run_script(self.url, script, CLIENTS, count // CLIENTS)
        return Work(await self.pool.fetchval(COUNT) - before, seconds)

    async def fill(self, entries: int) -> None:
        """Store so many entries, each with the movement at Stripe that shows it."""
        for first in range(1, entries + 1, FILLED_AT_ONCE):
            last = min(entries, first + FILLED_AT_ONCE - 1)
            async with self.pool.acquire() as conn, conn.transaction():
                for statement in (FILL_ENTRIES, FILL_LINES, FILL_MOVEMENTS):
                    await conn.execute(statement, first, last)
        await self.pool.execute(ASK_ALL)
        await self.pool.execute("ANALYZE")

    async def prove(self) -> float:
        """Prove every entry; return the seconds."""
        started = monotonic_seconds()
        proof = await prove(self.url, _silently, afresh=True, settled_after=timedelta())
        assert not proof.wrong, proof.wrong
        return monotonic_seconds() - started

    async def reconcile(self) -> float:
        """Compare every object of Stripe with the ledger; return the seconds."""
        started = monotonic_seconds()
        while await in_transaction(
            self.pool, lambda conn: movements.compare(conn, COMPARED_AT_ONCE)
        ):
            pass
        seconds = monotonic_seconds() - started
        assert await self.pool.fetchval(DIFFERENCES) == 0
        return seconds


@asynccontextmanager
async def own_books(engines: Engines) -> AsyncGenerator[Books]:
    """Give an empty ledger."""
    url = await engines.new_database("payments")
    async with await open_pool(url, process="bench", largest=CLIENTS) as pool:
        yield Books(pool, url)


async def grown(engines: Engines, entries: int, rounds: int) -> list[Value]:
    """Measure what proof and reconciliation do per second with so many entries."""
    async with own_books(engines) as own:
        await own.fill(entries)
        reconciled = entries / await own.reconcile()
        proved = [entries / await own.prove() for _ in range(rounds)]
    return [
        Value("i", f"proof, {entries:,} entries", "entries/s", tuple(proved)),
        Value("i", f"reconciliation, {entries:,} entries", "objects/s", (reconciled,) * rounds),
    ]


def _silently(_done: int, _about: int) -> None:
    """Say nothing of the progress."""


def _release() -> Entry:
    part = Part(new_id(), new_id(), new_id())
    return ledger.earnings.release(part, new_id(), SHARE, REST, NOON).shown_by(str(new_id()))
