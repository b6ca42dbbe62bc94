"""Disputes: whatever order their notices take, the money is where the bank's decision says."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.payments.commands.webhooks import store_webhook
from services.payments.domain.disputes import Dispute
from services.payments.gateway.shapes import read_event
from services.payments.store.accounts import earned_sessions
from services.payments.store.disputes import load_dispute
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import DisputeClosed, DisputeOpened, EarningsReleased
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.checking import is_told_in_order
from tests.payments.conftest import DELAY, NOON, Bought, World

FEE = 1_500
DAY = timedelta(days=1)
WON = ("created", "funds_withdrawn", "updated", "closed", "funds_reinstated")
LOST = ("created", "funds_withdrawn", "updated", "closed")
ORDERS_SAMPLED = 6


async def dispute(world: World, order: Bought, amount: int | None = None, **more: Any) -> Any:
    """Let the mentee's bank dispute a payment; return Stripe's dispute."""
    charge = (await world.order(order)).charge_id
    body = {"charge": charge, "amount": amount, **more}
    status, opened = await world.sim("POST", "disputes", body)
    assert status == 200, opened
    return opened


async def decide(world: World, opened: Any, how: str, **more: Any) -> None:
    """Let the bank decide."""
    status, answer = await world.sim("POST", f"disputes/{opened['id']}/{how}", more)
    assert status == 200, answer


async def stored(world: World, opened: Any) -> Dispute | None:
    """Return the dispute as the service has it."""
    async with world.pool.acquire() as conn:
        return await load_dispute(conn, opened["id"])


async def complete(world: World, order: Bought) -> None:
    """Let the session take place."""
    now = world.clock.now()
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=now)


async def part_of(world: World, order: Bought, *accounts: str) -> dict[str, int]:
    """Return the balances of a purchase's lines, of some accounts, but for those at zero."""
    rows = await world.pool.fetch(
        "SELECT account, sum(amount_minor)::bigint AS minor FROM ledger_lines WHERE order_id = $1"
        " GROUP BY account",
        order.order_id,
    )
    found = {row["account"]: row["minor"] for row in rows if row["minor"]}
    return {name: minor for name, minor in found.items() if not accounts or name in accounts}


async def test_a_bank_takes_what_was_paid_and_the_session_waits(world: World) -> None:
    """Nothing is released while a bank disputes the payment; a lost dispute leaves its fee."""
    order = await world.buy()
    await complete(world, order)
    opened = await dispute(world, order, 5_000)
    await world.rest()
    assert await part_of(world, order, "session_clearing", "dispute_fees") == {
        "session_clearing": -7_000,
        "dispute_fees": FEE,
    }
    await world.advance(DELAY + DAY)
    assert await world.told(EarningsReleased) == []
    async with world.pool.acquire() as conn:
        (earned,) = await earned_sessions(conn, order.mentor_id, None, 2)
    assert (earned["waits_for"], earned["due_at"]) == ("bank", None)
    await decide(world, opened, "lose")
    await world.rest()
    released = (await world.told(EarningsReleased))[0]
    assert (released.mentor_minor, released.platform_minor) == (5_950, 1_050)
    told = await world.told(DisputeOpened)
    assert [(fact.amount_minor, fact.inquiry) for fact in told] == [(5_000, False)]
    assert [fact.outcome for fact in await world.told(DisputeClosed)] == ["lost"]
    await world.check_books()


async def _play(world: World, names: tuple[str, ...], order_of_events: tuple[int, ...]) -> str:
    """Dispute a purchase to its end, and only then hear of it in this order, each twice."""
    order = await world.buy()
    opened = await dispute(world, order)
    how = "winning_evidence" if "funds_reinstated" in names else "losing_evidence"
    data = {"evidence[uncategorized_text]": how}
    headers = {"Authorization": "Bearer sk_test_payments"}
    path = f"/v1/disputes/{opened['id']}"
    async with world.stripe.post(path, data=data, headers=headers) as answer:
        assert answer.status == 200
    history = (await world.sim("GET", "history"))[1]["objects"]["event"]
    events = {
        each["type"].removeprefix("charge.dispute."): read_event(each)
        for each in history
        if each["data"]["object"]["id"] == opened["id"]
    }
    assert set(events) == set(names)
    for place in order_of_events:
        for _ in range(2):
            event = events[names[place]]
            await in_transaction(world.pool, lambda conn, event=event: store_webhook(conn, event))
        await world.turn()
    found = await stored(world, opened)
    left = sorted((await part_of(world, order)).items())
    return f"{found.state if found else None} {left}"


def _orders(names: tuple[str, ...]) -> list[tuple[int, ...]]:
    return list(permutations(range(len(names))))


@pytest.mark.parametrize("names", [WON, LOST], ids=["won", "lost"])
async def test_any_order_of_a_disputes_notices_ends_the_same(
    world: World, names: tuple[str, ...]
) -> None:
    """A sample of the orders, each notice twice; all of them are tried by the long test."""
    await _check_orders(world, names, Random(20).sample(_orders(names), ORDERS_SAMPLED // 2))


@pytest.mark.long
@pytest.mark.parametrize("names", [WON, LOST], ids=["won", "lost"])
async def test_every_order_of_a_disputes_notices_ends_the_same(
    world: World, names: tuple[str, ...]
) -> None:
    """All orders, each notice twice."""
    await _check_orders(world, names, _orders(names))


async def _check_orders(
    world: World, names: tuple[str, ...], orders: list[tuple[int, ...]]
) -> None:
    await world.sim("POST", "webhooks", {"mode": "drop"})
    ends: set[str] = set()
    for each in orders:
        await world.sim("POST", "webhooks", {"mode": "normal"})
        ends.add(await _play(world, names, each))
    assert len(ends) == 1, ends
    await world.rest()
    await world.check_books()


STAGES = ("paid", "ended", "released", "transferred", "paid_out")


async def _at_stages(world: World, price: int, currency: str, mentor: UUID) -> dict[str, Bought]:
    """Return purchases of a mentor, each of which has come as far as its name says.

    The last one's share is at the bank: nothing is left of it to be asked back.
    """
    orders: dict[str, Bought] = {}
    for stage in ("paid_out", "transferred"):
        orders[stage] = await world.buy(price, currency, mentor_id=mentor)
        await complete(world, orders[stage])
        await world.advance(5 * DAY if stage == "paid_out" else DELAY)
    lonely = await world.buy(price, currency)
    await complete(world, lonely)
    await world.advance(DELAY)
    orders["released"] = lonely
    for stage in ("ended", "paid"):
        orders[stage] = await world.buy(price, currency, mentor_id=mentor)
    await complete(world, orders["ended"])
    return orders


@pytest.mark.parametrize(
    ("price", "currency", "end"),
    [
        (12_000, "USD", "lose"),
        (1_234_500, "HUF", "win"),
        pytest.param(9_999, "JPY", "win", marks=pytest.mark.long),
        pytest.param(12_340, "KWD", "lose", marks=pytest.mark.long),
    ],
)
async def test_a_dispute_finds_the_money_wherever_it_is(
    world: World, price: int, currency: str, end: str
) -> None:
    """Before and after the release, the transfer and the payout; both books agree throughout."""
    mentor = new_id()
    await world.connect(mentor)
    orders = await _at_stages(world, price, currency, mentor)
    disputes = {stage: await dispute(world, order) for stage, order in orders.items()}
    await world.rest()
    await world.check_books()
    assert (await part_of(world, orders["paid_out"], "mentor_debt"))["mentor_debt"] > 0
    for stage, opened in disputes.items():
        returned = {"fee_returned": True} if (stage, end) == ("paid", "win") else {}
        await decide(world, opened, end, **returned)
    await world.rest()
    await world.advance(10 * DAY)
    await world.check_books()
    for order in orders.values():
        left = await part_of(world, order, "session_clearing", "mentor_payable", "dispute_losses")
        assert end == "win" or not left
    if end == "win":
        for stage in ("paid_out", "transferred", "released", "ended"):
            assert await _of_mentor(world, orders[stage]) == _share(price, currency)
    told = await world.facts()
    assert all(is_told_in_order(order, told) for order in orders.values())


def _share(price: int, currency: str) -> int:
    step = {"KWD": 10, "HUF": 100}.get(currency, 1)
    return price * 8_500 // 10_000 // step * step


async def _of_mentor(world: World, order: Bought) -> int:
    """Return what a mentor has of a purchase: transferred for good, or still to be."""
    lines = await part_of(world, order)
    platform = -lines.get("platform_revenue", 0)
    return order.price_minor - platform


async def test_a_lost_dispute_can_be_won_later_and_the_fee_comes_back(world: World) -> None:
    """Money that comes again is the sessions' again, as if it had never been away."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    await decide(world, opened, "lose")
    await world.rest()
    assert (await part_of(world, order))["dispute_fees"] == FEE
    await decide(world, opened, "win", fee_returned=True)
    await world.rest()
    fee = (await part_of(world, order))["stripe_fees"]
    assert await part_of(world, order) == {
        "stripe_balance": 12_000 - fee,
        "stripe_fees": fee,
        "session_clearing": -12_000,
    }
    assert [fact.outcome for fact in await world.told(DisputeClosed)] == ["lost", "won"]
    await world.check_books()


async def test_a_dispute_takes_from_each_session_what_is_left_of_it(world: World) -> None:
    """After a partial refund the bank takes the whole charge: what exceeds the rest is a loss."""
    order = await world.buy(parts=(3_000, 4_000, 5_000))
    first, second, third = order.parts
    cancelled = order.common(order.version + 1) | {"session_id": first}
    await world.hear(
        booking.BookingCancelled.model_validate(
            cancelled | {"by": "mentee", "refund_basis_points": 5_000}
        )
    )
    order.version += 1
    await world.rest()
    opened = await dispute(world, order, 12_000)
    await world.rest()
    rows = await world.pool.fetch("SELECT session_id, amount_minor FROM dispute_takings")
    taken = {row["session_id"]: row["amount_minor"] for row in rows}
    assert taken == {first: 1_500, second: 4_000, third: 5_000}
    assert (await part_of(world, order))["dispute_losses"] == 1_500
    await world.check_books()
    await decide(world, opened, "win")
    await world.rest()
    assert "dispute_losses" not in await part_of(world, order)
    assert (await part_of(world, order))["session_clearing"] == -10_500
    await world.check_books()


async def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(world: World) -> None:
    """The bank only asks: the session goes on, and the mentor's letter waits."""
    order = await world.buy()
    opened = await dispute(world, order, inquiry=True)
    await world.rest()
    found = await stored(world, opened)
    assert found is not None
    assert found.is_inquiry
    assert "dispute_fees" not in await part_of(world, order)
    assert (await world.order(order)).sessions[0].disputed_at is None
    await decide(world, opened, "escalate")
    await world.rest()
    assert (await world.order(order)).sessions[0].disputed_at is not None
    assert [fact.inquiry for fact in await world.told(DisputeOpened)] == [True, False]
    await world.check_books()


async def test_an_operator_answers_with_what_the_records_say(world: World) -> None:
    """Times in the room, the policy and the payment are put together; the bank reads it once."""
    order = await world.buy()
    now = world.clock.now()
    visits = [
        {"side": "mentee", "joined_at": NOON.isoformat(), "left_at": None},
        {"side": "mentor", "joined_at": NOON.isoformat(), "left_at": now.isoformat()},
    ]
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=now, visits=visits)
    opened = await dispute(world, order, reason="product_not_received")
    await world.rest()
    operator, path = new_id(), f"/v1/operator/disputes/{opened['id']}"
    _, listed = await world.call("GET", "/v1/operator/disputes", operator, Role.OPERATOR)
    assert [each["dispute_id"] for each in listed["items"]] == [opened["id"]]
    _, case = await world.call("GET", path, operator, Role.OPERATOR)
    log = case["evidence"]["access_activity_log"]
    assert "the customer was in the room from 2030-05-06 12:00 UTC on" in log
    assert "the customer confirmed at" in log
    assert "'standard, version 1'" in case["evidence"]["cancellation_policy_disclosure"]
    assert case["can"] == {"answer": True, "accept": True}
    said = case["evidence"] | {"reason": "They were there.", "uncategorized_text": ""}
    body = said | {"uncategorized_text": "winning_evidence"}
    status, _ = await world.call("POST", f"{path}/evidence", operator, Role.OPERATOR, body=body)
    assert status == 202
    await world.rest()
    _, case = await world.call("GET", path, operator, Role.OPERATOR)
    assert (case["state"], case["can"]) == ("won", {"answer": False, "accept": False})
    status, refused = await world.call(
        "POST", f"{path}/evidence", operator, Role.OPERATOR, body=body
    )
    assert (status, refused["code"]) == (409, "dispute_not_answerable")
    await world.check_books()


async def test_an_operator_accepts_a_dispute(world: World) -> None:
    """Given up is lost; a second time there is nothing to give up."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    operator, path = new_id(), f"/v1/operator/disputes/{opened['id']}"
    body = {"reason": "The card was stolen."}
    empty = await world.call("POST", f"{path}/evidence", operator, Role.OPERATOR, body=body)
    assert (empty[0], empty[1]["code"]) == (422, "evidence_empty")
    status, _ = await world.call("POST", f"{path}/accept", operator, Role.OPERATOR, body=body)
    assert status == 202
    again = await world.call("POST", f"{path}/accept", operator, Role.OPERATOR, body=body)
    assert again[1]["code"] == "dispute_answer_open"
    await world.rest()
    found = await stored(world, opened)
    assert found is not None
    assert found.state == "lost"
    over = await world.call("POST", f"{path}/accept", operator, Role.OPERATOR, body=body)
    assert over[1]["code"] == "dispute_over"
    _, closed = await world.call(
        "GET", "/v1/operator/disputes?state=closed", operator, Role.OPERATOR
    )
    assert [each["dispute_id"] for each in closed["items"]] == [opened["id"]]
    await world.check_books()


async def test_a_lost_answer_is_looked_for_before_it_is_given_again(world: World) -> None:
    """Evidence is taken once: after a stored failure the dispute itself says whether it arrived."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    await world.fault("POST", "/v1/disputes/*", "500_after")
    operator, path = new_id(), f"/v1/operator/disputes/{opened['id']}"
    body = {"reason": "They were there.", "uncategorized_text": "They were there."}
    await world.call("POST", f"{path}/evidence", operator, Role.OPERATOR, body=body)
    await world.rest()
    found = await stored(world, opened)
    assert found is not None
    assert (found.state, found.refusal) == ("under_review", None)


async def test_a_refund_that_a_dispute_overtook_is_the_banks_until_it_is_won(world: World) -> None:
    """The mentee gets the money once, from whoever comes first, and keeps it in the end."""
    order = await world.buy()
    await world.sim("POST", "webhooks", {"mode": "hold"})
    opened = await dispute(world, order)
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", "webhooks/release", {})
    await world.rest()
    fee = {"stripe_fees", "dispute_fees", "stripe_balance"}
    assert (await part_of(world, order)).keys() == fee
    await world.check_books()
    await decide(world, opened, "win")
    await world.rest()
    assert (await part_of(world, order)).keys() == fee
    refunds = await world.pool.fetch("SELECT amount_minor, state FROM refunds")
    assert [tuple(row) for row in refunds] == [(12_000, "settled")]
    await world.check_books()


async def test_what_is_cancelled_during_a_dispute_goes_back_when_it_is_won(world: World) -> None:
    """While the bank has paid the mentee nothing more goes back; afterwards it is owed."""
    order = await world.buy()
    opened = await dispute(world, order)
    await world.rest()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    await world.rest()
    assert await world.pool.fetch("SELECT 1 FROM refunds") == []
    await decide(world, opened, "win")
    await world.rest()
    refunds = await world.pool.fetch("SELECT amount_minor, state FROM refunds")
    assert [tuple(row) for row in refunds] == [(6_000, "settled")]
    assert (await part_of(world, order))["session_clearing"] == -6_000
    await world.check_books()
