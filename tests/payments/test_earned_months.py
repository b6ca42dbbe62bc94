"""What a mentor earned by month: every share counts, as on the statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from services.payments.domain.earned import MONTHS_TOLD
from services.payments.store import statements as store
from shared.auth import Role
from shared.ids import new_id
from shared.money import Money
from tests.payments.conftest import NOON, World
from tests.payments.test_statements import Poster

MONTHS = "/v1/me/earnings/months"
APRIL, MAY = (datetime(2030, month, 1, tzinfo=UTC) for month in (4, 5))
JUNE_BEFORE = datetime(2029, 6, 1, tzinfo=UTC)
SHARES = 60
POSTINGS = 80


async def months(world: World, mentor: UUID) -> dict[str, list[dict[str, Any]]]:
    """Return the months that a mentor is told, by currency."""
    status, told = await world.call("GET", MONTHS, mentor, Role.MENTOR)
    assert status == 200, told
    return {each["currency"]: each["months"] for each in told["items"]}


async def test_every_share_of_a_month_counts(world: World) -> None:
    """However many sessions a month had, its sum is of all, and nobody else's are in it."""
    mentor, share = new_id(), Money(10_200, "USD")
    async with world.pool.acquire() as conn:
        poster = Poster(conn)
        for number in range(SHARES):
            await poster.happen("release", mentor, share, APRIL + timedelta(hours=number))
        await poster.happen("dispute", mentor, Money(700, "USD"), MAY)
        await poster.happen("transfer", mentor, share, MAY)
        await poster.happen("release", new_id(), share, MAY)
    told = (await months(world, mentor))["USD"]
    assert told[-2:] == [
        {"since": "2030-04-01T00:00:00Z", "earned_minor": SHARES * 10_200, "given_back_minor": 0},
        {"since": "2030-05-01T00:00:00Z", "earned_minor": 0, "given_back_minor": -1_400},
    ]


async def test_the_last_twelve_months_are_told(world: World) -> None:
    """The first begins eleven months before this one; what is older is not told."""
    mentor = new_id()
    async with world.pool.acquire() as conn:
        poster = Poster(conn)
        for at in (JUNE_BEFORE - timedelta(microseconds=1), JUNE_BEFORE, NOON):
            await poster.happen("release", mentor, Money(500, "JPY"), at)
    told = (await months(world, mentor))["JPY"]
    assert len(told) == MONTHS_TOLD == 12
    assert told[0]["since"] == "2029-06-01T00:00:00Z"
    assert [each["earned_minor"] for each in told] == [500, *[0] * 10, 500]
    assert await months(world, new_id()) == {}


async def test_a_month_says_what_its_statement_says(world: World) -> None:
    """Whatever moved a mentor's money, earned and given back are those of the statement."""
    dice, mentor, at = Random(7), new_id(), JUNE_BEFORE
    kinds = ["release", "release", "transfer", "reversal", "netting", "dispute"]
    async with world.pool.acquire() as conn:
        poster = Poster(conn)
        for _ in range(POSTINGS):
            at += timedelta(hours=dice.randint(0, 190))
            amount = Money(dice.randint(1, 99_999), dice.choice(["USD", "JPY"]))
            await poster.happen(dice.choice(kinds), mentor, amount, min(at, NOON))
        await poster.state(NOON + timedelta(days=40))
        stated = await store.statements_of(conn, mentor, None, 100)
    told = await months(world, mentor)
    found = {
        (currency, datetime.fromisoformat(each["since"])): each
        for currency, those in told.items()
        for each in those
    }
    assert len(stated) > MONTHS_TOLD
    for each in stated:
        month = found.pop((each.currency, each.period.since))
        assert month["earned_minor"] == each.total("earned")
        assert month["given_back_minor"] == each.total("given_back")
    assert all(not each["earned_minor"] for each in found.values())


async def test_the_delay_of_the_release_is_told(world: World) -> None:
    """That of today's terms, and for each session the one it was sold under."""
    mentor = new_id()
    await world.buy(mentor_id=mentor)
    await world.pool.execute("UPDATE orders SET release_delay_seconds = 3600")
    _, told = await world.call("GET", "/v1/me/earnings", mentor, Role.MENTOR)
    assert told["release_delay_hours"] == 48
    _, page = await world.call("GET", "/v1/me/earnings/orders", mentor, Role.MENTOR)
    assert [each["release_delay_hours"] for each in page["items"]] == [1]
