"""`ops verify`: silent when all is well, and naming each fault that is planted in a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ops.config import CannotOperate
from ops.verify.checks import checks_of
from ops.verify.report import Report
from ops.verify.run import Market, verify
from ops.verify.stripe_books import BALANCE_DIFFERS, LEDGER_DIFFERS, SIMULATOR_UNBALANCED
from tests.engines import Database, Databases
from tests.ops.conftest import MakeDatabase

PLANT = (Path(__file__).parent / "planted.sql").read_text()
KEY = "sk_test_verify"
ALL = ("profiles", "booking", "payments", "notifications")
UNGUARDED = "SET session_replication_role = replica"
"""Switches every trigger off, which no role of ours may do."""

pytestmark = pytest.mark.xdist_group("planted")


@dataclass
class Stripe:
    """A server that answers like Stripe about the planted marketplace, two to a page."""

    transactions: list[dict[str, Any]] = field(
        default_factory=lambda: [
            *({"source": f"ch_{n}", "net": 12000 - 378} for n in (1, 2, 3)),
            {"source": "ch_4", "net": 24000 - 378},
            {"source": "re_2", "net": -6000},
            {"source": "re_3", "net": -12000},
            {"source": "re_4", "net": -12000},
            {"source": "tr_1", "net": -10200},
        ]
    )
    balance: int | None = None
    balanced: bool = True
    asked: int = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/balance_transactions", self.list_transactions)
        app.router.add_get("/v1/balance", self.show_balance)
        app.router.add_get("/_sim/books", self.show_books)
        return app

    async def list_transactions(self, request: web.Request) -> web.Response:
        self.asked += 1
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            raise web.HTTPUnauthorized
        named = [
            {"id": f"txn_{place}", "currency": "usd"} | each
            for place, each in enumerate(self.transactions)
        ]
        after = request.query.get("starting_after")
        start = 1 + [each["id"] for each in named].index(after) if after else 0
        return web.json_response(
            {"data": named[start : start + 2], "has_more": start + 2 < len(named)}
        )

    async def show_balance(self, _request: web.Request) -> web.Response:
        whole = sum(each["net"] for each in self.transactions)
        held = whole if self.balance is None else self.balance
        return web.json_response(
            {
                "available": [{"amount": held - 500, "currency": "usd"}],
                "pending": [{"amount": 500, "currency": "usd"}],
            }
        )

    async def show_books(self, _request: web.Request) -> web.Response:
        return web.json_response({"balanced": self.balanced})


@dataclass(frozen=True)
class Planted:
    """The planted marketplace: its database, its Stripe, and where both are."""

    database: Database
    stripe: Stripe
    market: Market

    async def spoil(self, sql: str) -> None:
        """Change something for good behind everybody's back."""
        conn = await asyncpg.connect(self.database.superuser_url)
        await conn.execute(f"{UNGUARDED}; {sql}")
        await conn.close()

    async def checks_that_notice(self, sql: str) -> set[str]:
        """Change something, run every check of the database on it, and take it back."""
        conn = await asyncpg.connect(self.database.superuser_url)
        try:
            async with conn.transaction():
                await conn.execute(UNGUARDED)
                await conn.execute(sql)
                found = {each.name for each in checks_of(ALL) if await conn.fetch(each.sql)}
                raise TakenBack
        except TakenBack:
            return found
        finally:
            await conn.close()

    async def verify(self) -> Report:
        return await verify(self.market, 0)

    async def wrong(self) -> set[str]:
        return {failure.check for failure in (await self.verify()).failures}


class TakenBack(Exception):
    """Rolls a transaction back."""


@asynccontextmanager
async def planting(own: Database) -> AsyncGenerator[Planted]:
    conn = await asyncpg.connect(own.superuser_url)
    await conn.execute(PLANT)
    await conn.close()
    stripe = Stripe()
    async with TestServer(stripe.application()) as server:
        address = str(server.make_url("/")).rstrip("/")
        yield Planted(own, stripe, Market(own.ops_url, address, KEY))


@pytest.fixture(scope="module")
async def shared_plant(databases: Databases) -> AsyncGenerator[Planted]:
    """Give a planted marketplace whose database nobody changes for good."""
    own = await databases.create(*ALL)
    async with planting(own) as planted:
        yield planted
    await databases.drop(own.name)


@pytest.fixture
def well(shared_plant: Planted) -> Planted:
    """Give the same with Stripe as it was at first."""
    fresh = Stripe()
    stripe = shared_plant.stripe
    stripe.transactions, stripe.balance, stripe.balanced = fresh.transactions, None, True
    return shared_plant


@pytest.fixture
async def planted(database: MakeDatabase) -> AsyncGenerator[Planted]:
    """Give a planted marketplace of this test's own."""
    async with planting(await database(*ALL)) as own:
        yield own


async def test_nothing_is_wrong_where_all_is_well(well: Planted):
    """Completed, missed, cancelled, lost and contested sessions with their money: nothing wrong."""
    report = await well.verify()
    assert report.ok, report.failures
    assert not report.in_flight
    books = {(each.book, each.account): each.minor for each in report.books}
    assert books["ledger", "stripe_balance"] == books["stripe", "balance"]
    assert books["ledger", "mentor_payable"] == -5100
    assert json.loads(json.dumps(report.fields()))["ok"] is True


FAULTS = {
    "time sold twice": """
        ALTER TABLE booking.participations DROP CONSTRAINT participations_sold_once;
        UPDATE booking.participations SET active = true,
            during = '[2026-02-01 00:59Z,2026-02-01 01:59Z)' WHERE session_id::text LIKE '%102'
    """,
    "seats do not match the state": "UPDATE booking.participations SET active = false",
    "completed before its end": """
        UPDATE booking.sessions SET completed_at = ends_at - interval '1 second'
        WHERE order_id::text LIKE '%1'
    """,
    "ledger entry does not balance": """
        UPDATE payments.ledger_lines SET amount_minor = amount_minor + 1
        WHERE account = 'stripe_fees' AND order_id::text LIKE '%1'
    """,
    "ledger does not sum to zero": """
        DELETE FROM payments.ledger_lines WHERE account = 'platform_revenue'
    """,
    "balances and entries differ": "UPDATE payments.ledger_counters SET amount_minor = 1",
    "clearing account not zero": """
        UPDATE payments.ledger_lines SET amount_minor = amount_minor - 7
        WHERE account = 'session_clearing' AND amount_minor = -12000
    """,
    "earnings and ledger differ": """
        UPDATE payments.earnings SET mentor_minor = 10100, platform_minor = 1900
        WHERE order_id::text LIKE '%1'
    """,
    "price and its parts differ": """
        UPDATE payments.refunds SET amount_minor = 5999 WHERE order_id::text LIKE '%2'
    """,
    "codes and discounts differ": "UPDATE payments.promotions SET used = 3",
    "transfer and ledger differ": """
        UPDATE payments.transfers SET state = 'planned' WHERE order_id::text LIKE '%1'
    """,
    "debt and ledger differ": """
        INSERT INTO payments.debts SELECT mentor_id, 'USD', 5, false, now() FROM payments.accounts
    """,
    "a plan's month without an invoice": """
        UPDATE payments.orders SET kind = 'plan' WHERE kind = 'package'
    """,
    "credits and ledger differ": "UPDATE payments.lots SET remaining = 1, expires_at = now()",
    "dispute and ledger differ": "UPDATE payments.disputes SET state = 'lost', closed_at = now()",
    "numbers of documents have a gap": "UPDATE payments.document_counters SET last_number = 2",
    "statement and ledger differ": """
        UPDATE payments.statements SET closing_minor = 1
    """,
    "call undetermined": """
        INSERT INTO payments.operations (operation_id, kind, subject, generation, idempotency_key,
                                         parameters, state, planned_at)
        VALUES (gen_random_uuid(), 'transfer.create', 'x', 1, 'k', '{}', 'undetermined', now())
    """,
    "dead letter": """
        INSERT INTO notifications.kept_events (event_id, topic, key, headers, state, error)
        VALUES (gen_random_uuid(), 'booking.orders', 'k', '[]', 'parked', 'KeyError')
    """,
    "outbox stuck": """
        INSERT INTO booking.outbox (event_id, topic, key, headers)
        VALUES (gen_random_uuid(), 'booking.orders', 'k', '[]')
    """,
    "paid without session or refund": """
        DELETE FROM payments.refunds WHERE order_id::text LIKE '%3'
    """,
    "session without payment": """
        UPDATE payments.orders SET state = 'closed' WHERE order_id::text LIKE '%1'
    """,
    "decision not heard": """
        UPDATE payments.sessions SET decision = 'confirmed' WHERE session_id::text LIKE '%101'
    """,
    "people behind at booking": """
        UPDATE booking.people SET version = 3 WHERE mentor_state = 'approved'
    """,
    "accounts behind at booking": "DELETE FROM booking.accounts",
    "next free start is another": "UPDATE booking.openings SET amiss = 'free is nothing'",
    "next free start behind at profiles": "UPDATE profiles.openings SET version = 1",
}


@pytest.mark.parametrize("check", FAULTS)
async def test_a_fault_in_the_database_is_named(well: Planted, check: str):
    """Each planted fault is found by the check that is for it."""
    assert check in await well.checks_that_notice(FAULTS[check])


async def test_a_mentor_whom_nobody_looked_at_is_named(well: Planted):
    """Whoever sells has a next free start, or it is known that there is none."""
    sql = "DELETE FROM booking.openings"
    assert "next free start is another" in await well.checks_that_notice(sql)


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        (
            "decision not heard",
            "UPDATE payments.sessions SET objected_at = now() WHERE session_id::text LIKE '%105'",
        ),
        (
            "decision not heard",
            "UPDATE booking.sessions SET objection = objection - 'settled_at'"
            " WHERE session_id::text LIKE '%105'",
        ),
        (
            "decision not heard",
            "UPDATE payments.earnings SET released_at = '2026-02-05 04:00Z'"
            " WHERE session_id::text LIKE '%105'",
        ),
        (
            "decision not heard",
            "UPDATE payments.earnings SET released_at = '2026-02-05 04:00Z'"
            " WHERE session_id::text LIKE '%105';"
            " UPDATE booking.sessions SET objection = objection - 'settled_at'",
        ),
        (
            "paid without session or refund",
            "DELETE FROM payments.refunds WHERE session_id::text LIKE '%104'",
        ),
        (
            "paid without session or refund",
            "UPDATE payments.refunds SET amount_minor = 1 WHERE session_id::text LIKE '%102';"
            " UPDATE payments.earnings SET retained_minor = 11999, platform_minor = 6899"
            " WHERE session_id::text LIKE '%102'",
        ),
        (
            "paid without session or refund",
            "UPDATE booking.sessions SET refund_basis_points = 5000"
            " WHERE session_id::text LIKE '%105';"
            " INSERT INTO payments.refunds (refund_id, order_id, session_id,"
            " amount_minor, currency, reason, state, planned_at)"
            " SELECT gen_random_uuid(), order_id, session_id, 1, 'USD', 'operator', 'issued', now()"
            " FROM payments.sessions WHERE session_id::text LIKE '%105'",
        ),
        (
            "price and its parts differ",
            "DELETE FROM payments.sessions WHERE session_id::text LIKE '%105'",
        ),
        (
            "clearing account not zero",
            "UPDATE payments.ledger_lines SET session_id = overlay(session_id::text placing '5'"
            " from 36)::uuid WHERE session_id::text LIKE '%104' AND account = 'session_clearing'"
            " AND amount_minor > 0",
        ),
    ],
)
async def test_a_fault_in_one_session_of_a_series_is_named(well: Planted, check: str, sql: str):
    """Also where the purchase as a whole adds up."""
    assert check in await well.checks_that_notice(sql)


async def test_every_check_has_a_planted_fault(well: Planted):
    """No check of the database is there that was never seen to fail."""
    assert {*FAULTS, LEDGER_DIFFERS, BALANCE_DIFFERS} == set((await well.verify()).checks)


@pytest.mark.parametrize("state", ["held", "expired", "confirmed"])
async def test_refunded_or_undecided_money_without_its_reason_is_named(well: Planted, state: str):
    """Paid and undecided, or refunded although the session is confirmed, are both wrong."""
    noticed = await well.checks_that_notice(
        "UPDATE booking.sessions SET state = 'STATE' WHERE state = 'lost'".replace("STATE", state)
    )
    assert "paid without session or refund" in noticed


@pytest.mark.parametrize(
    ("change", "source"),
    [
        ({"source": "tr_1", "net": -10200}, "tr_1"),
        ({"source": "tr_9", "net": -10200}, "tr_9"),
        ({"source": "ch_1", "net": -1}, "ch_1"),
    ],
    ids=["a transfer made twice", "a transfer we do not know", "a cent"],
)
async def test_a_movement_at_stripe_that_we_do_not_know_is_named(
    well: Planted, change: dict[str, Any], source: str
):
    """Both books must say the same of each charge, refund and transfer, to the cent."""
    well.stripe.transactions.append(change)
    (failure,) = (await well.verify()).failures
    assert (failure.check, failure.subject) == (LEDGER_DIFFERS, source)


async def test_a_movement_of_ours_that_stripe_does_not_know_is_named(well: Planted):
    """A refund in the ledger that never happened at Stripe."""
    well.stripe.transactions = [
        each for each in well.stripe.transactions if each["source"] != "re_2"
    ]
    (failure,) = (await well.verify()).failures
    assert failure.subject == "re_2"


async def test_stripe_s_own_contradictions_are_named(well: Planted):
    """A balance that is not the sum of its transactions, and a simulator that does not balance."""
    well.stripe.balance, well.stripe.balanced = 1, False
    assert await well.wrong() == {
        BALANCE_DIFFERS,
        SIMULATOR_UNBALANCED,
    }


async def test_what_comes_true_within_the_grace_is_not_wrong(planted: Planted):
    """Work in flight is named as such; only what stays wrong in every look is a failure."""
    await planted.spoil(FAULTS["outbox stuck"])
    verifying = asyncio.create_task(verify(planted.market, 30))
    async with asyncio.timeout(20):
        while not planted.stripe.asked:
            await asyncio.sleep(0.01)
    assert {each.kind for each in (await verify(planted.market, 0)).in_flight} == {"outbox"}
    await planted.spoil("DELETE FROM booking.outbox")
    report = await asyncio.wait_for(verifying, 20)
    assert report.ok, report.failures


async def test_what_must_always_hold_has_no_grace(planted: Planted):
    """Time sold twice is wrong at once and stays reported."""
    await planted.spoil(FAULTS["time sold twice"])
    report = await asyncio.wait_for(verify(planted.market, 30), 20)
    assert "time sold twice" in {each.check for each in report.failures}


async def test_a_book_that_cannot_be_read_is_no_verdict(well: Planted):
    """With a wrong key, or the database away, verify says so instead of ok."""
    market = well.market
    wrong_key = Market(market.database_url, market.stripe_url, "sk_test_wrong")
    with pytest.raises(CannotOperate, match="401"):
        await verify(wrong_key, 0)
    nowhere = "postgresql://ops_reader@127.0.0.1:1/mentorium"
    with pytest.raises(CannotOperate, match="database"):
        await verify(Market(nowhere, market.stripe_url, KEY), 0)
