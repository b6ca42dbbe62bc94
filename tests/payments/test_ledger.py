"""The ledger: postings balance, happen once, and cannot be rewritten by anybody (P9, P14)."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments import ledger
from services.payments.domain.fees import FeeTerms, divide
from services.payments.domain.splits import fraction
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Paid, Part
from services.payments.store.ledger import post
from shared.db import transaction
from shared.ids import new_id
from shared.money import Money
from tests.engines import Database
from tests.payments.conftest import NOON, World

ORDER, SESSION, MENTOR, REFUND = new_id(), new_id(), new_id(), new_id()
PART = Part(ORDER, SESSION, ORDER)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "HUF"])


def by_card(price: Money) -> Paid:
    """Return that the card pays the whole price."""
    return Paid(price, Money(0, price.currency))


def refund_planned(amount: Money) -> Entry:
    """Return the posting of a refund that leaves what nobody was given yet."""
    nothing = Money(0, amount.currency)
    sides = (amount, nothing, nothing, nothing, nothing)
    back = ledger.refunds.on_its_way(PART, amount)
    return ledger.recovery.moved(f"refund_planned:{REFUND}", PART, MENTOR, sides, back, at=NOON)


def story(price: Money, refund_basis_points: int, fee: Money) -> list[Entry]:
    """Return every posting of an order that is refunded in part and released."""
    split = divide(price, fraction(price, refund_basis_points), FeeTerms(1_500))
    return [
        ledger.purchases.payment({PART: by_card(price)}, NOON),
        ledger.purchases.stripe_fee(ORDER, fee, NOON),
        refund_planned(split.mentee),
        ledger.refunds.refund_settled(PART, REFUND, split.mentee, NOON),
        ledger.earnings.release(PART, MENTOR, split.mentor, split.platform, NOON),
        ledger.earnings.transfer(PART, ORDER, MENTOR, split.mentor, NOON),
    ]


@given(st.integers(1, 99_999_999), CURRENCIES, st.integers(0, 10_000), st.integers(0, 5_000))
def test_every_story_ends_with_empty_clearing(
    minor: int, currency: str, refund: int, fee: int
) -> None:
    """Each entry sums to zero, and only Stripe's balance, fees and revenue are left."""
    entries = story(Money(minor, currency), refund, Money(fee, currency))
    left: dict[Account, int] = {}
    for entry in entries:
        assert sum(line.minor for line in entry.lines) == 0
        for line in entry.lines:
            left[line.account] = left.get(line.account, 0) + line.minor
    for account in (
        Account.SESSION_CLEARING,
        Account.REFUNDS_IN_TRANSIT,
        Account.MENTOR_PAYABLE,
    ):
        assert left.get(account, 0) == 0
    assert sum(left.values()) == 0


@pytest.mark.parametrize("settled", [True, False])
def test_a_failed_refund_leaves_its_money_in_one_account(settled: bool) -> None:
    """Whether the money had left or not, it ends as a debt to the mentee."""
    amount = Money(500, "USD")
    entries = [refund_planned(amount)]
    if settled:
        entries.append(ledger.refunds.refund_settled(PART, REFUND, amount, NOON))
    entries.append(ledger.refunds.refund_failed(PART, REFUND, amount, NOON, settled=settled))
    left: dict[Account, int] = {}
    for line in (line for entry in entries for line in entry.lines):
        left[line.account] = left.get(line.account, 0) + line.minor
    found = {account: minor for account, minor in left.items() if minor}
    assert found == {Account.SESSION_CLEARING: 500, Account.REFUND_FAILED: -500}


async def test_a_cause_is_posted_once(world: World) -> None:
    """The same news twice is one entry."""
    entry = ledger.purchases.payment({PART: by_card(Money(100, "USD"))}, NOON)
    async with transaction(world.pool) as conn:
        assert await post(conn, entry)
        assert not await post(conn, entry)
    assert await world.balances() == {"stripe_balance": 100, "session_clearing": -100}


async def test_the_database_refuses_an_entry_that_does_not_balance(world: World) -> None:
    """Even past our own check, an unbalanced or empty entry cannot be committed."""
    insert = "INSERT INTO ledger_entries VALUES ($1, $2, 'payment', $3)"
    line = "INSERT INTO ledger_lines VALUES ($1, 1, 'stripe_balance', NULL, NULL, 5, 'USD')"
    for statements in ([insert], [insert, line]):
        entry_id = new_id()
        with pytest.raises(asyncpg.CheckViolationError):
            await _run(world, entry_id, statements)
    assert await world.pool.fetchval("SELECT count(*) FROM ledger_entries") == 0


async def _run(world: World, entry_id: UUID, statements: list[str]) -> None:
    async with transaction(world.pool) as conn:
        await conn.execute(statements[0], entry_id, f"test:{entry_id}", NOON)
        for statement in statements[1:]:
            await conn.execute(statement, entry_id)


@pytest.mark.parametrize("role", ["app", "owner"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET entry_id = entry_id",
        "DELETE FROM {table}",
        "TRUNCATE {table} CASCADE",
    ],
)
@pytest.mark.parametrize("table", ["ledger_entries", "ledger_lines"])
async def test_nobody_rewrites_the_ledger(
    payments_database: Database, role: str, statement: str, table: str
) -> None:
    """The runtime role has no right to, and the owner is stopped too."""
    url = getattr(payments_database, f"{role}_url")("payments")
    conn = await asyncpg.connect(url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement.format(table=table))
    finally:
        await conn.close()


async def test_the_runtime_role_cannot_give_itself_rights(payments_database: Database) -> None:
    """The runtime role neither changes the schema nor grants itself anything."""
    conn = await asyncpg.connect(payments_database.app_url("payments"))
    try:
        for statement in (
            "DROP TRIGGER ledger_lines_final ON ledger_lines",
            "ALTER TABLE ledger_lines DISABLE TRIGGER ALL",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)
        await conn.execute("GRANT UPDATE ON ledger_lines TO payments_app")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("UPDATE ledger_lines SET amount_minor = 1")
    finally:
        await conn.close()


async def test_money_in_clearing_is_seen(world: World) -> None:
    """The view that verification reads names an order whose clearing is not empty at the end."""
    order = await world.hold()
    await world.rest()
    await world.advance(timedelta(minutes=15))
    part = Part(order.order_id, order.session_id, order.order_id)
    async with transaction(world.pool) as conn:
        await post(conn, ledger.purchases.payment({part: by_card(Money(100, "USD"))}, NOON))
    found = await world.pool.fetch("SELECT order_id, amount_minor FROM clearing_leftovers")
    assert [(row["order_id"], row["amount_minor"]) for row in found] == [(order.order_id, -100)]
