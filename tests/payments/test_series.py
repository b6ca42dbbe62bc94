"""A series is paid as one, and the money of each of its sessions goes its own way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.payments.domain.orders import PAGE_LIVES_AT_MOST
from services.payments.store.accounts import earned_sessions
from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.ids import new_id
from tests.engines import Database
from tests.payments.conftest import DELAY, NOON, SHARE, Bought, World, open_world
from tests.payments.drawing import AT_ONCE
from tests.payments.histories import FLOAT_MINOR
from tests.payments.mortal import MortalGateway

DAY = timedelta(days=1)
WHOLE = 10_000
SETTLED_AFTER = timedelta(days=9)
CLEARING = """
SELECT session_id, -sum(amount_minor)::bigint AS minor FROM ledger_lines
WHERE account = 'session_clearing' GROUP BY session_id
"""
WAITS = "SELECT waits_for, details ->> 'session_id' AS session FROM saga_waits"
SHORT_SEEDS, LONG_SEEDS = (1, 112), range(100, 140)
PRICES = {"USD": (50, 20_000, 1), "JPY": (50, 20_000, 1), "KWD": (10, 900, 10)}


async def sell(world: World, *parts: int, **more: Any) -> Bought:
    """Sell a series whose sessions have these prices."""
    return await world.buy(parts=parts, **more)


async def clearing(world: World, order: Bought) -> list[int]:
    """Return what is held of each session, in the order of the sessions."""
    found = {row["session_id"]: row["minor"] for row in await world.pool.fetch(CLEARING)}
    return [found.get(each, 0) for each in order.parts]


async def complete(world: World, order: Bought, session_id: UUID) -> None:
    now = world.clock.now()
    await world.say(
        booking.SessionCompleted, order, session_id=session_id, by="system", completed_at=now
    )


async def miss(world: World, order: Bought, session_id: UUID, by: str, back: int) -> None:
    now = world.clock.now()
    said = {"missed_by": by, "missed_at": now, "refund_basis_points": back}
    await world.say(booking.SessionMissed, order, session_id=session_id, **said)


async def cancel(world: World, order: Bought, session_id: UUID, back: int) -> None:
    said = {"by": "mentee", "refund_basis_points": back}
    await world.say(booking.BookingCancelled, order, session_id=session_id, **said)


async def object_to(world: World, order: Bought, session_id: UUID) -> None:
    said = {"by": "mentee", "reason": "We were cut off."}
    await world.say(booking.ObjectionRaised, order, session_id=session_id, **said)


async def settle(world: World, order: Bought, session_id: UUID, back: int) -> None:
    now = world.clock.now()
    said = {"reason": "So be it.", "refund_basis_points": back, "settled_at": now}
    await world.say(booking.ObjectionSettled, order, session_id=session_id, **said)


async def test_each_session_has_its_own_end(world: World) -> None:
    """Completed, cancelled, missed by either: shares, facts, transfers and refunds of each."""
    mentor = new_id()
    await world.connect(mentor)
    order = await sell(world, 10_001, 10_000, 10_000, 9_999, mentor_id=mentor)
    done, off, no_mentor, no_mentee = order.parts
    assert await clearing(world, order) == [10_001, 10_000, 10_000, 9_999]
    await complete(world, order, done)
    await cancel(world, order, off, 5_000)
    await miss(world, order, no_mentor, "mentor", WHOLE)
    await world.advance(DELAY)
    assert await clearing(world, order) == [0, 0, 0, 9_999]
    await miss(world, order, no_mentee, "mentee", 0)
    await world.advance(SETTLED_AFTER)
    assert await clearing(world, order) == [0, 0, 0, 0]
    transfers = await world.told(facts.TransferSent)
    assert {(each.session_id, each.amount_minor) for each in transfers} == {
        (done, 8_500), (off, 4_250), (no_mentee, 8_499),
    }  # fmt: skip
    refunds = await world.told(facts.RefundIssued)
    assert {(each.session_id, each.amount_minor) for each in refunds} == {
        (off, 5_000),
        (no_mentor, 10_000),
    }
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    assert len(await world.movements("charge")) == 1
    await world.check_books()


async def test_a_lost_series_goes_back_in_full(world: World) -> None:
    """Every session's part goes back, and together they are the price."""
    order = await world.hold(parts=(7_000, 7_001))
    await world.rest()
    await world.pay(order)
    await world.rest()
    await world.say(booking.BookingLost, order, reason="time_sold")
    await world.rest()
    assert sum(each.amount_minor for each in await world.told(facts.RefundIssued)) == 14_001
    assert await clearing(world, order) == [0, 0]
    await world.check_books()


async def test_parts_that_are_not_the_price_are_a_mistake(world: World) -> None:
    """Nothing is sold at a price whose parts sum to something else."""
    order = Bought(new_id(), new_id(), new_id(), new_id(), 100, "USD")
    part = {"session_id": order.session_id, "starts_at": NOON, "ends_at": NOON, "price_minor": 99}
    outcome = await world.say(
        booking.BookingHeld, order, offering_id=new_id(), title="T", price_minor=100,
        currency="USD", hold_until=NOON + DAY, sessions=[part],
        policy={"preset": "standard", "policy_version": 1},
    )  # fmt: skip
    assert outcome != "handled"
    assert await world.pool.fetch("SELECT 1 FROM orders") == []


async def test_an_objection_stops_the_release_until_it_is_settled(world: World) -> None:
    """Nothing of that session moves for weeks; settled, a part goes back and the rest is sent."""
    mentor = new_id()
    await world.connect(mentor)
    order = await sell(world, 10_000, 10_000, mentor_id=mentor)
    contested, other = order.parts
    await complete(world, order, contested)
    await complete(world, order, other)
    await object_to(world, order, contested)
    await world.advance(14 * DAY)
    assert [each.session_id for each in await world.told(facts.TransferSent)] == [other]
    waits = {(row["waits_for"], row["session"]) for row in await world.pool.fetch(WAITS)}
    assert ("booking says how the objection was settled", str(contested)) in waits
    refused, answer = await operator(world, order, "release", session_id=str(contested))
    assert (refused, answer["code"]) == (409, "nothing_to_release")
    await settle(world, order, contested, 2_500)
    await world.rest()
    last = (await world.told(facts.TransferSent))[-1]
    assert (last.session_id, last.amount_minor) == (contested, 6_375)
    assert [each.amount_minor for each in await world.told(facts.RefundIssued)] == [2_500]
    assert await clearing(world, order) == [0, 0]
    await world.check_books()


async def test_an_objection_after_the_release_comes_too_late(world: World) -> None:
    """What is released stays so, and a settlement that gives nothing back changes nothing."""
    order = await world.buy()
    await complete(world, order, order.session_id)
    await world.advance(DELAY)
    await object_to(world, order, order.session_id)
    await settle(world, order, order.session_id, 0)
    await world.rest()
    assert len(await world.told(facts.EarningsReleased)) == 1
    assert await world.pool.fetch("SELECT 1 FROM sessions WHERE objected_at IS NOT NULL") == []


async def test_a_refund_after_the_release_comes_out_of_what_was_released(world: World) -> None:
    """Settled against what was released: mentor and platform give it back, and the rest follows."""
    order = await sell(world, 10_000, 10_000)
    gone, ahead = order.parts
    await complete(world, order, gone)
    await world.advance(DELAY)
    await settle(world, order, gone, 5_000)
    await cancel(world, order, gone, WHOLE)
    await cancel(world, order, ahead, WHOLE)
    await world.rest()
    issued = await world.told(facts.RefundIssued)
    assert [(each.session_id, each.amount_minor) for each in issued] == [
        (gone, 5_000), (gone, 5_000), (ahead, 10_000),
    ]  # fmt: skip
    assert await clearing(world, order) == [0, 0]
    assert "mentor_payable" not in await world.balances()
    await world.check_books()


async def test_an_early_decision_leaves_the_other_side_its_time(world: World) -> None:
    """What is settled within the delay of the release is released when that is over."""
    order = await world.buy()
    mentor = order.mentor_id
    await complete(world, order, order.session_id)
    await object_to(world, order, order.session_id)
    assert (await _due_of(world, mentor), await world.undone()) == ("objection", False)
    await settle(world, order, order.session_id, 2_500)
    assert await _due_of(world, mentor) == world.clock.now() + DELAY
    await world.advance(DELAY - timedelta(seconds=1))
    assert await world.told(facts.EarningsReleased) == []
    await world.advance(timedelta(seconds=1))
    (released,) = await world.told(facts.EarningsReleased)
    assert released.mentor_minor == 7_650


async def _due_of(world: World, mentor_id: UUID) -> datetime | str | None:
    """Return when a mentor's page says that the newest session is released, or what comes first."""
    async with world.pool.acquire() as conn:
        (earned,) = await earned_sessions(conn, mentor_id, None, 2)
    return earned["waits_for"] or earned["due_at"]


async def operator(world: World, order: Bought, path: str, **body: Any) -> tuple[int, Any]:
    whole = f"/v1/operator/orders/{order.order_id}/{path}"
    body = {"reason": "Asked", **body}
    return await world.call("POST", whole, new_id(), Role.OPERATOR, body=body)


async def test_an_operator_names_the_session_of_a_series(world: World) -> None:
    """Without a name nothing is done; with one only that session's money moves."""
    mentor = new_id()
    order = await sell(world, 10_000, 6_000, mentor_id=mentor)
    first, second = order.parts
    await complete(world, order, first)
    await complete(world, order, second)
    status, answer = await operator(world, order, "release")
    assert (status, answer["code"]) == (422, "session_unnamed")
    shown = {"shown_mentee_minor": 3_000, "shown_mentor_minor": 2_550, "shown_platform_minor": 450}
    given = {"session_id": str(second), "refund_basis_points": 5_000, **shown}
    assert (await operator(world, order, "refund", **given))[0] == 202
    assert (await operator(world, order, "release", session_id=str(first)))[0] == 202
    await world.rest()
    assert await clearing(world, order) == [0, 3_000]
    path = f"/v1/operator/orders/{order.order_id}/money-state"
    found = (await world.call("GET", path, new_id(), Role.OPERATOR))[1]
    assert [(each["refund_minor"], each["can"]["release"]) for each in found["sessions"]] == [
        (None, False),
        (3_000, True),
    ]
    story = (await world.call("GET", f"/v1/orders/{order.order_id}/money", mentor))[1]["items"]
    named = [(each["kind"], each["session_id"]) for each in story]
    assert [each["at"] for each in story] == sorted(each["at"] for each in story)
    assert ("charge", None) in named
    assert ("release", str(first)) in named
    assert ("refund", str(second)) in named


async def test_a_session_moved_by_nobody_is_unknown(world: World) -> None:
    """A fact about a session that was not bought moves no money and is put aside."""
    order = await world.buy()
    stranger = {"session_id": new_id(), "by": "mentor", "refund_basis_points": WHOLE}
    assert await world.say(booking.BookingCancelled, order, **stranger) != "handled"
    assert await world.told(facts.RefundIssued) == []


async def test_a_request_is_held_for_a_day(world: World) -> None:
    """Stripe takes no page for longer than a day: this one closes by itself a little sooner."""
    order = await world.hold(hold=DAY, version=1)
    await world.rest()
    assert (await world.order(order)).state == "open"
    await world.advance(PAGE_LIVES_AT_MOST - timedelta(seconds=1))
    assert (await world.order(order)).state == "open"
    await world.advance(timedelta(minutes=1))
    assert (await world.order(order)).closed_because == "expired"
    assert len(await world.told(facts.CheckoutClosed)) == 1


async def test_no_page_is_opened_too_late_for_stripe(world: World) -> None:
    """With less than half an hour left of the page's life, the hold ends without a page."""
    await world.fault("*", "/v1/checkout/sessions", "timeout_before", 1)
    order = await world.hold(hold=DAY)
    world.clock.instant += PAGE_LIVES_AT_MOST - timedelta(minutes=29)
    await world.rest()
    assert (await world.order(order)).closed_because == "too_late"


async def random_series(world: World, dice: Random) -> tuple[Bought, dict[UUID, int]]:
    """Sell a series and let its sessions end at random; return what of each should go back."""
    currency = dice.choice(list(PRICES))
    low, high, step = PRICES[currency]
    parts = tuple(dice.randint(low, high) * step for _ in range(dice.randint(2, 4)))
    mentor = new_id()
    await world.connect(mentor)
    await _lend(world, currency)
    order = await sell(world, *parts, currency=currency, mentor_id=mentor)
    back: dict[UUID, int] = {}
    for session_id in order.parts:
        back[session_id] = await _random_end(world, order, session_id, dice)
        world.clock.instant += dice.choice((timedelta(), timedelta(hours=5)))
        await world.turn()
    for session_id in order.parts:
        if not await _released(world, session_id) and dice.random() < 0.5:
            back[session_id] = await _random_objection(world, order, session_id, dice, back)
    await world.advance(SETTLED_AFTER)
    return order, back


async def _lend(world: World, currency: str) -> None:
    """Give the platform enough at Stripe for the fees of what is refunded."""
    rest = await world.hold(FLOAT_MINOR, currency)
    await world.rest()
    await world.pay(rest, AT_ONCE)
    await world.rest()


async def _random_end(world: World, order: Bought, session_id: UUID, dice: Random) -> int:
    back = dice.choice((0, WHOLE, dice.randint(1, WHOLE)))
    end = dice.choice(("complete", "cancel", "mentor", "mentee"))
    if end == "complete":
        await complete(world, order, session_id)
        return 0
    if end == "cancel":
        await cancel(world, order, session_id, back)
        return back
    await miss(world, order, session_id, end, WHOLE if end == "mentor" else 0)
    return WHOLE if end == "mentor" else 0


async def _random_objection(
    world: World, order: Bought, session_id: UUID, dice: Random, back: dict[UUID, int]
) -> int:
    await object_to(world, order, session_id)
    world.clock.instant += dice.choice((timedelta(hours=1), 5 * DAY))
    await world.turn()
    decided = dice.randint(back[session_id], WHOLE)
    await settle(world, order, session_id, decided)
    return decided


async def _released(world: World, session_id: UUID) -> bool:
    query = "SELECT released_at IS NOT NULL FROM earnings WHERE session_id = $1"
    return bool(await world.pool.fetchval(query, session_id))


def _shares(part: int, back: int, currency: str) -> tuple[int, int, int]:
    """Work out mentee's, mentor's and platform's shares, rounding all but the last down."""
    step = 10 if currency == "KWD" else 1
    mentee = part if back == WHOLE else part * back // WHOLE // step * step
    mentor = (part - mentee) * (WHOLE - SHARE) // WHOLE // step * step
    return mentee, mentor, part - mentee - mentor


async def check_series(database: Callable[..., Awaitable[Database]], seed: int) -> None:
    """Let a random series happen, and compare every amount with what it should be."""

    def gateway(address: str) -> MortalGateway:
        return MortalGateway("sk_test_payments", address)

    async with open_world(await database("payments"), gateway) as world:
        order, back = await random_series(world, Random(seed))
        told = await world.facts()
        assert await clearing(world, order) == [0 for _ in order.parts]
        await world.check_books()
        for session_id, part in order.parts.items():
            mentee, mentor, platform = _shares(part, back[session_id], order.currency)
            assert _sum(told, facts.RefundIssued, session_id, "amount_minor") == mentee
            assert _sum(told, facts.TransferSent, session_id, "amount_minor") == mentor
            assert _sum(told, facts.EarningsReleased, session_id, "platform_minor") == platform


def _sum(told: list[Any], kind: type[facts.MoneyFact], session_id: UUID, name: str) -> int:
    mine = [fact for fact in told if isinstance(fact, kind)]
    return sum(getattr(fact, name) for fact in mine if vars(fact)["session_id"] == session_id)


@pytest.mark.parametrize("seed", SHORT_SEEDS)
async def test_every_cent_of_a_series_ends_where_it_was_decided(
    database: Callable[..., Awaitable[Database]], seed: int
) -> None:
    """Cancelled, missed, contested, settled at random: parts sum, clearing is empty."""
    await check_series(database, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", LONG_SEEDS)
async def test_every_cent_of_very_many_series_ends_where_it_was_decided(
    database: Callable[..., Awaitable[Database]], seed: int
) -> None:
    """The same for forty series."""
    await check_series(database, seed)
