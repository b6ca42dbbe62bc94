"""Statements: a mentor's month, made once it is over, that adds up to the ledger to the cent."""

from __future__ import annotations

import csv
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from services.payments.commands.statements import close_next_month, make_next_statement
from services.payments.domain.printing import statement_pdf
from services.payments.domain.statements import Statement
from services.payments.domain.tables import statement_csv
from services.payments.ledger import earnings, recovery
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, Part
from services.payments.store import ledger as books
from services.payments.store import statements as store
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import StatementIssued
from shared.db import Connection
from shared.ids import new_id
from shared.money import Money
from tests.payments.conftest import NOON, Bought, World
from tests.payments.test_documents import cancel, fetch
from tests.payments.test_fees import set_rule
from tests.payments.test_printing import read_pdf

DIFFERENCES = "SELECT mentor_id, period_from, moved_minor, stated_minor FROM statement_differences"
MAY, JUNE, JULY = (datetime(2030, month, 1, tzinfo=UTC) for month in (5, 6, 7))
POSTINGS = 60
BEGIN_EARLIER = "UPDATE payouts SET created_at = created_at - $1::interval"


async def statements(world: World, mentor_id: UUID) -> list[Statement]:
    """Return a mentor's statements, the oldest first."""
    async with world.pool.acquire() as conn:
        return (await store.statements_of(conn, mentor_id, None, 100))[::-1]


async def complete(world: World, order: Bought) -> None:
    """Let a session take place, and its share be released."""
    now = world.clock.now()
    await world.say(
        booking.SessionCompleted, order, title="Career talk", completed_at=now, by="mentee"
    )
    await world.rest()


async def earn(world: World, mentor_id: UUID, **more: Any) -> Bought:
    """Sell a session and let it take place."""
    order = await world.buy(mentor_id=mentor_id, **more)
    await complete(world, order)
    return order


async def test_a_month_is_stated_a_day_after_it_is_over(world: World):
    """What was earned and sent to Stripe is on it, the balance is what the ledger says."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earn(world, mentor)
    await world.advance(JUNE - NOON + timedelta(hours=23))
    assert await statements(world, mentor) == []
    await world.advance(timedelta(hours=1))
    (may,) = await statements(world, mentor)
    assert (may.period.since, may.period.until) == (MAY, JUNE)
    earned, sent = may.month.movements
    assert (earned.topic, earned.amount_minor, earned.price_minor, earned.fee_minor) == (
        "earned", 10_200, 12_000, 1_800,
    )  # fmt: skip
    assert (earned.session_id, earned.title) == (order.session_id, "Career talk")
    assert (sent.topic, sent.amount_minor) == ("sent", -10_200)
    assert (may.opening_minor, may.closing_minor) == (0, 0)
    assert [each.amount_minor for each in may.month.payouts] == [10_200]
    (told,) = await world.told(StatementIssued)
    assert (told.statement_id, told.version) == (may.statement_id, 1)
    await read_it(world, mentor, may)


async def read_it(world: World, mentor: UUID, may: Statement) -> None:
    """Let the mentor read the statement as a page, a table and a paper, and the year."""
    _, page = await world.call("GET", "/v1/me/statements", mentor, Role.MENTOR)
    assert [(each["earned_minor"], each["sent_minor"]) for each in page["items"]] == [
        (10_200, -10_200)
    ]
    where = f"/v1/statements/{may.statement_id}"
    _, shown = await world.call("GET", where, mentor, Role.MENTOR)
    assert [each["words"] for each in shown["movements"]] == [
        "Share of a session", "Sent to your Stripe account",
    ]  # fmt: skip
    kind, table = await fetch(world, f"{where}/statement.csv", mentor, Role.MENTOR)
    rows = list(csv.DictReader(table.decode().splitlines()))
    assert kind == "text/csv"
    assert [row["balance"] for row in rows] == ["0.00", "102.00", "0.00", "0.00", ""]
    kind, paper = await fetch(world, f"{where}/statement.pdf", mentor, Role.MENTOR)
    assert (kind, paper[:4]) == ("application/pdf", b"%PDF")
    _, year = await world.call("GET", "/v1/me/yearly-summary?year=2030", mentor, Role.MENTOR)
    (quarter,) = year["quarters"]
    assert quarter == {
        "quarter": 2, "currency": "USD", "sessions": 1, "gross_minor": 12_000, "refunds_minor": 0,
        "fees_minor": 1_800, "net_minor": 10_200,
    }  # fmt: skip


async def test_a_row_says_what_of_a_price_had_gone_back(world: World):
    """Price less what went back less our fee is the share, on the page, in the table, on paper."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.advance(JUNE - NOON + timedelta(days=1))
    (may,) = await statements(world, mentor)
    where = f"/v1/statements/{may.statement_id}"
    _, shown = await world.call("GET", where, mentor, Role.MENTOR)
    earned = shown["movements"][0]
    names = ("price_minor", "given_back_minor", "fee_minor", "amount_minor")
    assert [earned[name] for name in names] == [12_000, 6_000, 900, 5_100]
    _, table = await fetch(world, f"{where}/statement.csv", mentor, Role.MENTOR)
    row = list(csv.DictReader(table.decode().splitlines()))[1]
    assert (row["price"], row["given_back"], row["fees"], row["amount"]) == (
        "120.00", "60.00", "9.00", "51.00",
    )  # fmt: skip
    _, paper = await fetch(world, f"{where}/statement.pdf", mentor, Role.MENTOR)
    assert paper[:4] == b"%PDF"


async def test_operators_read_a_mentors_months_and_year(world: World):
    """They see what the mentor sees, and each look is noted with who looked."""
    mentor, operator = new_id(), (new_id(), Role.OPERATOR)
    await world.connect(mentor)
    await earn(world, mentor)
    await world.advance(JUNE - NOON + timedelta(days=1))
    theirs, own = f"/v1/operator/mentors/{mentor}", "/v1/me"
    looked = {"statements": "statements", "yearly-summary?year=2030": "yearly_summary"}
    for path, what in looked.items():
        mine = await world.call("GET", f"{own}/{path}", mentor, Role.MENTOR)
        with capture_logs() as lines:
            assert await world.call("GET", f"{theirs}/{path}", *operator) == mine
        (note,) = [line for line in lines if line["event"] == "opened_by_operator"]
        seen = (note["what"], note["id"], note["operator"])
        assert seen == (what, str(mentor), str(operator[0]))
        assert mine[1].get("items") or mine[1]["quarters"]
        assert (await world.call("GET", f"{theirs}/{path}", mentor, Role.MENTOR))[0] == 403


async def test_a_share_that_bears_stripes_fee_says_so(world: World):
    """On the page, in the table and on paper; one that was sold before the rule does not."""
    mentor = new_id()
    await world.connect(mentor)
    await earn(world, mentor)
    assert (await set_rule(world, stripe_fee="mentor"))[0] == 202
    fee = (await world.order(await earn(world, mentor))).stripe_fee_minor
    await world.advance(JUNE - NOON + timedelta(days=1))
    (may,) = await statements(world, mentor)
    names = ["Share of a session", "Share of a session, less our fee and Stripe's"]
    earned = [each for each in may.month.movements if each.topic == "earned"]
    assert [each.words for each in earned] == names
    assert [each.fee_minor for each in earned] == [1_800, 1_800 + (fee or 0)]
    rows = csv.DictReader(statement_csv(may).splitlines())
    assert [row["what"] for row in rows if row["fees"]] == names
    printed = read_pdf(statement_pdf(may))
    assert "Price / fees" in printed
    assert names[1] in printed


async def test_a_payout_is_stated_when_it_ended_and_only_what_arrived_counts(world: World):
    """One that the bank sends back stands there as failed; its money counts once, sent again."""
    mentor = new_id()
    account = await world.connect(mentor)
    await earn(world, mentor)
    await world.sim("POST", "payouts/fail_next", {"account": account, "code": "no_account"})
    await world.advance(timedelta(days=9))
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.advance(timedelta(days=4))
    await world.pool.execute(BEGIN_EARLIER, timedelta(days=90))
    await world.advance(JUNE + timedelta(days=1) - world.clock.now())
    (may,) = await statements(world, mentor)
    assert [each.state for each in may.month.payouts] == ["failed", "paid"]
    assert may.paid_out_minor == 10_200
    table = statement_csv(may)
    assert [row["amount"] for row in csv.DictReader(table.splitlines())][-2:] == ["0.00", "102.00"]


async def test_a_payout_that_comes_back_after_it_was_stated_is_corrected(world: World):
    """The statement before never changes: the next takes back what it said had arrived."""
    mentor = new_id()
    account = await world.connect(mentor)
    await earn(world, mentor)
    await world.advance(JUNE + timedelta(days=2) - world.clock.now())
    (may,) = await statements(world, mentor)
    (payout,) = may.month.payouts
    assert may.paid_out_minor == 10_200
    await world.sim("POST", f"payouts/{payout.payout_id}/fail", {"code": "no_account"})
    await world.rest()
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.advance(JULY + timedelta(days=2) - world.clock.now())
    again, june = await statements(world, mentor)
    assert again == may
    assert [(each.state, each.paid_minor) for each in june.month.payouts] == [
        ("failed", -10_200), ("paid", 10_200),
    ]  # fmt: skip
    (totals,) = (await world.call("GET", "/v1/me/earnings", mentor, Role.MENTOR))[1]["totals"]
    assert totals["paid_out_minor"] == may.paid_out_minor + june.paid_out_minor
    _, table = await fetch(
        world, f"/v1/statements/{june.statement_id}/statement.csv", mentor, Role.MENTOR
    )
    back, _ = list(csv.DictReader(table.decode().splitlines()))[-2:]
    assert back["what"] == f"Payout of 102.00 returned by the bank ({payout.payout_id})"
    assert back["amount"] == "-102.00"
    assert statement_pdf(june) != statement_pdf(replace(june, month=may.month))


async def test_the_year_counts_what_went_back_before_and_after_the_release(world: World):
    """Gross is what was paid for released sessions; less refunds and fees it is the net."""
    mentor = new_id()
    await earn(world, mentor)
    half = await world.buy(mentor_id=mentor)
    await cancel(world, half, 5_000)
    nothing = await world.buy(mentor_id=mentor)
    await cancel(world, nothing, 10_000)
    await world.advance(timedelta(days=3))
    _, year = await world.call("GET", "/v1/me/yearly-summary?year=2030", mentor, Role.MENTOR)
    (total,) = year["totals"]
    assert total == {
        "currency": "USD", "sessions": 2, "gross_minor": 24_000, "refunds_minor": 6_000,
        "fees_minor": 2_700, "net_minor": 15_300,
    }  # fmt: skip
    await world.advance(timedelta(days=300))
    _, latest = await world.call("GET", "/v1/me/yearly-summary", mentor, Role.MENTOR)
    assert latest == year
    _, none = await world.call("GET", "/v1/me/yearly-summary", new_id(), Role.MENTOR)
    assert (none["year"], none["quarters"]) == (2031, [])
    path = "/v1/me/yearly-summary/summary.csv?year=2030"
    _, table = await fetch(world, path, mentor, Role.MENTOR)
    assert table.decode().splitlines()[1] == "2030-Q2,USD,2,240.00,60.00,27.00,153.00"


@dataclass
class Poster:
    """Posts to the ledger what happens to mentors' shares, without anybody who pays."""

    conn: Connection

    async def post(self, entry: Entry) -> None:
        """Post what happened."""
        await books.post(self.conn, entry.shown_by("tr_1"))

    async def happen(self, what: str, mentor: UUID, amount: Money, at: datetime) -> None:
        """Let something of one kind happen to a mentor's share."""
        part = Part(new_id(), None, new_id())
        nothing = Money(0, amount.currency)
        taken = (nothing, amount, amount, nothing, nothing)
        to_bank = Line(Account.REFUNDS_IN_TRANSIT, -2 * amount.minor, amount.currency)
        await self.post(
            {
                "release": earnings.release(part, mentor, amount, amount, at),
                "transfer": earnings.transfer(part, part.name, mentor, amount, at),
                "reversal": recovery.reversal(part, part.name, mentor, amount, at),
                "netting": recovery.netting(part, part.name, mentor, amount, at),
                "dispute": recovery.moved(
                    f"dispute_withdrawn:{part.name}", part, mentor, taken, to_bank, at=at
                ),
            }[what]
        )

    async def state(self, now: datetime) -> None:
        """Make every statement that is due."""
        while await close_next_month(self.conn, now) or await make_next_statement(self.conn, now):
            pass


@pytest.fixture
async def poster(world: World) -> AsyncGenerator[Poster]:
    """Give somebody who posts."""
    async with world.pool.acquire() as conn:
        yield Poster(conn)


async def test_what_waits_is_the_next_months_beginning(world: World, poster: Poster):
    """A share that is sent a month later is on both statements; a month of nothing has none."""
    mentor, share = new_id(), Money(10_200, "USD")
    await poster.happen("release", mentor, share, MAY + timedelta(days=30))
    await poster.happen("transfer", mentor, share, JULY)
    await poster.state(JULY + timedelta(days=33))
    may, july = await statements(world, mentor)
    assert (may.opening_minor, may.closing_minor) == (0, 10_200)
    assert (july.opening_minor, july.closing_minor) == (10_200, 0)
    assert july.total("sent") == -10_200


async def test_statements_add_up_whatever_happened(world: World, poster: Poster):
    """Shares, transfers, debts and what is kept for them, over months: each cent, once."""
    dice = Random(11)
    mentors = [new_id(), new_id()]
    kinds = ["release", "release", "transfer", "reversal", "netting", "dispute"]
    at = MAY
    for _ in range(POSTINGS):
        at += timedelta(hours=dice.randint(0, 60))
        amount = Money(dice.randint(1, 99_999), dice.choice(["USD", "JPY"]))
        await poster.happen(dice.choice(kinds), dice.choice(mentors), amount, at)
        await poster.state(at)
    await poster.state(at + timedelta(days=40))
    assert await world.pool.fetch(DIFFERENCES) == []
    for mentor in mentors:
        ends: dict[str, int] = {}
        for each in await statements(world, mentor):
            moved = sum(movement.amount_minor for movement in each.month.movements)
            assert each.opening_minor == ends.get(each.currency, 0)
            assert each.closing_minor == each.opening_minor + moved
            ends[each.currency] = each.closing_minor
        balances = await books.mentor_balance(poster.conn, mentor)
        assert ends == {
            currency: -sum(minor for (_, of), minor in balances.items() if of == currency)
            for currency in ends
        }


async def test_a_statement_that_the_ledger_does_not_bear_out_is_found(world: World, poster: Poster):
    """Whatever is posted into a month that is stated shows as a difference."""
    mentor = new_id()
    await poster.happen("release", mentor, Money(500, "USD"), MAY)
    await poster.state(MAY + timedelta(days=40))
    assert await world.pool.fetch(DIFFERENCES) == []
    await poster.happen("release", mentor, Money(1, "USD"), MAY + timedelta(days=3))
    assert len(await world.pool.fetch(DIFFERENCES)) == 1
