"""The money of a session from the hold to the mentor's bank, with the real SDK."""

from __future__ import annotations

from datetime import timedelta

from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.contracts.payments import MoneyFact
from shared.ids import new_id
from tests.payments.conftest import DELAY, HOLD, NOON, World

FEE = 378
"""2.9 % of 120.00 and 30 cents, as the simulator charges."""


async def test_a_paid_session_reaches_the_mentor(world: World) -> None:
    """Charge, fee, release, transfer and payout are told and posted, and both books agree."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.advance(timedelta(days=3, hours=1))
    await world.say(booking.SessionCompleted, order, by="mentee", completed_at=world.clock.now())
    await world.advance(DELAY - timedelta(minutes=1))
    assert await world.told(facts.EarningsReleased) == []
    await world.advance(timedelta(minutes=1))
    released = await world.told(facts.EarningsReleased)
    assert [(fact.mentor_minor, fact.platform_minor) for fact in released] == [(10_200, 1_800)]
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [10_200]
    await world.advance(timedelta(days=4))
    assert [fact.amount_minor for fact in await world.told(facts.PayoutPaid)] == [10_200]
    assert await world.balances() == {
        "stripe_balance": 12_000 - FEE - 10_200,
        "platform_revenue": -1_800,
        "stripe_fees": FEE,
    }
    await world.check_books()
    told = [fact.version for fact in await world.facts() if isinstance(fact, MoneyFact)]
    assert told == [1, 2, 3, 4]
    _, money = await world.call("GET", f"/v1/orders/{order.order_id}/money", mentor, Role.MENTOR)
    kinds = [item["kind"] for item in money["items"]]
    assert kinds == ["charge", "release", "platform_fee", "transfer", "payout", "bank_arrival"]
    _, earned = await world.call("GET", "/v1/me/earnings", mentor, Role.MENTOR)
    assert earned["totals"][0]["paid_out_minor"] == 10_200


async def test_a_hold_that_ends_closes_the_page(world: World) -> None:
    """At hold_until the page is closed by call, nobody can pay, and booking hears of it."""
    order = await world.hold()
    await world.rest()
    assert len(await world.told(facts.CheckoutOpened)) == 1
    await world.advance(HOLD)
    assert len(await world.told(facts.CheckoutClosed)) == 1
    checkout_id = (await world.order(order)).checkout_id
    paid, _ = await world.sim("POST", f"checkout/{checkout_id}/pay", {})
    assert paid == 400
    assert await world.told(facts.PaymentSucceeded) == []


async def test_a_payment_that_beats_the_closing_counts(world: World) -> None:
    """Stripe answers the closing with a complete session: it is paid, whatever webhooks do."""
    await world.sim("POST", "webhooks", {"mode": "drop"})
    order = await world.hold()
    await world.rest()
    world.clock.instant = NOON + HOLD - timedelta(seconds=1)
    await world.pay(order)
    await world.pool.execute("UPDATE orders SET look_at = NULL")
    await world.advance(timedelta(seconds=1))
    assert len(await world.told(facts.PaymentSucceeded)) == 1
    assert await world.told(facts.CheckoutClosed) == []
    assert (await world.order(order)).state == "paid"


async def test_a_hold_heard_too_late_is_never_offered(world: World) -> None:
    """A hold that ended before we heard of it opens no page and is closed at once."""
    order = await world.hold()
    world.clock.instant += HOLD
    await world.rest()
    assert (await world.order(order)).closed_because == "too_late"
    assert await world.told(facts.CheckoutOpened) == []
    assert len(await world.told(facts.CheckoutClosed)) == 1
    assert (await world.sim("GET", "history"))[1]["objects"]["checkout.session"] == []


async def test_an_ended_hold_closes_the_page_before_its_time(world: World) -> None:
    """The mentee gives the hold up: the page is closed at once."""
    order = await world.hold()
    await world.rest()
    await world.say(booking.BookingExpired, order)
    await world.rest()
    assert (await world.order(order)).state == "closed"


async def test_lost_money_goes_back_in_full(world: World) -> None:
    """A session that cannot take place is refunded, once, and nothing stays in clearing."""
    order = await world.hold()
    await world.rest()
    await world.pay(order)
    await world.rest()
    await world.say(booking.BookingLost, order, reason="time_sold")
    await world.rest()
    issued = await world.told(facts.RefundIssued)
    assert [(fact.amount_minor, fact.reason) for fact in issued] == [(12_000, "booking_lost")]
    assert await world.balances() == {"stripe_balance": -FEE, "stripe_fees": FEE}
    await world.check_books()
    _, page = await world.call("GET", f"/v1/checkouts/{order.order_id}", order.mentee_id)
    assert page["state"] == "refunded"


async def test_a_cancelled_session_is_split(world: World) -> None:
    """Half goes back; the platform's share is of what is retained, released after the delay."""
    mentor = new_id()
    await world.connect(mentor)
    order = await world.buy(price_minor=10_001, mentor_id=mentor)
    await world.say(
        booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000, reason=None
    )
    await world.rest()
    assert [fact.amount_minor for fact in await world.told(facts.RefundIssued)] == [5_000]
    assert await world.told(facts.EarningsReleased) == []
    await world.advance(DELAY)
    released = await world.told(facts.EarningsReleased)
    assert [(fact.mentor_minor, fact.platform_minor) for fact in released] == [(4_250, 751)]
    assert [fact.amount_minor for fact in await world.told(facts.TransferSent)] == [4_250]
    await world.check_books()


async def test_nothing_back_keeps_everything(world: World) -> None:
    """A cancellation without refund releases the whole price after the delay."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=0)
    await world.advance(DELAY)
    assert await world.told(facts.RefundIssued) == []
    assert len(await world.told(facts.EarningsReleased)) == 1
    await world.check_books()


async def test_a_transfer_waits_for_the_account(world: World) -> None:
    """A mentor without an account is owed the share until Stripe lets the account receive."""
    mentor = new_id()
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.advance(DELAY)
    assert await world.told(facts.TransferSent) == []
    assert (await world.balances())["mentor_payable"] == -10_200
    account = await world.connect(mentor, complete=False)
    assert await world.told(facts.TransferSent) == []
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.rest()
    assert len(await world.told(facts.TransferSent)) == 1
    changes = await world.told(facts.AccountChanged)
    assert [change.can_receive for change in changes] == [True]
    await world.check_books()


async def test_a_refused_transfer_is_made_when_the_account_is_mended(world: World) -> None:
    """Stripe refuses an account that it restricted meanwhile; later the share is sent once."""
    mentor = new_id()
    account = await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.sim("POST", "webhooks", {"mode": "drop"})
    await world.sim("POST", f"accounts/{account}/restrict", {})
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.advance(DELAY)
    assert await world.told(facts.TransferSent) == []
    await world.sim("POST", "webhooks", {"mode": "normal"})
    await world.sim("POST", f"accounts/{account}/complete", {})
    await world.rest()
    assert len(await world.told(facts.TransferSent)) == 1
    await world.check_books()


async def test_a_refund_that_comes_back_waits_for_an_operator(world: World) -> None:
    """The bank returns the refund: it is told, and the money stands in an account of its own."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    row = await world.pool.fetchrow("SELECT stripe_refund_id FROM refunds")
    assert row is not None
    await world.sim("POST", f"refunds/{row['stripe_refund_id']}/fail", {})
    await world.rest()
    assert len(await world.told(facts.RefundFailed)) == 1
    assert (await world.balances())["refund_failed"] == -12_000
    await world.check_books()


async def test_a_free_session_needs_no_page(world: World) -> None:
    """A price of zero is paid from the start: no page, no posting, and nobody hears of money."""
    done, off = [await world.hold(price_minor=0) for _ in range(2)]
    for order in (done, off):
        assert await world.say(booking.BookingConfirmed, order, title="Intro") == "handled"
    said = await world.say(booking.SessionCompleted, done, by="system", completed_at=NOON)
    again = await world.say(booking.BookingCancelled, off, by="mentor", refund_basis_points=10_000)
    assert (said, again) == ("handled", "handled")
    await world.advance(DELAY)
    assert (await world.balances(), await world.facts()) == ({}, [])
    assert await world.pool.fetch("SELECT 1 FROM operations WHERE kind LIKE 'checkout%'") == []
    assert await world.pool.fetch("SELECT 1 FROM paid_without_outcome") == []


async def test_a_price_stripe_refuses_ends_the_hold(world: World) -> None:
    """Below Stripe's smallest charge there is no page: booking hears that none can be paid."""
    order = await world.hold(price_minor=10)
    await world.rest()
    assert (await world.order(order)).closed_because == "amount_too_small"
    assert len(await world.told(facts.CheckoutClosed)) == 1


async def test_a_failed_payout_is_told(world: World) -> None:
    """The bank sends a payout back; created and failed are told in this order, once each."""
    mentor = new_id()
    account = await world.connect(mentor)
    order = await world.buy(mentor_id=mentor)
    await world.say(booking.SessionCompleted, order, by="system", completed_at=NOON)
    await world.sim("POST", "payouts/fail_next", {"account": account})
    await world.advance(timedelta(days=6))
    told = [
        (type(fact), fact.version)
        for fact in await world.facts()
        if isinstance(fact, facts.PayoutFact)
    ]
    assert told[:2] == [(facts.PayoutCreated, 1), (facts.PayoutFailed, 2)]
