"""Books one can trust: counted balances, Stripe's own list beside the ledger, every difference."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from services.payments.commands.books import READ_EVERY, book_difference, keep_movements
from services.payments.domain.movements import NothingToBook
from services.payments.domain.requests import ReadMovements
from services.payments.domain.seen import BookedSeen, BooksSeen
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Line, entry
from services.payments.store import ledger as books
from services.payments.store import movements as store
from services.payments.store.movements import Difference
from shared.auth import Role
from shared.clock import BusinessInstant
from shared.contracts import booking
from shared.db import Pool, open_pool, transaction
from shared.deeds import Deed
from shared.ids import new_id
from tests.engines import Database
from tests.payments.conftest import NOON, World

HOUR = READ_EVERY
POSTERS, ENTRIES_EACH, MENTORS = 50, 6, 3
UNCOUNTED = """
SELECT account, mentor_id, currency FROM (
    SELECT account, mentor_id, currency, amount_minor FROM ledger_counters
    UNION ALL
    SELECT account, mentor_id, currency, -amount_minor FROM ledger_lines
) AS both_ways GROUP BY account, mentor_id, currency HAVING sum(amount_minor) <> 0
"""
POSTED = """
SELECT sum(amount_minor) FROM ledger_lines
WHERE mentor_id = $1 AND currency = 'USD' AND account = 'mentor_payable'
"""


async def differences(world: World) -> list[Difference]:
    """Return what operators are shown."""
    async with world.pool.acquire() as conn:
        return await store.differences(conn, world.clock.now(), 100)


async def reasons(world: World) -> dict[str, str]:
    """Return the explanation of every difference by its object."""
    return {each.source: each.reason for each in await differences(world)}


@pytest.mark.parametrize("seed", [1, 2])
async def test_fifty_who_post_at_once_wait_for_nobody(
    payments_database: Database, seed: int
) -> None:
    """No deadlock in whatever order accounts are touched; balances are the entries' at every look.

    Meanwhile balances are folded again and again.
    """
    mentors = [new_id() for _ in range(MENTORS)]
    url = payments_database.app_url("payments")
    async with await open_pool(url, process="test", largest=20) as pool:
        looking = asyncio.create_task(look_and_fold(pool, random.Random(seed)))
        await asyncio.gather(
            *(post_some(pool, random.Random(f"{seed}:{n}"), mentors, n) for n in range(POSTERS))
        )
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert looking.cancelled()
        async with transaction(pool) as conn:
            await books.fold(conn, 10_000)
            assert await conn.fetchval("SELECT count(*) FROM ledger_counters WHERE slot <> 0") == 0
            balance = await books.mentor_balance(conn, mentors[0])
        assert await pool.fetch(UNCOUNTED) == []
        assert balance[Account.MENTOR_PAYABLE, "USD"] == await pool.fetchval(POSTED, mentors[0])


async def post_some(pool: Pool, dice: random.Random, mentors: list[UUID], number: int) -> None:
    """Post entries, several in a transaction, each touching balances in another order."""
    for turn in range(ENTRIES_EACH):
        async with transaction(pool) as conn:
            for part, line in enumerate(_lines(dice, mentors)):
                back = Line(Account.PLATFORM_REVENUE, -line.minor, line.currency)
                await books.post(conn, entry(f"test:{number}:{turn}:{part}", NOON, line, back))


async def look_and_fold(pool: Pool, dice: random.Random) -> None:
    """Fold balances again and again, and find them equal to the entries at every look."""
    while True:
        async with transaction(pool) as conn:
            await books.fold(conn, dice.randint(1, 50))
        assert await pool.fetch(UNCOUNTED) == []


def _lines(dice: random.Random, mentors: list[UUID]) -> list[Line]:
    accounts = [Account.MENTOR_PAYABLE, Account.MENTOR_DEBT, Account.SESSION_CLEARING]
    lines = [
        Line(account, dice.randint(1, 99), currency, None, mentor)
        for account in accounts
        for currency in ("USD", "JPY")
        for mentor in mentors[:2]
    ]
    dice.shuffle(lines)
    return lines[:4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_counters SET amount_minor = 0",
        "DELETE FROM ledger_counters",
        "INSERT INTO ledger_counters VALUES ('stripe_balance', NULL, 'USD', 0, 1)",
        "TRUNCATE ledger_counters",
    ],
)
async def test_balances_change_by_posting_alone(
    payments_database: Database, statement: str
) -> None:
    """The runtime role may fold them, which changes nothing, and not write them."""
    conn = await asyncpg.connect(payments_database.app_url("payments"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
        assert await conn.fetchval("SELECT fold_ledger_counters(10)") == 0
    finally:
        await conn.close()


async def test_stripe_s_list_says_what_the_ledger_says(world: World) -> None:
    """After a whole life with fee, refund, transfer and payout there is no difference left."""
    await world.connect(mentor := new_id())
    kept, cancelled = await world.buy(mentor_id=mentor), await world.buy(mentor_id=mentor)
    await world.say(booking.BookingCancelled, cancelled, by="mentor", refund_basis_points=10_000)
    await world.say(booking.SessionCompleted, kept, by="mentee", completed_at=world.clock.now())
    await world.advance(timedelta(days=7))
    assert await differences(world) == []
    found = await world.pool.fetch("SELECT type, payout_id FROM stripe_movements")
    assert {row["type"] for row in found} >= {"charge", "refund", "transfer"}
    paid_out = [row["type"] for row in found if row["payout_id"]]
    assert sorted(paid_out) == ["payment", "payout"]
    path = "/v1/operator/ledger/reconciliation"
    status, shown = await world.call("GET", path, new_id(), Role.OPERATOR)
    assert (status, shown["items"], shown["unanswered"]) == (200, [], 0)
    assert shown["read_at"] is not None
    assert shown["movements"] == len(found)


async def test_what_is_young_is_explained(world: World) -> None:
    """What Stripe did not list yet, and what we did not book yet, are no differences to act on."""
    await world.buy()
    assert set((await reasons(world)).values()) == {"not_listed_yet"}
    await movement(world, "re_other", -500)
    assert (await reasons(world))["re_other"] == "not_booked_yet"
    world.clock.instant += timedelta(minutes=16)
    assert (await reasons(world))["re_other"] == "unexplained"


async def test_a_fee_that_stripe_kept_explains_its_amount(world: World) -> None:
    """Until it is booked, a charge differs by its fee alone; a day later by a fault."""
    await post(world, "probe:x", 1_000, "ch_x")
    await movement(world, "ch_x", 1_000, fee=59)
    world.clock.instant += timedelta(minutes=16)
    assert await reasons(world) == {"ch_x": "fee_not_known_yet"}
    world.clock.instant += timedelta(days=1)
    assert await reasons(world) == {"ch_x": "unexplained"}
    await post(world, "probe:fee", -59, "ch_x")
    assert await reasons(world) == {}


async def test_a_cent_that_differs_is_named(world: World) -> None:
    """So is what the ledger alone knows, and an entry that forgot which object shows it."""
    await post(world, "probe:x", 1_000, "ch_x")
    await movement(world, "ch_x", 999)
    await post(world, "probe:y", -10, "re_y")
    await post(world, "probe:z", -10, None)
    await world.advance(HOUR)
    found = {each.source: (each.ledger_minor, each.stripe_minor, each.reason)
             for each in await differences(world)}  # fmt: skip
    assert found == {
        "ch_x": (1_000, 999, "unexplained"),
        "re_y": (-10, 0, "unexplained"),
        "probe:z": (-10, 0, "unexplained"),
    }
    async with world.pool.acquire() as conn:
        counted = await store.count_differences(conn, world.clock.now())
    assert counted == {"unexplained": 3}


async def test_an_operator_books_what_nothing_explains(world: World) -> None:
    """Once, to an account of the platform's own, and only where time explains nothing."""
    await movement(world, "adj_x", -700)
    assert await book(world, "adj_x", "outside_stripe") is None
    world.clock.instant += timedelta(minutes=16)
    assert await book(world, "adj_x", "mentor_payable") is None
    assert await book(world, "adj_y", "outside_stripe") is None
    assert await book(world, "adj_x", "outside_stripe") == {"USD": -700}
    assert await book(world, "adj_x", "outside_stripe") is None
    await world.rest()
    assert await book(world, "adj_x", "outside_stripe") is None
    assert await differences(world) == []
    assert await world.balances() == {"stripe_balance": -700, "outside_stripe": 700}


async def book(world: World, source: str, account: str) -> object:
    """Let an operator book a difference; return what was booked, or None."""
    deed = Deed("ops:ada", "book_difference", source, "By hand", None, {"account": account})
    try:
        async with transaction(world.pool) as conn:
            return await book_difference(conn, deed, BusinessInstant(world.clock.now()))
    except NothingToBook:
        return None


async def test_what_only_stripe_tells_is_posted(world: World) -> None:
    """A payout of the platform's own and a bill of Stripe's keep both books equal, once each."""
    seen = BooksSeen(
        movements=(
            booked("txn_1", "payout", "po_own", -900),
            booked("txn_2", "stripe_fee", "txn_2", -25),
        ),
        complete=True,
    )
    request = ReadMovements(account_id=None, payout_id=None, since=NOON)
    for _ in range(2):
        async with transaction(world.pool) as conn:
            await keep_movements(conn, request, seen, NOON)
        await world.rest()
    assert await world.balances() == {
        "stripe_balance": -925, "outside_stripe": 900, "stripe_fees": 25,
    }  # fmt: skip
    assert await differences(world) == []


async def test_a_long_list_is_read_in_stretches(world: World) -> None:
    """Each stretch goes on before the oldest of the last; only the last one ends the reading."""
    request = ReadMovements(account_id=None, payout_id=None, since=NOON)
    first = BooksSeen(movements=(booked("txn_9", "payout", "po_9", -1),), complete=False)
    async with transaction(world.pool) as conn:
        await store.add_lists(conn, NOON + HOUR, NOON, NOON)
        await keep_movements(conn, request, first, NOON)
        assert (await store.read_so_far(conn)).read_at is None
    planned = await world.pool.fetchval(
        "SELECT parameters FROM operations WHERE kind = 'movements.list'"
    )
    assert planned["before"] == "txn_9"
    await world.rest()
    done = await world.pool.fetchval("SELECT state FROM operations WHERE kind = 'movements.list'")
    assert done in ("done", "refused")


async def movement(world: World, source: str, amount: int, fee: int = 0) -> None:
    """Let Stripe's list show a movement of just now."""
    seen = booked(f"txn_{source}", "adjustment", source, amount, fee, at=world.clock.now())
    request = ReadMovements(account_id=None, payout_id=None, since=NOON)
    async with transaction(world.pool) as conn:
        await store.add_movements(conn, request, [seen])
        await store.ask(conn, [source])
    await world.rest()


def booked(
    name: str, kind: str, source: str, amount: int, fee: int = 0, at: datetime = NOON
) -> BookedSeen:
    """Return a balance transaction in dollars."""
    return BookedSeen(
        movement_id=name, type=kind, source=source, amount_minor=amount, fee_minor=fee,
        currency="USD", created_at=at,
    )  # fmt: skip


async def post(world: World, cause: str, minor: int, source: str | None) -> None:
    """Post a movement of Stripe's balance, against revenue."""
    lines = (
        Line(Account.STRIPE_BALANCE, minor, "USD"),
        Line(Account.PLATFORM_REVENUE, -minor, "USD"),
    )
    async with transaction(world.pool) as conn:
        assert await books.post(conn, entry(cause, world.clock.now(), *lines).shown_by(source))
    await world.rest()


async def test_a_trial_balance_is_of_any_day(world: World) -> None:
    """What happened before the instant counts, by when it happened and not when it was posted."""
    await post(world, "probe:a", 1_000, "ch_a")
    world.clock.instant += timedelta(days=1)
    await post(world, "probe:b", 500, "ch_b")
    path, operator = "/v1/operator/ledger/trial-balance", new_id()
    for query, held in (("", 1_500), ("?before=2030-05-07T00:00:00Z", 1_000)):
        _, shown = await world.call("GET", path + query, operator, Role.OPERATOR)
        assert {each["account"]: each["amount_minor"] for each in shown["items"]} == {
            "stripe_balance": held, "platform_revenue": -held,
        }  # fmt: skip
