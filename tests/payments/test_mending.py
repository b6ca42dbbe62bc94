"""What operators do with the money of one purchase: each deed once, with a reason, in the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.payments.commands.effects import apply_answer
from services.payments.commands.mending import ACTIONS
from services.payments.commands.refunds import refuse_refund
from services.payments.domain.requests import CreateRefund, LookAtRefund
from services.payments.domain.seen import RefundSeen
from services.payments.gateway.shapes import refund_params
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.contracts.prepaid import CreditsRefunded
from shared.db import in_transaction
from shared.deeds import Clerk, Deed, file_request
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, Bought, World
from tests.payments.shop import UNIT, Shop

WHY = {"reason": "The mentee asked"}
UNSHOWN = {"refund_id": str(new_id()), "amount_minor": 1}
RETURNED_FUNDS_CARD = "4000000000005126"
"""A refund to it succeeds and fails an hour later (https://docs.stripe.com/testing#refunds)."""


async def act(world: World, order: Bought, path: str, **body: Any) -> tuple[int, Any]:
    """Do something as an operator to an order."""
    whole = f"/v1/operator/orders/{order.order_id}/{path}"
    return await world.call("POST", whole, new_id(), Role.OPERATOR, body={**WHY, **body})


async def state_of(world: World, order: Bought) -> Any:
    path = f"/v1/operator/orders/{order.order_id}/money-state"
    return (await world.call("GET", path, new_id(), Role.OPERATOR))[1]


async def mend(world: World, order: Bought, how: str, **body: Any) -> tuple[int, Any]:
    """Have the first failed refund sent again or recorded as paid, on what is shown of it."""
    shown = next(iter((await state_of(world, order))["failed"]), UNSHOWN)
    return await act(world, order, f"refund/{how}", **(shown | body))


async def saga_of(world: World, order: Bought) -> Any:
    path = f"/v1/operator/orders/{order.order_id}/steps"
    return (await world.call("GET", path, new_id(), Role.OPERATOR))[1]


def awaited(found: Any) -> dict[str, bool]:
    """Return what is waited for and whether an operator must end it; no relay runs here."""
    return {
        wait["waits_for"]: wait["needs_operator"]
        for wait in found["waits"]
        if not wait["waits_for"].startswith("Kafka takes")
    }


async def deeds(world: World) -> list[tuple[str, str]]:
    rows = await world.pool.fetch("SELECT action, outcome FROM operator_log ORDER BY id")
    return [(row["action"], row["outcome"]) for row in rows]


async def completed(world: World, order: Bought) -> None:
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=NOON)


async def came_back(world: World) -> Bought:
    """Return an order whose whole refund was sent back by the bank."""
    order = await world.hold()
    await world.rest()
    await world.pay(order, RETURNED_FUNDS_CARD)
    await world.rest()
    await world.say(booking.BookingConfirmed, order, title="Career talk")
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    await world.advance(timedelta(hours=2))
    assert len(await world.told(facts.RefundFailed)) == 1
    assert (await world.balances())["refund_failed"] == -12_000
    return order


async def test_a_failed_refund_is_tried_again_and_fails_again(world: World) -> None:
    """A fresh refund at Stripe, in transit again; when it comes back too, so does the suspense."""
    order = await came_back(world)
    wanted = {"an operator finds another way for the refund": True}
    assert awaited(await saga_of(world, order)) == wanted
    assert (await mend(world, order, "retry"))[0] == 202
    assert (await mend(world, order, "retry"))[1]["code"] == "refund_not_failed"
    await world.rest()
    assert "refund_failed" not in await world.balances()
    assert len(await world.told(facts.RefundIssued)) == 2
    assert len(await world.movements("refund")) == 2
    await world.check_books()
    await world.advance(timedelta(hours=2))
    assert len(await world.told(facts.RefundFailed)) == 2
    assert (await world.balances())["refund_failed"] == -12_000
    await world.check_books()
    assert await deeds(world) == [("retry_refund", "done")]


async def test_a_refund_refused_for_a_dispute_that_was_won_is_an_operators(world: World) -> None:
    """No bank has the money, and no end of a dispute would send it: Stripe's word is old."""
    order = await world.buy()
    charge = (await world.order(order)).charge_id
    _, opened = await world.sim("POST", "disputes", {"charge": charge})
    await world.rest()
    await world.sim("POST", f"disputes/{opened['id']}/win", {})
    await world.rest()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    refund_id = await world.pool.fetchval("SELECT refund_id FROM refunds")
    await in_transaction(
        world.pool,
        lambda conn: refuse_refund(conn, refund_id, "charge_disputed", world.clock.now()),
    )
    assert (await world.balances())["refund_failed"] == -12_000
    wanted = "an operator finds another way for the refund"
    assert awaited(await saga_of(world, order))[wanted]


async def test_a_second_refund_is_told_from_the_first(world: World) -> None:
    """A stored failure without effect: the first refund is not taken for the second.

    An operator has the call made anew, whose answer is lost after the effect: that one is found.
    """
    order = await came_back(world)
    await world.fault("POST", "/v1/refunds", "500_before")
    await mend(world, order, "retry")
    await world.rest()
    undetermined = "SELECT operation_id FROM operations WHERE state = 'undetermined'"
    path = f"/v1/operator/operations/{await world.pool.fetchval(undetermined)}/retry"
    await world.fault("POST", "/v1/refunds", "500_after")
    assert (await world.call("POST", path, new_id(), Role.OPERATOR, body=WHY))[0] == 202
    await world.rest()
    assert len(await world.movements("refund")) == 2
    issued = await world.pool.fetch(
        "SELECT outcome FROM operations WHERE kind = 'refund.create' ORDER BY generation"
    )
    first, second = [row["outcome"]["stripe_refund_id"] for row in issued]
    assert first != second
    assert await world.pool.fetchval("SELECT stripe_refund_id FROM refunds") == second
    await world.check_books()


async def test_a_late_look_at_the_first_refund_is_not_the_answer_of_the_second(
    world: World,
) -> None:
    """A look that was planned before the retry is answered after it: only the retry's counts."""
    order = await came_back(world)
    whole = "SELECT state, attempt, stripe_refund_id FROM refunds"
    before = await world.pool.fetchrow("SELECT refund_id, stripe_refund_id FROM refunds")
    assert before is not None
    refund_id, first = before
    assert (await mend(world, order, "retry"))[0] == 202
    look = LookAtRefund(refund_id=refund_id, stripe_refund_id=first)
    for status in ("failed", "succeeded"):
        seen = RefundSeen(stripe_refund_id=first, status=status, booked=True, failure_code=None)
        await in_transaction(
            world.pool, lambda conn, seen=seen: apply_answer(conn, look, seen, world.clock.now())
        )
        assert tuple(await world.pool.fetchrow(whole) or ()) == ("planned", 2, None)
    assert len(await world.told(facts.RefundIssued)) == 1
    await world.rest()
    after = await world.pool.fetchrow(whole)
    assert after is not None
    assert (after["state"], after["attempt"]) == ("settled", 2)
    assert after["stripe_refund_id"] not in (None, first)
    assert len(await world.told(facts.RefundIssued)) == 2
    assert len(await world.told(facts.RefundFailed)) == 1
    await world.check_books()


@pytest.mark.parametrize(("attempt", "more"), [(1, {}), (2, {"attempt": "2"})])
def test_only_a_further_attempt_is_named_to_stripe(attempt: int, more: dict[str, str]) -> None:
    """A first call resent under its key has the parameters that it always had."""
    request = CreateRefund(refund_id=new_id(), order_id=new_id(), payment_intent_id="pi_1",
                           amount_minor=1, attempt=attempt)  # fmt: skip
    assert refund_params(request)["metadata"] == {"refund_id": str(request.refund_id), **more}


async def test_a_failed_refund_is_paid_otherwise(world: World) -> None:
    """Suspense returns to zero against our own bank account, and late news changes nothing."""
    order = await came_back(world)
    stripe_refund_id = await world.pool.fetchval("SELECT stripe_refund_id FROM refunds")
    assert (await mend(world, order, "paid-otherwise"))[0] == 202
    balances = await world.balances()
    assert "refund_failed" not in balances
    assert balances["outside_stripe"] == -12_000
    async with world.stripe.post(
        f"/v1/refunds/{stripe_refund_id}",
        data={"metadata[late]": "news"},
        headers={"Authorization": "Bearer sk_test_payments"},
    ) as answer:
        assert answer.status == 200
    await world.rest()
    assert len(await world.told(facts.RefundFailed)) == 1
    assert (await state_of(world, order))["refund_state"] == "paid_otherwise"
    assert awaited(await saga_of(world, order)) == {}
    await world.check_books()


async def test_an_ended_session_is_given_back_on_the_amounts_that_were_shown(
    world: World,
) -> None:
    """A quarter after completion: refused with the amounts, then done once, then refused."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    amounts: dict[str, Any] = {
        "refund_basis_points": 2_500,
        "shown_mentee_minor": 3_000,
        "shown_mentor_minor": 7_650,
        "shown_platform_minor": 1_350,
    }
    assert (await act(world, order, "refund", **amounts))[1]["code"] == "not_refundable"
    await completed(world, order)
    assert (await state_of(world, order))["can"]["refund"]
    status, problem = await act(world, order, "refund", **{**amounts, "shown_mentor_minor": 1})
    assert (status, problem["code"]) == (412, "amounts_outdated")
    assert problem["facts"]["mentor_minor"] == 7_650
    assert (await act(world, order, "refund", **amounts))[0] == 202
    await world.advance(DELAY)
    (issued,) = await world.told(facts.RefundIssued)
    assert (issued.amount_minor, issued.reason) == (3_000, "operator")
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [7_650]
    assert (await act(world, order, "refund", **amounts))[1]["code"] == "nothing_to_refund"
    assert await deeds(world) == [("refund", "done")], "a refusal over HTTP leaves nothing"
    await world.check_books()


async def test_earnings_are_released_before_their_time(world: World) -> None:
    """Only once the session has ended; the transfer follows at once."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    assert (await act(world, order, "release"))[1]["code"] == "nothing_to_release"
    await completed(world, order)
    assert (await act(world, order, "release"))[0] == 202
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [10_200]
    assert (await act(world, order, "release"))[1]["code"] == "nothing_to_release"
    await world.advance(DELAY)
    assert len(await world.told(facts.EarningsReleased)) == 1
    await world.check_books()


async def test_a_deed_asked_for_on_the_command_line_is_done_once_and_answered(
    world: World,
) -> None:
    """The worker does it and logs it under the request; a refusal is logged with its facts."""
    order = await world.buy()
    await completed(world, order)
    arguments = {"refund_basis_points": 10_000}
    unseen, seen = new_id(), new_id()
    for request_id, more in ((unseen, {}), (seen, {"shown": [12_000, 0, 0]})):
        deed = Deed("ops:ada", "refund", str(order.order_id), "Asked", order.order_id,
                    {**arguments, **more})  # fmt: skip
        await in_transaction(
            world.pool, lambda conn, deed=deed, to=request_id: file_request(conn, to, deed)
        )
    assert await world.undone(), "a request that is open counts as in flight"
    await world.rest()
    rows = await world.pool.fetch("SELECT request_id, outcome, details FROM operator_log")
    found = {row["request_id"]: (row["outcome"], row["details"]) for row in rows}
    outcome, details = found[unseen]
    assert (outcome, details["code"], details["mentee_minor"]) == (
        "refused", "amounts_outdated", 12_000,
    )  # fmt: skip
    assert found[seen][0] == "done"
    assert not await Clerk(world.pool, ACTIONS, world.clock).step()
    assert len(await world.told(facts.RefundIssued)) == 1
    await world.check_books()


async def test_a_deed_that_fails_is_not_tried_for_ever(world: World) -> None:
    """An action nobody knows and one that breaks are answered too."""
    for action, subject in (("no_such_action", "x"), ("release", "no id")):
        deed = Deed("ops:ada", action, subject, "Typo")
        await in_transaction(world.pool, lambda conn, deed=deed: file_request(conn, new_id(), deed))
    await world.rest()
    assert await deeds(world) == [("no_such_action", "failed"), ("release", "failed")]


async def test_the_story_names_each_step_and_who_waits_for_what(world: World) -> None:
    """From the hold to a blocked transfer: facts, calls, webhooks, postings, and the wait."""
    order = await world.buy()
    await completed(world, order)
    assert awaited(await saga_of(world, order)) == {"the delay of the release is over": False}
    await world.advance(DELAY)
    found = await saga_of(world, order)
    told = [step["what"] for step in found["steps"] if step["kind"] == "fact"]
    assert told == ["CheckoutOpened", "PaymentSucceeded", "EarningsReleased"]
    kinds = {(step["kind"], step["what"]) for step in found["steps"]}
    assert {("stripe call", "checkout.create"), ("ledger", "payment"), ("ledger", "release"),
            ("webhook", "checkout.session.completed")} <= kinds  # fmt: skip
    blocked = "the mentor's account can receive"
    assert awaited(found) == {blocked: False}
    _, stuck = await world.call("GET", "/v1/operator/stuck", new_id(), Role.OPERATOR)
    assert stuck["items"] == [], "nothing is later than the allowance yet"
    world.clock.instant += timedelta(minutes=5)
    _, stuck = await world.call("GET", "/v1/operator/stuck", new_id(), Role.OPERATOR)
    assert [(item["order_id"], item["waits_for"]) for item in stuck["items"]] == [
        (str(order.order_id), blocked)
    ]


@pytest.mark.parametrize(
    ("path", "more"),
    [("release", {}), ("refund/retry", UNSHOWN), ("refund/paid-otherwise", UNSHOWN)],
)
async def test_an_unknown_order_is_not_found(world: World, path: str, more: Any) -> None:
    """Nothing is logged about what is not there."""
    stranger = Bought(new_id(), new_id(), new_id(), new_id(), 1, "USD")
    assert (await act(world, stranger, path, **more))[0] == 404
    assert await deeds(world) == []


async def test_unused_credits_are_paid_back_from_the_command_line(world: World) -> None:
    """What `ops saga refund-credits` has the worker do is what the operators' page does."""
    shop = await Shop(world).open()
    deed = Deed("ops:root", "refund_credits", str(await shop.buy(3)), "Moved abroad")
    now = world.clock.now()
    act = ACTIONS["refund_credits"]
    said = await in_transaction(world.pool, lambda conn: act(conn, deed, now))
    assert said == {"amount_minor": 3 * UNIT, "currency": "USD"}
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(CreditsRefunded)] == [3 * UNIT]
    await shop.check()
