"""Charges, refunds, transfers, reversals, payouts: every step keeps both books balanced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World, line_item

DAY = 86_400


async def _balance(world: World, account: str | None = None) -> tuple[int, int]:
    """Return pending and available minor units of US dollars."""
    options = {"stripe_account": account} if account else {}
    balance = await world.api.balance.retrieve_async({}, options)
    pending, available = (
        sum(each.amount for each in bucket if each.currency == "usd")
        for bucket in (balance.pending, balance.available)
    )
    return pending, available


async def test_a_charge_is_pending_first_and_available_two_days_later(world: World) -> None:
    """https://docs.stripe.com/payouts#payout-speed, fees as on https://stripe.com/pricing."""
    charge = await world.paid()
    entry = await world.api.balance_transactions.retrieve_async(charge.balance_transaction)
    assert (entry.amount, entry.fee, entry.net) == (12_000, 378, 11_622)
    assert sum(part.amount for part in entry.fee_details) == entry.fee
    assert datetime.fromtimestamp(entry.available_on, UTC) == datetime(2026, 3, 5, tzinfo=UTC)
    assert await _balance(world) == (11_622, 0)
    due = await world.sim("GET", "/due")
    assert due["next"] == "2026-03-05T00:00:00+00:00"
    await world.advance(days=3)
    assert await _balance(world) == (0, 11_622)
    settled = await world.api.balance_transactions.retrieve_async(charge.balance_transaction)
    assert settled.status == "available"
    assert "balance.available" in await world.heard_names()
    await world.books()


async def test_a_refund_leaves_the_fee_with_stripe(world: World) -> None:
    """https://docs.stripe.com/refunds: partial refunds add up, no more than was paid."""
    charge = await world.paid()
    first = await world.api.refunds.create_async(
        {"charge": charge.id, "amount": 5_000, "metadata": {"order_id": "order-1"}}
    )
    assert (first.status, first.amount) == ("succeeded", 5_000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await world.api.refunds.create_async({"charge": charge.id, "amount": 7_001})
    second = await world.api.refunds.create_async({"payment_intent": charge.payment_intent})
    assert second.amount == 7_000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.refunds.create_async({"charge": charge.id})
    assert caught.value.code == "charge_already_refunded"
    charge = await world.api.charges.retrieve_async(charge.id, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded) == (True, 12_000)
    assert [refund.id for refund in charge.refunds.data] == [second.id, first.id]
    assert await _balance(world) == (-378, 0)
    assert (await world.heard_names()).count("charge.refunded") == 2
    await world.books()


async def test_a_refund_without_balance_waits_for_it(world: World) -> None:
    """https://docs.stripe.com/changelog/basil/2025-04-30/refund-pending-reason."""
    charge = await world.paid()
    await world.advance(days=3)
    mentor = await world.mentor()
    await _transfer(world, mentor, amount=11_000)
    refund = await world.api.refunds.create_async({"charge": charge.id})
    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")
    await world.paid(line_items=[line_item(20_000)])
    await world.advance(days=3)
    refund = await world.api.refunds.retrieve_async(refund.id)
    assert refund.status == "succeeded"
    assert "refund.updated" in await world.heard_names()
    await world.books()


async def test_refunds_to_special_cards_pend_or_fail(world: World) -> None:
    """https://docs.stripe.com/testing#refunds."""
    pends = await world.paid("4000000000007726")
    fails = await world.paid("4000000000005126")
    slow = await world.api.refunds.create_async({"charge": pends.id})
    bad = await world.api.refunds.create_async({"charge": fails.id})
    assert (slow.status, bad.status) == ("pending", "succeeded")
    await world.advance(hours=2)
    assert (await world.api.refunds.retrieve_async(slow.id)).status == "succeeded"
    bad = await world.api.refunds.retrieve_async(bad.id)
    assert (bad.status, bad.failure_reason) == ("failed", "expired_or_canceled_card")
    assert bad.failure_balance_transaction is not None
    assert (await world.api.charges.retrieve_async(fails.id)).amount_refunded == 0
    assert "refund.failed" in await world.heard_names()
    assert await _balance(world) == (11_622 - 378, 0)
    await world.books()


async def test_a_refund_failed_by_hand_does_not_fail_again_when_due(world: World) -> None:
    """https://docs.stripe.com/refunds#failed-refunds: failed is final."""
    charge = await world.paid("4000000000005126")
    refund = await world.api.refunds.create_async({"charge": charge.id, "amount": 5_000})
    failed = await world.sim("POST", f"/refunds/{refund.id}/fail", {"reason": "unknown"})
    assert failed["status"] == "failed"
    await world.advance(hours=2)
    assert await _balance(world) == (11_622, 0)
    assert (await world.heard_names()).count("refund.failed") == 1
    await world.books()


async def _transfer(world: World, mentor: Any, **given: Any) -> Any:
    return await world.api.transfers.create_async(
        {"amount": 10_000, "currency": "usd", "destination": mentor.id, **given}
    )


async def test_a_transfer_with_a_source_follows_its_charge(world: World) -> None:
    """https://docs.stripe.com/connect/separate-charges-and-transfers#transfer-availability."""
    charge, mentor = await world.paid(), await world.mentor()
    transfer = await _transfer(
        world, mentor, source_transaction=charge.id, metadata={"order_id": "order-1"}
    )
    assert transfer.transfer_group == "g1"
    assert await _balance(world, mentor.id) == (10_000, 0)
    await world.advance(hours=62.4)
    assert await _balance(world, mentor.id) == (10_000, 0)
    await world.advance(hours=0.2)
    assert await _balance(world) == (0, 1_622)
    found = await world.api.transfers.list_async({"transfer_group": "g1"})
    assert [each.id for each in found.data] == [transfer.id]
    payment = await world.api.charges.retrieve_async(
        transfer.destination_payment, {}, {"stripe_account": mentor.id}
    )
    assert (payment.amount, payment.source_transfer) == (10_000, transfer.id)
    assert "transfer.created" in await world.heard_names()
    await world.books()


async def test_transfers_from_a_charge_never_exceed_it(world: World) -> None:
    """https://docs.stripe.com/connect/separate-charges-and-transfers#transfer-availability."""
    charge, mentor = await world.paid(), await world.mentor()
    await _transfer(world, mentor, source_transaction=charge.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await _transfer(world, mentor, source_transaction=charge.id, amount=2_001)
    assert caught.value.param == "amount"
    await _transfer(world, mentor, source_transaction=charge.id, amount=2_000)


async def test_a_transfer_without_source_needs_available_money(world: World) -> None:
    """https://docs.stripe.com/error-codes#balance-insufficient."""
    await world.paid()
    mentor = await world.mentor()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await _transfer(world, mentor)
    assert caught.value.code == "balance_insufficient"
    await world.paid("4000000000000077")
    await _transfer(world, mentor)
    assert await _balance(world, mentor.id) == (0, 10_000)
    await world.books()


async def test_an_account_that_is_not_ready_receives_nothing(world: World) -> None:
    """https://docs.stripe.com/error-codes#insufficient-capabilities-for-transfer."""
    await world.paid("4000000000000077")
    account = await world.api.accounts.create_async({"type": "express"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await _transfer(world, account)
    assert caught.value.code == "insufficient_capabilities_for_transfer"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.transfers.create_async(
            {"amount": 1, "currency": "usd", "destination": "acct_nobody"}
        )
    assert (caught.value.code, caught.value.param) == ("resource_missing", "destination")


async def test_reversals_are_partial_and_stop_at_the_balance(world: World) -> None:
    """https://docs.stripe.com/connect/separate-charges-and-transfers#reverse-transfers."""
    charge, mentor = await world.paid(), await world.mentor()
    transfer = await _transfer(world, mentor, source_transaction=charge.id)
    reversal = await world.api.transfers.reversals.create_async(
        transfer.id, {"amount": 4_000, "metadata": {"refund": "r1"}}
    )
    assert (reversal.amount, reversal.transfer) == (4_000, transfer.id)
    transfer = await world.api.transfers.retrieve_async(transfer.id)
    assert (transfer.amount_reversed, transfer.reversed) == (4_000, False)
    assert [each.id for each in transfer.reversals.data] == [reversal.id]
    assert await _balance(world, mentor.id) == (6_000, 0)
    await world.advance(days=3)  # The rest is paid out to the bank.
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.transfers.reversals.create_async(transfer.id, {})
    assert caught.value.code == "balance_insufficient"
    assert "transfer.reversed" in await world.heard_names()
    await world.books()


async def test_connected_accounts_are_paid_out_daily(world: World) -> None:
    """https://docs.stripe.com/payouts#payout-schedule and the states of a payout object."""
    charge, mentor = await world.paid(), await world.mentor()
    await _transfer(world, mentor, source_transaction=charge.id)
    await world.advance(hours=62.5)
    options = {"stripe_account": mentor.id}
    payout = (await world.api.payouts.list_async({}, options)).data[0]
    assert (payout.amount, payout.status, payout.automatic) == (10_000, "pending", True)
    assert payout.arrival_date - payout.created == DAY
    await world.advance(hours=1)
    assert (await world.api.payouts.retrieve_async(payout.id, {}, options)).status == "in_transit"
    await world.advance(hours=23)
    assert (await world.api.payouts.retrieve_async(payout.id, {}, options)).status == "paid"
    inside = await world.api.balance_transactions.list_async({"payout": payout.id}, options)
    assert sorted(each.net for each in inside.data) == [-10_000, 10_000]
    names = await world.heard_names("connect")
    assert [name for name in names if name.startswith("payout")] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
    ]
    assert {each.event.account for each in world.heard if each.where == "connect"} == {mentor.id}
    assert await _balance(world, mentor.id) == (0, 0)
    assert (await world.api.payouts.list_async()).data == []
    await world.books()


async def test_a_payout_that_fails_returns_and_stops_further_ones(world: World) -> None:
    """https://docs.stripe.com/payouts#payout-failures."""
    charge, mentor = await world.paid(), await world.mentor()
    await _transfer(world, mentor, source_transaction=charge.id)
    await world.sim("POST", "/payouts/fail_next", {"account": mentor.id})
    await world.advance(days=4)
    options = {"stripe_account": mentor.id}
    payouts = (await world.api.payouts.list_async({}, options)).data
    assert [(each.status, each.failure_code) for each in payouts] == [("failed", "account_closed")]
    assert await _balance(world, mentor.id) == (0, 10_000)
    await world.advance(days=2)
    assert len((await world.api.payouts.list_async({}, options)).data) == 1
    await world.sim("POST", f"/accounts/{mentor.id}/complete")
    await world.advance(days=2)
    assert [each.status for each in (await world.api.payouts.list_async({}, options)).data] == [
        "paid",
        "failed",
    ]
    assert "payout.failed" in await world.heard_names("connect")
    await world.books()


async def test_a_payout_that_was_paid_may_still_fail(world: World) -> None:
    """https://docs.stripe.com/api/payouts/object: some show as `paid` first, then as `failed`."""
    charge, mentor = await world.paid(), await world.mentor()
    await _transfer(world, mentor, source_transaction=charge.id)
    await world.advance(days=4)
    options = {"stripe_account": mentor.id}
    (payout,) = (await world.api.payouts.list_async({}, options)).data
    assert payout.status == "paid"
    await world.sim("POST", f"/payouts/{payout.id}/fail", {"code": "no_account"})
    failed = await world.api.payouts.retrieve_async(payout.id, {}, options)
    assert (failed.status, failed.failure_code) == ("failed", "no_account")
    assert await _balance(world, mentor.id) == (0, 10_000)
    await world.books()


async def test_a_jump_of_the_clock_does_everything_as_of_its_own_instant(world: World) -> None:
    """The order of https://docs.stripe.com/payouts: available, payout, transit, arrival."""
    charge, mentor = await world.paid(), await world.mentor()
    await _transfer(world, mentor, source_transaction=charge.id)
    await world.advance(days=30)
    events = (await world.api.events.list_async({"limit": 100}, {"stripe_account": mentor.id})).data
    when = {each.type: datetime.fromtimestamp(each.created, UTC) for each in events}
    midnight = datetime(2026, 3, 5, tzinfo=UTC)
    assert when["balance.available"] == when["payout.created"] == midnight
    assert when["payout.updated"] == datetime(2026, 3, 5, 1, tzinfo=UTC)
    assert when["payout.paid"] == datetime(2026, 3, 6, tzinfo=UTC)
    await world.books()


async def test_weekly_and_manual_schedules_are_kept(world: World) -> None:
    """https://docs.stripe.com/connect/manage-payout-schedule."""
    charge, mentor = await world.paid(), await world.mentor()
    manual = {"settings": {"payouts": {"schedule": {"interval": "manual"}}}}
    await world.api.accounts.update_async(mentor.id, manual)
    await _transfer(world, mentor, source_transaction=charge.id)
    await world.advance(days=5)
    options = {"stripe_account": mentor.id}
    assert (await world.api.payouts.list_async({}, options)).data == []
    payout = await world.api.payouts.create_async({"amount": 4_000, "currency": "usd"}, options)
    assert payout.automatic is False
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.payouts.create_async({"amount": 6_001, "currency": "usd"}, options)
    assert caught.value.code == "balance_insufficient"
    weekly = {"interval": "weekly", "weekly_anchor": "friday"}
    await world.api.accounts.update_async(
        mentor.id, {"settings": {"payouts": {"schedule": weekly}}}
    )
    await world.advance(days=8)
    found = (await world.api.payouts.list_async({"status": "paid"}, options)).data
    assert [each.amount for each in found] == [6_000, 4_000]
    assert datetime.fromtimestamp(found[0].created, UTC).strftime("%A") == "Friday"


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 9_000), ("kwd", 12_340), ("huf", 40_000)])
async def test_currencies_do_not_mix(world: World, currency: str, amount: int) -> None:
    """https://docs.stripe.com/currencies: amounts are in the currency's smallest unit."""
    charge = await world.paid(line_items=[line_item(amount, currency)])
    await world.paid()
    await world.api.refunds.create_async({"charge": charge.id, "amount": amount // 30 * 10})
    books = await world.books()
    assert set(books["totals"]) == {currency, "usd"}
