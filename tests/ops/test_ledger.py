"""`ops ledger`: proofs that go on where they stopped, a session's money in both books, balances."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.ledger_proof import prove
from tests.engines import Database, Databases

PLANT = (Path(__file__).parent / "planted.sql").read_text()
ALL = ("profiles", "booking", "payments", "notifications")
ORDER, FIRST, SECOND = (f"00000000-0000-0000-0000-00000000{n}" for n in ("0004", "0104", "0105"))
OLD = 25
FILL = """
INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at)
SELECT uuidv7(interval '-1 hour' + n * interval '1 second'), 'old:' || n, 'old', '2026-01-01Z'
FROM generate_series(1, $1::int) AS n
"""
FILL_LINES = """
INSERT INTO payments.ledger_lines
    (entry_id, line_number, account, mentor_id, amount_minor, currency)
SELECT e.entry_id, side.number, side.account,
       CASE WHEN side.number = 2 THEN '00000000-0000-0000-0000-00000000000a'::uuid END,
       side.minor, 'JPY'
FROM payments.ledger_entries AS e
CROSS JOIN (VALUES (1, 'stripe_balance', 7), (2, 'mentor_payable', -7))
    AS side (number, account, minor)
WHERE e.kind = 'old'
"""
MOVEMENT = """
INSERT INTO payments.stripe_movements
    (movement_id, type, source, amount_minor, fee_minor, currency, created_at)
VALUES ('txn_4', 'charge', 'ch_4', 24000, 378, 'USD', '2026-01-02Z')
"""
UNGUARDED = "SET session_replication_role = replica"

pytestmark = pytest.mark.xdist_group("planted")


def silently(_done: int, _about: int) -> None:
    """Say nothing of the progress."""


class Stopped(Exception):
    """Somebody closed the terminal."""


@dataclass(frozen=True)
class Books:
    """The command line beside a planted marketplace with old entries."""

    database: Database

    async def run(self, *arguments: str) -> Any:
        settings = {
            "OPS_DATABASE_URL": self.database.ops_url,
            "OPS_PAYMENTS_DATABASE_URL": self.database.app_url("payments"),
        }
        runner = CliRunner()
        return await asyncio.to_thread(runner.invoke, app, ["ledger", *arguments], env=settings)

    async def json(self, *arguments: str, ends_with: int = 0) -> Any:
        done = await self.run(*arguments, "--json")
        assert done.exit_code == ends_with, done.output
        return json.loads(done.stdout)

    async def spoil(self, *statements: str) -> None:
        conn = await asyncpg.connect(self.database.superuser_url)
        for statement in (UNGUARDED, *statements):
            await conn.execute(statement)
        await conn.close()


@pytest.fixture(scope="module")
async def books(databases: Databases) -> AsyncGenerator[Books]:
    """Give the planted marketplace, with entries from an hour ago."""
    own = await databases.create(*ALL)
    conn = await asyncpg.connect(own.superuser_url)
    await conn.execute(PLANT)
    async with conn.transaction():
        await conn.execute(FILL, OLD)
        await conn.execute(FILL_LINES)
    await conn.execute(MOVEMENT)
    await conn.close()
    yield Books(own)
    await databases.drop(own.name)


async def test_a_session_s_money_is_told_in_both_books(books: Books):
    """Each entry with its lines, what they leave, and what Stripe lists of the same objects."""
    one = await books.json("show", FIRST)
    assert {entry["cause"].split(":")[0] for entry in one["entries"]} == {
        "payment", "stripe_fee", "refund_planned", "refund_settled",
    }  # fmt: skip
    assert all(entry["balanced"] for entry in one["entries"])
    assert {"where": "session_clearing", "minor": -12000, "currency": "USD"} not in one["left"]
    (shown,) = one["stripe"]
    assert (shown["source"], shown["minor"]) == ("ch_4", 24000 - 378)
    whole = await books.json("show", ORDER)
    assert len(whole["entries"]) == len(one["entries"]) + 1
    assert {"where": "session_clearing", "minor": -12000, "currency": "USD"} in whole["left"]
    told = await books.run("show", SECOND)
    assert "ch_4" in told.output
    assert "120.00" in told.output
    assert (await books.run("show", "00000000-0000-0000-0000-00000000ffff")).exit_code == 2


async def test_balances_are_of_any_day(books: Books):
    """To the end of a date, before an instant, or of all that was posted."""
    now = {(each["where"], each["currency"]): each["minor"] for each in
           await books.json("trial-balance")}  # fmt: skip
    assert now["stripe_balance", "JPY"] == 7 * OLD
    assert now["mentor_payable", "USD"] == -5100
    then = await books.json("trial-balance", "--at", "2026-01-02")
    assert then == [
        {"where": "mentor_payable", "minor": -7 * OLD, "currency": "JPY"},
        {"where": "stripe_balance", "minor": 7 * OLD, "currency": "JPY"},
    ]
    assert await books.json("trial-balance", "--at", "2026-01-01T00:00:00Z") == []
    assert (await books.run("trial-balance", "--at", "yesterday")).exit_code == 2
    assert (await books.run("trial-balance", "--at", "2026-01-01T00:00:00")).exit_code == 2


async def test_a_proof_goes_on_where_it_stopped(books: Books):
    """Windows that were read are not read again, unless one asks for that."""
    url = books.database.app_url("payments")
    heard: list[tuple[int, int]] = []

    def stop(done: int, about: int) -> None:
        heard.append((done, about))
        if len(heard) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        await prove(url, stop, afresh=True, window=10)
    assert [done for done, _ in heard] == [10, 20]
    proof = await prove(url, silently, window=10)
    assert (proof.resumed, proof.entries, proof.wrong) == (20, heard[0][1], ())
    again = await books.json("verify")
    assert (again["ok"], again["resumed"], again["entries"]) == (True, 0, proof.entries)
    told = await books.run("verify", "--afresh")
    assert "ledger: ok" in told.output


@pytest.mark.parametrize(
    ("spoil", "mend", "named"),
    [
        (
            "UPDATE payments.ledger_lines SET amount_minor = 8"
            " WHERE amount_minor = 7 AND entry_id = (SELECT entry_id FROM payments.ledger_entries"
            " WHERE cause = 'old:3')",
            "UPDATE payments.ledger_lines SET amount_minor = 7 WHERE amount_minor = 8",
            "(old:3): 1 JPY",
        ),
        (
            "UPDATE payments.ledger_counters SET amount_minor = amount_minor + 1"
            " WHERE account = 'stripe_fees'",
            "UPDATE payments.ledger_counters SET amount_minor = amount_minor - 1"
            " WHERE account = 'stripe_fees'",
            "stripe_fees : counted 1513, entries say 1512 USD",
        ),
        (
            "INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at)"
            " VALUES (uuidv7(), 'empty:1', 'empty', now())",
            "DELETE FROM payments.ledger_entries WHERE kind = 'empty'",
            "(empty:1): 0 without a line",
        ),
    ],
    ids=["a line in an old window", "a balance", "an entry of just now without lines"],
)
async def test_a_proof_names_what_is_wrong(books: Books, spoil: str, mend: str, named: str):
    """Wherever it is: in what was read window by window, in what is young, or in a balance."""
    await books.spoil(spoil)
    proof = await prove(
        books.database.app_url("payments"), silently, afresh=True, window=10,
        settled_after=timedelta(minutes=1),
    )  # fmt: skip
    assert any(named in each for each in proof.wrong), proof.wrong
    assert (await books.run("verify")).exit_code == 1
    await books.spoil(mend)
    assert (await books.json("verify"))["ok"]
