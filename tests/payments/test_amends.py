"""Amends for sessions that failed: granted once, used by themselves, not lost by a second one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.amends import GOOD_FOR, REMIND_BEFORE, due
from services.payments.domain.orders import Order, Session
from shared.auth import Role
from shared.contracts import booking
from shared.contracts.payments import AmendsGranted
from shared.contracts.prepaid import AmendsReminded
from shared.ids import new_id
from shared.money import Money, charge_step
from tests.payments.conftest import DELAY, NOON, Bought, World
from tests.payments.shop import LIST, UNIT, Shop

CREDIT = 1_000
FAILED = {"by": "mentor", "refund_basis_points": 10_000, "credit_basis_points": CREDIT}
CROWD = 10
A_TENTH = 1_200
"""Of a session at the price that purchases have here."""
AMISS = """
SELECT p.promotion_id FROM promotions AS p
LEFT JOIN promotion_uses AS u ON u.promotion_id = p.promotion_id AND u.state <> 'given_back'
GROUP BY p.promotion_id
HAVING p.used <> count(u) OR p.amount_minor < sum(u.discount_minor)
    OR bool_or(u.mentee_id <> p.mentee_id)
"""


async def let_down(world: World, order: Bought, session_id: UUID | None = None) -> None:
    """Let the mentor call a session off."""
    named = {"session_id": session_id} if session_id else {}
    await world.say(booking.BookingCancelled, order, **FAILED, **named)
    await world.rest()


async def amends(world: World, who: UUID) -> list[int]:
    """Return what is left of somebody's amends, the first to be used first."""
    status, found = await world.call("GET", "/v1/me/amends", who)
    assert status == 200, found
    return [each["left_minor"] for each in found["items"]]


async def off(world: World, order: Bought) -> int:
    """Return what amends take off a purchase, as its checkout shows it."""
    _, shown = await world.call("GET", f"/v1/checkouts/{order.order_id}", order.mentee_id)
    assert shown["amends"] is bool(shown["discount_minor"])
    assert shown["promotion_code"] is None
    assert shown["to_pay_minor"] == shown["price_minor"] - shown["discount_minor"]
    return shown["discount_minor"]


async def check(world: World) -> None:
    """Assert that both books agree, and that no amends gave more than they are."""
    await world.check_books()
    assert await world.pool.fetch(AMISS) == []


@given(
    st.sampled_from(["USD", "JPY", "KWD", "HUF", "ISK"]),
    st.integers(0, 50_000),
    st.integers(0, 50_000),
    st.sampled_from([None, "SPRING"]),
    st.sampled_from([0, 5_000, 10_000]),
)
def test_what_is_due_can_be_taken_off(
    currency: str, paid: int, given: int, code: str | None, back: int
) -> None:
    """A tenth of what was paid, and what amends had given; never of what else the platform gave."""
    step = charge_step(currency)
    session = Session(new_id(), Money((paid + given) * step, currency), discount_minor=given * step)
    order = Order(
        order_id=new_id(), mentor_id=new_id(), mentee_id=new_id(), title="", price=session.price,
        platform_share_basis_points=0, release_delay=DELAY, hold_until=NOON, close_at=NOON,
        opened_at=NOON, sessions=(session,), promotion_code=code,
    )  # fmt: skip
    found = due(order, session, CREDIT, back).minor
    assert found % step == 0
    again = 0 if code else given * step * back // 10_000
    assert 0 <= paid * step // 10 + again - found < 2 * step


async def test_a_mentor_who_fails_makes_amends_once(world: World) -> None:
    """However often it is heard; nothing is posted; the next purchase uses them by itself."""
    first = await world.buy()
    mentee = first.mentee_id
    for _ in range(2):
        await let_down(world, first)
    (told,) = await world.told(AmendsGranted)
    assert (told.amount_minor, told.mentee_id, told.session_id) == (
        A_TENTH, mentee, first.session_id,
    )  # fmt: skip
    assert told.expires_at == NOON + GOOD_FOR
    assert "promotions" not in await world.balances()
    body = {
        "mentor_id": str(new_id()), "offering_id": str(new_id()),
        "price_minor": 12_000, "currency": "USD",
    }  # fmt: skip
    _, quote = await world.call("POST", "/v1/quotes", mentee, body=body)
    assert (quote["amends"], quote["to_pay_minor"]) == (True, 10_800)
    second = await world.buy(mentee_id=mentee)
    assert await off(world, second) == A_TENTH
    assert await amends(world, mentee) == []
    assert (await world.balances())["promotions"] == A_TENTH
    _, papers = await world.call("GET", "/v1/me/receipts", mentee)
    _, paper = await world.call("GET", f"/v1/receipts/{papers['items'][0]['document_id']}", mentee)
    assert (paper["amends"], paper["discount_minor"], paper["amount_minor"]) == (
        True, A_TENTH, 10_800,
    )  # fmt: skip
    assert await off(world, await world.hold(mentee_id=mentee)) == 0
    await world.connect(second.mentor_id)
    now = world.clock.now()
    await world.say(booking.SessionCompleted, second, by="system", completed_at=now)
    await world.advance(DELAY + timedelta(days=1))
    assert [row["amount"] for row in await world.movements("transfer")] == [-10_200]
    await check(world)


async def test_what_is_left_of_amends_is_reminded_of_once(world: World) -> None:
    """Two weeks before they end, of what no purchase used; of what is used up nobody hears."""
    first, second = await world.buy(), await world.buy()
    await let_down(world, first)
    await let_down(world, second)
    await world.buy(mentee_id=second.mentee_id)
    await world.advance(GOOD_FOR - REMIND_BEFORE - timedelta(hours=1))
    assert await world.told(AmendsReminded) == []
    await world.advance(timedelta(days=2))
    (told,) = await world.told(AmendsReminded)
    assert (told.mentee_id, told.session_id, told.amount_minor) == (
        first.mentee_id, first.session_id, A_TENTH,
    )  # fmt: skip
    assert told.expires_at == NOON + GOOD_FOR
    await check(world)


async def test_only_a_mentor_who_fails_makes_amends(world: World) -> None:
    """Not a mentee who calls off or stays away, nor an operator; a mentor who stays away does."""
    orders = [await world.hold() for _ in range(4)]
    await world.rest()
    for order in orders:
        await world.pay(order)
    await world.rest()
    off_by, away = booking.BookingCancelled, booking.SessionMissed
    missed: dict[str, Any] = {"missed_at": NOON}
    await world.say(off_by, orders[0], by="mentee", refund_basis_points=10_000)
    await world.say(off_by, orders[1], by="operator", refund_basis_points=10_000)
    await world.say(away, orders[2], missed_by="mentee", refund_basis_points=0, **missed)
    absent = {"missed_by": "mentor", "refund_basis_points": 10_000, "credit_basis_points": CREDIT}
    await world.say(away, orders[3], **absent, **missed)
    await world.rest()
    assert [told.order_id for told in await world.told(AmendsGranted)] == [orders[3].order_id]
    await check(world)


async def test_many_holds_at_once_use_them_once(world: World) -> None:
    """One of ten pays less; once it comes to nothing, the next purchase does."""
    first = await world.buy()
    mentee = first.mentee_id
    await let_down(world, first)
    held = await asyncio.gather(*(world.hold(mentee_id=mentee) for _ in range(CROWD)))
    taken = [await off(world, each) for each in held]
    assert sorted(taken) == [0] * (CROWD - 1) + [A_TENTH]
    assert await amends(world, mentee) == []
    await world.rest()
    unpaid = held[taken.index(A_TENTH)]
    await world.say(booking.BookingExpired, unpaid)
    await world.rest()
    assert await amends(world, mentee) == [A_TENTH]
    assert await off(world, await world.hold(mentee_id=mentee)) == A_TENTH
    await check(world)


async def test_what_a_small_purchase_leaves_is_there_for_the_next(world: World) -> None:
    """Of amends nothing is lost by where they happen to be used; the oldest go first."""
    mentee = new_id()
    for price in (12_000, 24_000):
        await let_down(world, await world.buy(price, mentee_id=mentee, promotion_code="NO-AMENDS"))
    assert await amends(world, mentee) == [1_200, 2_400]
    small = await world.hold(1_000, mentee_id=mentee)
    assert await off(world, small) == 1_000
    await world.rest()
    assert (await world.order(small)).state == "paid"
    assert await amends(world, mentee) == [200, 2_400]
    held = [await world.hold(mentee_id=mentee) for _ in range(3)]
    assert [await off(world, each) for each in held] == [200, 2_400, 0]
    await check(world)


async def test_they_are_nobody_elses_and_of_one_currency(world: World) -> None:
    """Others see and use nothing of them; a named code goes before them, even one that is wrong."""
    first = await world.buy(mentor_id=new_id())
    mentee = first.mentee_id
    await let_down(world, first)
    for who in (new_id(), first.mentor_id):
        assert await amends(world, who) == []
        assert await off(world, await world.hold(mentee_id=who)) == 0
    assert await off(world, await world.hold(12_000, "EUR", mentee_id=mentee)) == 0
    named = await world.hold(mentee_id=mentee, promotion_code="WRONG-ONE")
    assert (await world.order(named)).promotion_refused == "unknown"
    _, codes = await world.call("GET", "/v1/operator/promotions", new_id(), Role.OPERATOR)
    assert codes["items"] == []
    promotion = await world.pool.fetchval("SELECT promotion_id FROM promotions")
    pause = f"/v1/operator/promotions/{promotion}/pause"
    body = {"reason": "Curious."}
    status, _ = await world.call("POST", pause, new_id(), Role.OPERATOR, body=body)
    assert status == 404
    assert await amends(world, mentee) == [A_TENTH]


async def test_they_end_after_a_year(world: World) -> None:
    """A moment before they take something off, then no more, also what a purchase gives back."""
    first = await world.buy()
    mentee = first.mentee_id
    await let_down(world, first)
    world.clock.instant = NOON + GOOD_FOR - timedelta(minutes=1)
    unpaid = await world.hold(mentee_id=mentee)
    assert await off(world, unpaid) == A_TENTH
    await world.rest()
    world.clock.instant = NOON + GOOD_FOR
    await world.say(booking.BookingExpired, unpaid)
    await world.rest()
    assert await amends(world, mentee) == []
    assert await off(world, await world.hold(mentee_id=mentee)) == 0


@pytest.mark.parametrize(
    ("currency", "parts", "tenth"),
    [("JPY", [5_001, 5_009], 500), ("KWD", [12_350, 12_340], 1_230)],
)
async def test_a_second_failure_takes_no_amends_away(
    world: World, currency: str, parts: Sequence[int], tenth: int
) -> None:
    """What they gave of a session that fails as well comes again, with a tenth of what was paid."""
    first = await world.buy(parts[0], currency)
    mentee = first.mentee_id
    await let_down(world, first)
    assert await amends(world, mentee) == [tenth]
    series = await world.buy(parts=parts, currency=currency, mentee_id=mentee)
    assert await off(world, series) == tenth
    order = await world.order(series)
    for session in order.sessions:
        await let_down(world, series, session.session_id)
    again = await amends(world, mentee)
    assert again == [due(order, each, CREDIT, 10_000).minor for each in order.sessions]
    paid = sum(parts) - tenth
    assert tenth + paid // 10 - 2 * charge_step(currency) < sum(again) <= tenth + paid // 10
    assert "promotions" not in await world.balances()
    await check(world)


async def test_an_operator_who_calls_off_takes_no_amends_away(world: World) -> None:
    """As far as the price goes back they come again; a mentee who calls off has used them."""
    first = await world.buy()
    mentee = first.mentee_id
    await let_down(world, first)
    second = await world.buy(mentee_id=mentee)
    said = {"by": "operator", "refund_basis_points": 5_000}
    await world.say(booking.BookingCancelled, second, **said)
    await world.rest()
    assert await amends(world, mentee) == [A_TENTH // 2]
    third = await world.buy(mentee_id=mentee)
    assert await off(world, third) == A_TENTH // 2
    said = {"by": "mentee", "refund_basis_points": 10_000}
    await world.say(booking.BookingCancelled, third, **said)
    await world.rest()
    assert await amends(world, mentee) == []
    await check(world)


async def test_credits_go_first_and_are_worth_what_was_paid_for_them(world: World) -> None:
    """A session that a credit paid makes amends of the credit's price; credits use none."""
    shop = await Shop(world).open()
    await shop.buy(2)
    await let_down(world, await shop.book())
    assert await amends(world, shop.buyer_id) == [UNIT // 10]
    assert await off_by_credits(shop, await shop.hold(LIST, LIST, LIST)) == (2, UNIT // 10)
    await shop.world.rest()
    await shop.check()
    await check(world)


async def off_by_credits(shop: Shop, order: Bought) -> tuple[int, int]:
    """Return how many sessions credits pay, and what amends take off the rest."""
    shown = await shop.ask("GET", f"/v1/checkouts/{order.order_id}")
    return shown["credits_used"], shown["discount_minor"]


async def test_a_free_session_makes_no_amends(world: World) -> None:
    """Nor does one that a code of the platform's had paid whole."""
    body = {"code": "WHOLE", "percent_basis_points": 10_000, "reason": "Spring."}
    await world.call("POST", "/v1/operator/promotions", new_id(), Role.OPERATOR, body=body)
    for said in ({"price_minor": 0}, {"promotion_code": "WHOLE"}):
        order = await world.hold(**said)
        await world.rest()
        await let_down(world, order)
        assert await amends(world, order.mentee_id) == []
    await check(world)
