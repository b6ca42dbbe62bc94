"""Of which debt a write-off was, when the share of it comes back after all (decision 26)."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.recovery import OWED_AGAIN, REVERSAL, WRITTEN_OFF, DebtStep
from services.payments.domain.recovery import written_off as written_off_of
from shared.ids import new_id
from tests.payments.conftest import World
from tests.payments.test_disputes import decide, dispute
from tests.payments.test_recovery import PAID_OUT, debts, earned, lend, write_off

SHARE = 10_200
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))
TAKEN, NETTING = "dispute_withdrawn", "netting"


async def test_a_debt_that_was_paid_is_not_owed_again_for_another_that_was_forgiven(
    world: World,
) -> None:
    """The first was kept from the second share; the third was written off; the first is won."""
    mentor = new_id()
    await world.connect(mentor)
    first = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    won = await dispute(world, first)
    await world.rest()
    await earned(world, mentor)
    assert await debts(world, mentor) == ({}, [-SHARE, SHARE])
    third = await earned(world, mentor)
    await world.advance(PAID_OUT)
    lost = await dispute(world, third)
    await world.rest()
    assert (await write_off(world, mentor, SHARE))[0] == 202
    await decide(world, won, "win")
    await decide(world, lost, "lose")
    await world.advance(PAID_OUT)
    transfers = await world.movements("transfer")
    assert [row["amount"] for row in transfers] == [-SHARE] * 3
    assert (await world.balances())["bad_debts"] == SHARE
    assert await debts(world, mentor) == ({}, [-SHARE, SHARE, -SHARE, SHARE])
    await world.check_books()


@pytest.mark.parametrize(
    ("steps", "forgiven"),
    [
        pytest.param([(TAKEN, ONE, 9), (WRITTEN_OFF, None, -9)], {ONE: 9}, id="the only one"),
        pytest.param(
            [(TAKEN, ONE, 9), (TAKEN, TWO, 9), (WRITTEN_OFF, None, -12)],
            {ONE: 9, TWO: 3},
            id="the oldest first",
        ),
        pytest.param(
            [(TAKEN, ONE, 9), (NETTING, TWO, -9), (TAKEN, THREE, 9), (WRITTEN_OFF, None, -9)],
            {THREE: 9},
            id="not what was kept before",
        ),
        pytest.param(
            [(TAKEN, ONE, 9), (TAKEN, TWO, 9), (REVERSAL, TWO, -9), (WRITTEN_OFF, None, -9)],
            {ONE: 9},
            id="not what came back before",
        ),
        pytest.param(
            [(TAKEN, ONE, 9), (TAKEN, TWO, 9), (WRITTEN_OFF, None, -9), (REVERSAL, ONE, -9)],
            {TWO: 9},
            id="nor what Stripe was taking back then",
        ),
        pytest.param(
            [(TAKEN, ONE, 9), (WRITTEN_OFF, None, -9), (OWED_AGAIN, ONE, 9), (NETTING, ONE, -9)],
            {},
            id="not what is owed again",
        ),
        pytest.param(
            [(TAKEN, ONE, 9), (NETTING, TWO, -9), (TAKEN, THREE, 4), (TAKEN, ONE, 9),
             (WRITTEN_OFF, None, -5)],
            {THREE: 4, ONE: 1},
            id="what was paid stands last when it is owed anew",
        ),
    ],
)  # fmt: skip
def test_a_write_off_is_of_the_oldest_debt_that_nothing_else_paid(
    steps: list[tuple[str, UUID | None, int]], forgiven: dict[UUID, int]
) -> None:
    """What later shares and reversals brought is of debts as well, and not forgiven."""
    assert +written_off_of([DebtStep(*step) for step in steps]) == forgiven


@given(st.lists(st.tuples(st.sampled_from([TAKEN, NETTING, REVERSAL, WRITTEN_OFF]),
                          st.sampled_from([ONE, TWO, THREE]), st.integers(1, 9))))  # fmt: skip
def test_no_more_is_forgiven_than_was_written_off_nor_of_a_session_than_was_owed(
    wanted: list[tuple[str, UUID, int]],
) -> None:
    """Whatever happens to a debt: each write-off is put to sessions to the last cent."""
    steps: list[DebtStep] = []
    for kind, of, minor in wanted:
        owed = sum(step.minor for step in steps)
        moved = minor if kind == TAKEN else -min(minor, owed)
        steps += [DebtStep(kind, None if kind == WRITTEN_OFF else of, moved)] if moved else []
    forgiven = written_off_of(steps)
    assert forgiven.total() == -sum(step.minor for step in steps if step.kind == WRITTEN_OFF)
    for of in (ONE, TWO, THREE):
        most = sum(step.minor for step in steps if (step.kind, step.session_id) == (TAKEN, of))
        assert 0 <= forgiven[of] <= most
