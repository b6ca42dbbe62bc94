"""Every suite at a tiny size: each side does as much as it is told to, or the suite says so."""

from __future__ import annotations

import asyncio

import pytest
import typer
from typer.testing import CliRunner

from bench import holds, relay
from bench.__main__ import main
from bench.rounds import Comparison, Measurement, UnequalWork, Work
from bench.suites import OVER_FEW, SUITES, Worlds
from bench.topics import own_topics
from shared.outbox import OLDEST
from tests.bench.conftest import TINY, silently

OVERLAPS = "SELECT count(*) FROM overlapping_participations"
SEATS = "SELECT count(*) FROM participations WHERE active"
ORDERS = "SELECT count(*) FROM orders"
FACTS = "SELECT count(*) FROM outbox WHERE topic = 'booking.orders'"

pytestmark = pytest.mark.xdist_group("bench")


@pytest.mark.parametrize("name", SUITES)
async def test_both_sides_of_a_suite_do_what_they_are_told(both: Worlds, name: str) -> None:
    """A suite raises when one side did less; here it comes to its end with a rate for each."""
    results = await SUITES[name](both, TINY, silently)
    assert {each.bench for each in results} == {name}
    for each in results:
        rates = each.ratios if isinstance(each, Measurement) else each.values
        assert len(rates) == TINY.rounds
        assert min(rates) > 0
    if name == "a":  # The others fill the world of few, so growth is measured before them.
        assert [each.control_name == OVER_FEW for each in results] == [True, False, False]


def test_the_page_is_not_written_from_some_benches() -> None:
    """It would lose the rows of the others; nothing is measured before that is said."""
    command = typer.Typer()
    command.command()(main)
    ended = CliRunner().invoke(command, ["--only", "a", "--write-docs"])
    assert ended.exit_code == 2
    assert "lose rows" in ended.output


async def test_a_world_holds_what_it_says(both: Worlds) -> None:
    """The sessions of the past are there, each with two seats, and nobody's time is sold twice."""
    for world in (both.few, both.many):
        assert await world.count(f"{ORDERS} WHERE state = 'completed'") == world.stored
        assert await world.count(SEATS) == 2 * await world.count(ORDERS)
        assert await world.count(OVERLAPS) == 0


async def test_pgbench_makes_the_holds_that_our_command_makes(both: Worlds) -> None:
    """As many orders, seats and facts, on times of their own."""
    world, counts = both.few, (ORDERS, SEATS, FACTS)
    script = await holds.script_of_hold(world)
    before = [await world.count(each) for each in counts]
    assert (await holds.hold_many(world, TINY.holds)).done == TINY.holds
    ours = [await world.count(each) for each in counts]
    assert (await holds.pgbench_many(world, script, TINY.holds)).done == TINY.holds
    theirs = [await world.count(each) for each in counts]
    made = [after - begun for begun, after in zip(before, ours, strict=True)]
    assert made == [TINY.holds, 2 * TINY.holds, TINY.holds]
    assert [after - begun for begun, after in zip(ours, theirs, strict=True)] == made
    assert await world.count(OVERLAPS) == 0


async def test_the_relay_and_its_control_send_the_same(both: Worlds) -> None:
    """What leaves the outbox is what aiokafka is given, and the outbox is empty afterwards."""
    async with own_topics(both.engines.kafka, relay.TOPIC) as broker:
        outbox = relay.Outbox(both.few, broker)
        await outbox.refill(TINY.events)
        rows = await both.few.pool.fetch(OLDEST, TINY.events)
        assert len({bytes(row["value"]) for row in rows}) == 1
        for carry in (outbox.carry, outbox.send_raw):
            assert (await carry(TINY.events)).done == TINY.events
            assert await both.few.count(relay.COUNT) == 0


async def test_unequal_work_is_no_measurement() -> None:
    """A side that did less than it should makes the comparison fail."""

    async def whole(_round: int) -> Work:
        return Work(2, 1.0)

    async def half(_round: int) -> Work:
        return Work(1, 1.0)

    for ours, control in ((whole, half), (half, whole), (half, half)):
        with pytest.raises(UnequalWork):
            await Comparison("x", "x", "x", "1/s", 2, ours, control).measure(1, silently)


async def test_rounds_take_turns() -> None:
    """Who goes first changes from round to round, and the first round does not count."""
    went: list[str] = []

    def side(name: str, seconds: float):
        async def work(_round: int) -> Work:
            went.append(name)
            await asyncio.sleep(0)
            return Work(4, seconds)

        return work

    measured = await Comparison(
        "x", "x", "x", "1/s", 4, side("ours", 2.0), side("control", 1.0), 0.6
    ).measure(2, silently)
    assert went == ["ours", "control", "control", "ours", "ours", "control"]
    assert (measured.ratios, measured.ratio, measured.is_met) == ((0.5, 0.5), 0.5, False)
