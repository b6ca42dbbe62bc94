"""Sessions paid in advance: packages, gifts, a mentor's fund; used, returned, refunded, over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.payments.store import credits as store
from services.payments.store.movements import ADD_PAYOUTS
from services.payments.store.transfers import lock_debt
from shared.auth import Role
from shared.contracts import booking, prepaid
from shared.contracts import payments as facts
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, World
from tests.payments.shop import DAY, LIST, UNIT, WHOLE, Shop

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
LAST_LOT = "SELECT FROM lots ORDER BY lot_id DESC LIMIT 1 FOR UPDATE NOWAIT"
DEADLINE_SECONDS = 20

STATE_OF_REFUND = "SELECT state FROM refunds"


@pytest.fixture
async def shop(world: World) -> Shop:
    return await Shop(world).open()


async def test_a_package_is_paid_once_and_booked_with(shop: Shop) -> None:
    """Its sessions are confirmed without a card, and earn what their credit cost."""
    await shop.world.connect(shop.mentor_id)
    await shop.buy(3)
    assert await shop.left() == [3]
    order = await shop.book()
    (told,) = await shop.world.told(facts.PaymentSucceeded)
    assert (told.order_id, told.amount_minor) == (order.order_id, 0)
    assert len(await shop.world.movements("charge")) == 1
    await shop.complete(order)
    await shop.world.advance(DELAY)
    (sent,) = await shop.world.told(facts.TransferSent)
    assert sent.amount_minor == UNIT * 85 // 100
    assert await shop.left() == [2]
    await shop.check()


async def test_unpaid_packages_close_and_tell_booking_nothing(shop: Shop) -> None:
    """Nobody has credits of a page that closed, and no fact names the purchase."""
    package_id = await shop.package()
    bought = await shop.ask("POST", f"/v1/packages/{package_id}/purchases", {}, status=201)
    await shop.world.advance(timedelta(hours=2))
    shown = await shop.ask("GET", f"/v1/purchases/{bought['purchase_id']}")
    assert shown["state"] == "closed"
    assert await shop.left() == []
    assert not await shop.world.facts()


async def test_two_holds_and_one_credit(shop: Shop) -> None:
    """One is paid by the credit, the other waits for the card, however they cross."""
    await shop.buy(2)
    await shop.book()
    orders = await asyncio.gather(*(shop.hold() for _ in range(6)))
    states = [(await shop.world.order(order)).state for order in orders]
    assert sorted(states) == [*["being_prepared"] * 5, "paid"]
    assert await shop.left() == [0]
    await shop.world.rest()
    await shop.check()


async def test_a_series_is_paid_by_credits_as_far_as_they_reach(shop: Shop) -> None:
    """The card pays the rest; a hold that ends unpaid frees the credits again."""
    await shop.buy(2)
    order = await shop.hold(LIST, LIST, LIST)
    stored = await shop.world.order(order)
    assert (stored.to_pay.minor, stored.price.minor) == (LIST, LIST + 2 * UNIT)
    assert await shop.left() == [0]
    await shop.world.advance(timedelta(minutes=20))
    assert await shop.left() == [2]
    again = await shop.hold(LIST, LIST, LIST)
    await shop.world.rest()
    await shop.world.pay(again)
    await shop.world.rest()
    await shop.world.say(booking.BookingLost, again, reason="time_sold")
    await shop.world.rest()
    assert await shop.left() == [2]
    assert len(await shop.world.told(prepaid.CreditsReturned)) == 2
    (refund,) = await shop.world.told(facts.RefundIssued)
    assert refund.amount_minor == LIST
    await shop.check()


async def test_what_goes_back_in_full_is_a_credit_and_in_part_is_money(shop: Shop) -> None:
    """The part goes back on the charge of the package; the credit is good for a month at least."""
    await shop.buy(2, months=1)
    first, second = await shop.book(), await shop.book()
    await shop.world.advance(40 * DAY)
    await shop.cancel(first, WHOLE)
    assert await shop.left() == [1]
    (returned,) = await shop.world.told(prepaid.CreditsReturned)
    assert returned.expires_at == shop.world.clock.now() + 30 * DAY
    assert not await shop.world.movements("refund")
    await shop.cancel(second, 5_000)
    (refund,) = await shop.world.told(facts.RefundIssued)
    assert refund.amount_minor == UNIT // 2
    assert len(await shop.world.movements("refund")) == 1
    await shop.book()
    await shop.check()


async def test_a_credit_comes_back_also_after_the_transfer(shop: Shop) -> None:
    """An objection settled late takes from mentor and platform what they had of it."""
    await shop.world.connect(shop.mentor_id)
    await shop.buy(2)
    order = await shop.book()
    await shop.complete(order)
    await shop.world.advance(DELAY)
    now = shop.world.clock.now()
    said = {"refund_basis_points": WHOLE, "settled_at": now}
    settled = shop.world.say(booking.ObjectionSettled, order, **said)
    await blocked(shop, "SELECT FROM debts FOR UPDATE", settled)
    await shop.world.rest()
    assert await shop.left() == [2]
    await shop.check()


@pytest.mark.parametrize(
    "held",
    ["SELECT FROM debts FOR UPDATE", "SELECT FROM lots ORDER BY lot_id LIMIT 1 FOR UPDATE"],
)
async def test_credits_that_come_back_are_locked_in_the_order_of_all(shop: Shop, held: str) -> None:
    """The mentor's debt before any lot, and lots by their ids, not as sessions used them."""
    await shop.buy(2)
    await shop.buy(2, months=1)  # It ends earlier, so the first sessions use the later lot.
    order = await shop.hold(LIST, LIST, LIST)
    await shop.world.rest()
    lost = shop.world.say(booking.BookingLost, order, reason="time_sold")
    await blocked(shop, held, lost)
    await shop.world.rest()
    assert await shop.left() == [2, 2]


async def blocked(shop: Shop, held: str, what: Awaitable[Any]) -> None:
    """Let something wait for a lock, and assert that it holds no later lot meanwhile."""
    pool = shop.world.pool
    async with pool.acquire() as conn:
        await lock_debt(conn, shop.mentor_id, "USD", NOON)  # Now there is a row to hold.
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(held)
        waits = asyncio.ensure_future(what)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await pool.fetchval(WAITING):
                await asyncio.sleep(0.01)
        await pool.execute(LAST_LOT)
    await waits


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (store.PURCHASES_OF, (new_id(), None, 20), "orders_prepaid"),
        (store.MENTEES_OF, (new_id(), 20), "orders_booked"),
        (store.KNOWS, (new_id(), new_id()), "orders_booked"),
        (ADD_PAYOUTS, (NOON, NOON), "payouts_ended_at"),
    ],
)
async def test_what_pages_ask_for_is_found_by_index(
    world: World, statement: str, values: tuple[object, ...], index: str
) -> None:
    """However many others there are."""
    async with world.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        assert index in str(await conn.fetch(f"EXPLAIN {statement}", *values))


async def test_unused_credits_are_paid_back_on_the_amount_shown(shop: Shop) -> None:
    """Remaining times unit price; another amount, a second time and strangers are refused."""
    order_id = await shop.buy(3)
    await shop.book()
    path = f"/v1/purchases/{order_id}/refund"
    shown = await shop.ask("GET", f"/v1/purchases/{order_id}")
    assert (shown["refundable_minor"], shown["used"]) == (2 * UNIT, 1)
    refused = await shop.ask("POST", path, {"shown_amount_minor": 3 * UNIT}, status=412)
    assert (refused["code"], refused["facts"]["amount_minor"]) == ("credits_changed", 2 * UNIT)
    await shop.ask("POST", path, {"shown_amount_minor": 1}, who=new_id(), status=404)
    await shop.ask("POST", path, {"shown_amount_minor": 2 * UNIT}, status=202)
    await shop.ask("POST", path, {"shown_amount_minor": 2 * UNIT}, status=409)
    await shop.world.rest()
    (told,) = await shop.world.told(prepaid.CreditsRefunded)
    assert (told.order_id, told.amount_minor) == (order_id, 2 * UNIT)
    assert await shop.hold()
    assert await shop.left() == [0]
    await shop.check()


async def test_credits_end_with_their_time(shop: Shop) -> None:
    """Two weeks before, a reminder; then they are the platform's and pay for nothing."""
    await shop.buy(2, months=1)
    await shop.world.advance(40 * DAY)
    (reminded,) = await shop.world.told(prepaid.CreditsReminded)
    (expired,) = await shop.world.told(prepaid.CreditsExpired)
    assert (reminded.remaining, expired.remaining, expired.refunded) == (2, 2, False)
    assert (await shop.world.balances())["expired_credits"] == -2 * UNIT
    order = await shop.hold()
    assert (await shop.world.order(order)).to_pay.minor == LIST
    await shop.check()


@pytest.mark.parametrize(
    ("months", "as_gift", "ends"), [(6, 12, "2031-05-06"), (18, 18, "2031-11-06")]
)
async def test_a_package_is_good_as_a_gift_as_long_as_it_says(
    shop: Shop, months: int, as_gift: int, ends: str
) -> None:
    """A gift has a year at least, to find whom it is meant for, and what was promised if longer."""
    shown = await shop.ask("GET", f"/v1/packages/{await shop.package(months=months)}")
    assert (shown["valid_months"], shown["gift_valid_months"]) == (months, as_gift)
    order_id = await shop.buy(months=months, as_gift=True)
    bought = await shop.ask("GET", f"/v1/purchases/{order_id}")
    assert bought["expires_at"] == f"{ends}T12:00:00Z"


async def test_a_gift_is_redeemed_once_by_who_has_its_code(shop: Shop) -> None:
    """The code is kept nowhere, a new one voids the old, and redeemed it is the recipient's."""
    order_id = await shop.give("gifts", 2)
    old = (await shop.ask("POST", f"/v1/gifts/{order_id}/code", status=201))["code"]
    code = (await shop.ask("POST", f"/v1/gifts/{order_id}/code", status=201))["code"]
    friend = new_id()
    redeem = "/v1/gifts/redeem"
    await shop.ask("POST", redeem, {"code": old}, who=friend, status=404)
    await shop.ask("POST", redeem, {"code": code}, who=shop.mentor_id, status=409)
    taken = await shop.ask("POST", redeem, {"code": code.lower()}, who=friend, status=201)
    assert taken["remaining"] == 2
    await shop.ask("POST", redeem, {"code": code}, who=new_id(), status=404)
    await shop.ask("POST", f"/v1/gifts/{order_id}/code", status=409)
    order = await shop.book(who=friend)
    shown = await shop.ask("GET", f"/v1/purchases/{order_id}")
    assert (shown["redeemed"], shown["used"], shown["refundable_minor"]) == (True, 1, 0)
    kept = await shop.world.pool.fetchval("SELECT string_agg(answer::text, '') FROM idempotency")
    assert code not in (kept or "")
    await shop.cancel(order, 5_000)
    assert not await shop.world.told(facts.RefundIssued), "No money comes to who got a gift."
    (back,) = await shop.world.told(prepaid.CreditsRefunded)
    assert (back.mentee_id, back.amount_minor) == (shop.buyer_id, LIST // 2)
    await shop.check()


async def test_a_sponsor_pays_and_the_mentor_chooses_for_whom(shop: Shop) -> None:
    """Only who booked before gets one; the sponsor hears that it took place, not with whom."""
    mentee = new_id()
    order_id = await shop.give("sponsorships", 2)
    grant = {"offering_id": str(shop.offering_id), "mentee_id": str(mentee)}
    path, mentor = "/v1/me/fund/grants", shop.mentor_id
    refused = await shop.ask("POST", path, grant, who=mentor, status=409)
    assert refused["code"] == "nobody_you_know"
    await shop.hold(who=mentee, price_minor=0)
    await shop.ask("POST", path, grant, who=mentor, status=201)
    fund = await shop.ask("GET", "/v1/me/fund", who=mentor)
    assert (fund["items"][0]["available"], fund["mentee_ids"]) == (1, [str(mentee)])
    order = await shop.book(who=mentee)
    await shop.complete(order)
    (thanks,) = await shop.world.told(prepaid.SponsoredSessionCompleted)
    assert thanks.sponsor_id == shop.buyer_id
    shown = await shop.ask("GET", f"/v1/purchases/{order_id}")
    assert (shown["granted"], shown["used"], shown["remaining"]) == (1, 1, 1)
    assert str(mentee) not in str(shown)
    await shop.check()
    await shop.world.advance(400 * DAY)
    (refunded,) = await shop.world.told(prepaid.CreditsRefunded)
    assert refunded.amount_minor == LIST
    await shop.check()


async def test_what_a_bank_took_back_pays_for_nothing(shop: Shop) -> None:
    """While the charge is disputed credits rest, nor do they end; won, they are good again."""
    order_id = await shop.buy(2, months=1)
    await shop.world.advance(17 * DAY - timedelta(hours=11))
    charge = (await shop.world.movements("charge"))[0]["source"]
    _, dispute = await shop.world.sim("POST", "disputes", {"charge": charge})
    await shop.world.rest()
    order = await shop.hold()
    assert (await shop.world.order(order)).to_pay.minor == LIST
    assert (await shop.ask("GET", f"/v1/purchases/{order_id}"))["refundable_minor"] == 0
    await shop.world.advance(15 * DAY - timedelta(hours=11))
    assert not await shop.world.told(prepaid.CreditsReminded)
    await shop.world.sim("POST", f"disputes/{dispute['id']}/win", {})
    await shop.world.rest()
    assert not await shop.world.told(prepaid.CreditsExpired)
    assert await shop.left() == [2]
    assert await good_until(shop) == shop.world.clock.now() + 30 * DAY
    await shop.book()
    await shop.check()


async def test_credits_outlast_a_dispute_that_is_lost_and_won_later(shop: Shop) -> None:
    """While the bank keeps the money they rest; given back, they have the time that was left."""
    await shop.buy(2)
    until = await good_until(shop)
    charge = (await shop.world.movements("charge"))[0]["source"]
    _, dispute = await shop.world.sim("POST", "disputes", {"charge": charge})
    await shop.world.rest()
    left = until - shop.world.clock.now()
    await shop.world.sim("POST", f"disputes/{dispute['id']}/lose", {})
    await shop.world.advance(left + DAY)
    order = await shop.hold()
    assert (await shop.world.order(order)).to_pay.minor == LIST
    assert not await shop.world.told(prepaid.CreditsExpired)
    await shop.world.sim("POST", f"disputes/{dispute['id']}/win", {})
    await shop.world.rest()
    assert await good_until(shop) == shop.world.clock.now() + left
    await shop.book()
    await shop.check()
    await shop.world.advance(left)
    assert len(await shop.world.told(prepaid.CreditsExpired)) == 1


async def good_until(shop: Shop) -> datetime:
    """Return when the credits end that somebody has."""
    (found,) = (await shop.ask("GET", "/v1/me/credits"))["items"]
    return datetime.fromisoformat(found["expires_at"])


async def test_a_bank_overtakes_the_refund_of_a_session_that_credits_paid(shop: Shop) -> None:
    """Won, the dispute gives back what the bank had paid: then the refund is sent after all."""
    await shop.buy(2)
    order = await shop.book()
    charge = (await shop.world.movements("charge"))[0]["source"]
    await shop.world.sim("POST", "webhooks", {"mode": "hold"})
    _, dispute = await shop.world.sim("POST", "disputes", {"charge": charge})
    await shop.cancel(order, 5_000)
    await shop.world.sim("POST", "webhooks", {"mode": "normal"})
    await shop.world.sim("POST", "webhooks/release", {})
    await shop.world.rest()
    assert await shop.world.pool.fetchval(STATE_OF_REFUND) == "paid_otherwise"
    await shop.world.sim("POST", f"disputes/{dispute['id']}/win", {})
    await shop.world.rest()
    assert await shop.world.pool.fetchval(STATE_OF_REFUND) == "settled"
    await shop.check()


async def test_a_bank_that_disputes_credits_stops_what_was_booked_with_them(shop: Shop) -> None:
    """Nothing is released until the bank decides; what it keeps then is the platform's loss."""
    await shop.world.connect(shop.mentor_id)
    await shop.buy(2)
    order = await shop.book()
    await shop.complete(order)
    charge = (await shop.world.movements("charge"))[0]["source"]
    _, dispute = await shop.world.sim("POST", "disputes", {"charge": charge})
    await shop.world.rest()
    await shop.world.advance(DELAY)
    assert await shop.world.told(facts.EarningsReleased) == []
    path = f"/v1/operator/orders/{order.order_id}/steps"
    _, story = await shop.world.call("GET", path, new_id(), Role.OPERATOR)
    assert "the bank decides the dispute of the credits" in str(story["waits"])
    await shop.world.sim("POST", f"disputes/{dispute['id']}/lose", {})
    await shop.world.rest()
    (sent,) = await shop.world.told(facts.TransferSent)
    assert sent.amount_minor == UNIT * 85 // 100
    assert (await shop.world.balances())["dispute_losses"] == 2 * UNIT
    await shop.world.check_books()


@pytest.mark.parametrize(("sessions", "unit", "code"), [
    (3, LIST + 1, "package_price_outside"), (2, 10, "package_price_outside"),
])  # fmt: skip
async def test_a_package_costs_what_a_card_can_be_charged(
    shop: Shop, sessions: int, unit: int, code: str
) -> None:
    """Never more than alone, and together not less than the smallest charge."""
    body = {"offering_id": str(shop.offering_id), "sessions": sessions,
            "unit_price_minor": unit, "valid_months": 6}  # fmt: skip
    refused = await shop.ask("POST", "/v1/me/packages", body, who=shop.mentor_id, status=422)
    assert refused["code"] == code
