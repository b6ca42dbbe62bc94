"""Money that goes back after the mentor has it: reversed, or owed and kept back (P10)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.payments.domain.transfers import ASK_AGAIN_AFTER
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, Bought, World
from tests.payments.drawing import AT_ONCE
from tests.payments.test_crossings import release, step

PAID_OUT = timedelta(days=10)
REVERSALS = "/v1/transfers/*/reversals"
DAILY = "SELECT due_at FROM due WHERE kind = 'ask_reversal_again'"
NOBODY_ASKS = "UPDATE reversals SET ask_at = NULL"
"""As when an account was asked in vain for long enough."""
ASKED = "SELECT 1 FROM operations WHERE kind = 'transfer.reverse'"


async def earned(
    world: World, mentor_id: UUID, price: int = 12_000, currency: str = "USD"
) -> Bought:
    """Return a completed session whose share is at the mentor's account."""
    order = await world.buy(price, currency, mentor_id=mentor_id)
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=NOON)
    await world.advance(max(NOON + DELAY - world.clock.now(), timedelta(0)))
    return order


async def lend(world: World, currency: str = "USD") -> None:
    """Fill the platform's balance, as an operator would: somebody else's session is sold."""
    order = await world.hold(9_000_000, currency)
    await world.rest()
    await world.pay(order, AT_ONCE)
    await world.rest()
    await world.say(booking.BookingConfirmed, order, title="Career talk")


async def preview(world: World, order: Bought, **wanted: Any) -> dict[str, Any]:
    """Return what a refund would do."""
    asked = "&".join(f"{name}={value}" for name, value in wanted.items())
    path = f"/v1/operator/orders/{order.order_id}/refund-preview?{asked}"
    status, answer = await world.call("GET", path, new_id(), Role.OPERATOR)
    assert status == 200, answer
    return answer


async def refund(world: World, order: Bought, **wanted: Any) -> dict[str, Any]:
    """Let an operator give something back on the amounts that were shown; return those."""
    shown = await preview(world, order, **wanted)
    body = wanted | {
        f"shown_{who}_minor": shown[f"{who}_minor"] for who in ("mentee", "mentor", "platform")
    }
    path = f"/v1/operator/orders/{order.order_id}/refund"
    answer = await world.call(
        "POST", path, new_id(), Role.OPERATOR, body=body | {"reason": "Asked"}
    )
    assert answer[0] == 202, answer
    return shown


async def debts(world: World, mentor_id: UUID) -> tuple[dict[str, int], list[int]]:
    """Return what a mentor is told to owe, and the steps there, the latest first."""
    _, answer = await world.call("GET", "/v1/me/debts", mentor_id, Role.MENTOR)
    owed = {each["currency"]: each["owed_minor"] for each in answer["owed"]}
    return owed, [each["amount_minor"] for each in answer["steps"]]


async def test_what_was_transferred_is_taken_back(world: World) -> None:
    """A third after the transfer: the mentor's part of it is reversed, and nobody owes anything."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    shown = await refund(world, order, amount_minor=4_000)
    assert (shown["mentor_gives_minor"], shown["platform_gives_minor"]) == (3_400, 600)
    assert (shown["owed_minor"], shown["reversible_minor"]) == (3_400, 3_400)
    await world.rest()
    (debt,) = await world.told(facts.DebtIncurred)
    assert (debt.amount_minor, debt.because, debt.mentor_id) == (3_400, "refund", mentor)
    assert [fact.amount_minor for fact in await world.told(facts.TransferReversed)] == [3_400]
    assert await debts(world, mentor) == ({}, [-3_400, 3_400])
    assert "mentor_debt" not in await world.balances()
    await world.check_books()


async def test_an_empty_account_leaves_a_debt_that_later_shares_bring_down(world: World) -> None:
    """Paid out already: nothing can be reversed; the next share is kept, and then a part of one."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    await refund(world, order, refund_basis_points=10_000)
    await world.rest()
    assert await world.told(facts.TransferReversed) == []
    assert (await world.balances())["mentor_debt"] == 10_200
    (listed,) = (await world.call("GET", "/v1/operator/debts", new_id(), Role.OPERATOR))[1]["items"]
    assert (listed["owed_minor"], listed["refusal"]) == (10_200, "balance_insufficient")
    again = datetime.fromisoformat(listed["asked_again_at"]) - world.clock.now()
    assert timedelta() < again <= ASK_AGAIN_AFTER
    await earned(world, mentor, 6_000)
    assert (await world.balances())["mentor_debt"] == 5_100
    await earned(world, mentor, 12_000)
    await world.rest()
    sent = [(fact.amount_minor, fact.netted_minor) for fact in await world.told(facts.TransferSent)]
    assert sent == [(10_200, 0), (5_100, 5_100)]
    assert await debts(world, mentor) == ({}, [-5_100, -5_100, 10_200])
    await world.check_books()


async def test_what_is_written_off_is_kept_from_no_later_share(world: World) -> None:
    """Not more than is owed; the platform bears it, the mentor and the statement say so."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    await refund(world, order, refund_basis_points=10_000)
    await world.rest()
    for amount, answered in ((10_201, 409), (7_000, 202), (3_201, 409)):
        status, said = await write_off(world, mentor, amount)
        assert (status, said.get("code")) == (
            answered, "write_off_too_much" if answered == 409 else None
        )  # fmt: skip
    assert said["facts"] == {"most_minor": 3_200, "currency": "USD"}
    (told,) = await world.told(facts.DebtWrittenOff)
    assert (told.mentor_id, told.amount_minor, told.version) == (mentor, 7_000, 1)
    assert await debts(world, mentor) == ({"USD": 3_200}, [-7_000, 10_200])
    await earned(world, mentor, 6_000)
    assert [fact.netted_minor for fact in await world.told(facts.TransferSent)] == [0, 3_200]
    balances = await world.balances()
    assert (balances["bad_debts"], balances.get("mentor_debt", 0)) == (7_000, 0)
    await world.check_books()
    await world.advance(timedelta(days=32))
    _, page = await world.call("GET", "/v1/me/statements", mentor, Role.MENTOR)
    assert [each["written_off_minor"] for each in page["items"]] == [7_000]
    assert await world.pool.fetch("SELECT mentor_id FROM statement_differences") == []


async def test_what_stripe_is_taking_back_is_not_written_off(world: World) -> None:
    """It would come back and be owed no more, twice."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await refund(world, order, amount_minor=4_000)
    status, said = await write_off(world, mentor, 1)
    assert (status, said["facts"]["most_minor"]) == (409, 0)
    await world.rest()
    assert "mentor_debt" not in await world.balances()


async def write_off(world: World, mentor_id: UUID, amount: int) -> tuple[int, Any]:
    """Let an operator write off what a mentor owes."""
    path = f"/v1/operator/debts/{mentor_id}/write-off"
    body = {"currency": "USD", "amount_minor": amount, "reason": "Left for good"}
    return await world.call("POST", path, new_id(), Role.OPERATOR, body=body)


async def test_refund_and_transfer_cross(world: World) -> None:
    """Given back while Stripe is being asked for the transfer: it is made, and then reversed."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await release(world, order)
    await step(world, "send_transfers")
    await refund(world, order, amount_minor=6_000)
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [10_200]
    assert [fact.amount_minor for fact in await world.told(facts.TransferReversed)] == [5_100]
    assert "mentor_debt" not in await world.balances()
    await world.check_books()


async def test_what_was_not_transferred_yet_is_never_owed(world: World) -> None:
    """Released and waiting for an account: the share becomes less, and the rest is sent."""
    mentor = new_id()
    order = await world.buy(mentor_id=mentor)
    await release(world, order)
    shown = await refund(world, order, refund_basis_points=5_000)
    assert (shown["from_payable_minor"], shown["owed_minor"]) == (5_100, 0)
    await world.connect(mentor)
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [5_100]
    assert await world.told(facts.DebtIncurred) == []
    await world.check_books()


async def test_a_transfer_that_is_refused_after_all_is_kept_for_the_debt(world: World) -> None:
    """Half goes back while a transfer is asked for that is refused then: half is sent later."""
    mentor = new_id()
    account = await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await release(world, order)
    await step(world, "send_transfers")
    await world.sim("POST", f"accounts/{account}/restrict", {})
    await refund(world, order, amount_minor=6_000)
    await world.rest()
    assert (await world.balances())["mentor_debt"] == 5_100
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [5_100]
    assert await world.told(facts.TransferReversed) == []
    assert "mentor_debt" not in await world.balances()
    await world.check_books()


@pytest.mark.parametrize("fault", ["500_after", "timeout_after", "reset_after"])
async def test_a_reversal_whose_answer_is_lost_is_made_once(world: World, fault: str) -> None:
    """The effect is found by what we wrote on it, and nothing is taken twice (P8)."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.fault("POST", REVERSALS, fault)
    await refund(world, order, amount_minor=4_000)
    await world.rest()
    (movement,) = await world.movements("transfer_refund")
    assert movement["amount"] == 3_400
    assert len(await world.told(facts.TransferReversed)) == 1
    await world.check_books()


async def test_many_refunds_of_one_charge(world: World) -> None:
    """Partial plus partial plus the rest, before and after the transfer; then nothing is left."""
    mentor = new_id()
    await world.connect(mentor)
    await lend(world, "HUF")
    order = await world.buy(1_000_000, "HUF", mentor_id=mentor)
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=NOON)
    await refund(world, order, amount_minor=99_999)
    await world.advance(DELAY)
    await refund(world, order, refund_basis_points=5_000)
    await refund(world, order, amount_minor=1)
    await world.rest()
    shown = await refund(world, order, refund_basis_points=10_000)
    assert (shown["mentor_minor"], shown["platform_minor"], shown["mentee_minor"]) == (
        0, 0, 1_000_000,
    )  # fmt: skip
    await world.rest()
    assert sum(row["amount"] for row in await world.movements("refund")) == -1_000_000
    path = f"/v1/operator/orders/{order.order_id}/refund-preview?amount_minor=1"
    answer = await world.call("GET", path, new_id(), Role.OPERATOR)
    assert (answer[0], answer[1]["code"]) == (409, "not_refundable")
    assert "mentor_debt" not in await world.balances()
    await world.check_books()


async def test_what_stripe_cannot_refund_is_refused_before(world: World) -> None:
    """More than is left, a step that the currency does not have, and nothing at all."""
    order = await world.buy(10_000, "KWD")
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=NOON)
    path = f"/v1/operator/orders/{order.order_id}/refund-preview"
    for asked, code in (
        ("amount_minor=10010", "refund_too_much"),
        ("amount_minor=15", "refund_not_in_steps"),
        ("refund_basis_points=0", "nothing_to_refund"),
        ("", "nothing_to_refund"),
    ):
        _, answer = await world.call("GET", f"{path}?{asked}", new_id(), Role.OPERATOR)
        assert answer["code"] == code


async def test_what_was_kept_for_a_dispute_that_is_won_comes_to_the_mentor(world: World) -> None:
    """Its first transfer was never reversed: the second is more than the charge still bears."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    charge = (await world.order(order)).charge_id
    _, opened = await world.sim("POST", "disputes", {"charge": charge})
    await world.rest()
    await earned(world, mentor)
    assert await debts(world, mentor) == ({}, [-10_200, 10_200])
    await world.sim("POST", f"disputes/{opened['id']}/win", {})
    await world.rest()
    sent = [(fact.order_id, fact.amount_minor) for fact in await world.told(facts.TransferSent)]
    assert sent == [(order.order_id, 10_200)] * 2
    assert "mentor_payable" not in await world.balances()
    await world.check_books()


async def test_an_operator_has_a_reversal_tried_again(world: World) -> None:
    """Once the account holds money again, each that is still owed; then there is nothing to do."""
    mentor = new_id()
    await world.connect(mentor)
    path, body = f"/v1/operator/mentors/{mentor}/debt/reverse", {"reason": "r", "currency": "USD"}
    answer = await world.call("POST", path, new_id(), Role.OPERATOR, body=body)
    assert answer[1]["code"] == "nothing_to_reverse"
    first, second = await earned(world, mentor), await earned(world, mentor, 6_000)
    await world.advance(PAID_OUT)
    await lend(world)
    await earned(world, mentor, 24_000)
    await refund(world, first, refund_basis_points=10_000)
    await refund(world, second, refund_basis_points=10_000)
    await world.rest()
    assert await debts(world, mentor) == ({"USD": 15_300}, [5_100, 10_200])
    await world.pool.execute(NOBODY_ASKS)
    await world.sim("POST", "payouts/fail_next", {})
    await world.advance(PAID_OUT)
    for _ in range(2):
        assert (await world.call("POST", path, new_id(), Role.OPERATOR, body=body))[0] == 202
        await world.rest()
    assert (await debts(world, mentor))[0] == {}
    await world.check_books()


async def test_what_an_account_did_not_hold_is_asked_for_a_day_later(world: World) -> None:
    """Refused at first; once a payout came back into the account, it is taken, and once only."""
    mentor = new_id()
    await owing(world, mentor)
    assert await debts(world, mentor) == ({"USD": 10_200}, [10_200])
    await world.sim("POST", "payouts/fail_next", {})
    await world.advance(PAID_OUT)
    assert (await debts(world, mentor))[0] == {}
    (taken,) = await world.movements("transfer_refund")
    assert taken["amount"] == 10_200
    assert await world.pool.fetch(DAILY) == []
    await world.check_books()


async def test_an_empty_account_is_asked_once_a_day(world: World) -> None:
    """Whatever wakes the worker in between, Stripe hears of it again after a day."""
    await owing(world, new_id())
    for days in (1, 2, 3):
        await world.advance(timedelta(days=1))
        await world.turn()
        assert len(await world.pool.fetch(ASKED)) == 1 + days
    (waits,) = await world.pool.fetch(DAILY)
    assert waits["due_at"] == world.clock.now() + timedelta(days=1)


@pytest.mark.parametrize("how", ["netted", "written off"])
async def test_what_is_owed_no_more_is_not_asked_for_again(world: World, how: str) -> None:
    """A later share was kept for it, or the platform bears it: no money is taken twice."""
    mentor = new_id()
    await owing(world, mentor, sessions=1)
    if how == "netted":
        await earned(world, mentor)
    else:
        assert (await write_off(world, mentor, 10_200))[0] == 202
        await world.rest()
    asked = len(await world.pool.fetch(ASKED))
    await world.advance(timedelta(days=3))
    assert len(await world.pool.fetch(ASKED)) == asked
    assert await world.movements("transfer_refund") == []
    assert (await debts(world, mentor))[0] == {}
    assert await world.pool.fetch(DAILY) == []
    await world.check_books()


async def owing(world: World, mentor: UUID, sessions: int = 2) -> None:
    """Let a mentor owe a share that the account does not hold; another one is on its way to it."""
    await world.connect(mentor)
    order = await earned(world, mentor)
    await world.advance(PAID_OUT)
    await lend(world)
    if sessions > 1:
        await earned(world, mentor, 24_000)
    await refund(world, order, refund_basis_points=10_000)
    await world.rest()


async def test_an_objection_settled_after_the_release_still_gives_back(world: World) -> None:
    """Booking heard too late that the money was out: the mentee is paid, the mentor gives back."""
    mentor = new_id()
    await world.connect(mentor)
    order = await earned(world, mentor)
    said = {"refund_basis_points": 5_000, "settled_at": world.clock.now(), "by": "operator"}
    await world.say(booking.ObjectionSettled, order, **said)
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.RefundIssued)] == [6_000]
    assert [fact.amount_minor for fact in await world.told(facts.TransferReversed)] == [5_100]
    await world.check_books()
