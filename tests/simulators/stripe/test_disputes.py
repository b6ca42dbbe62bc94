"""Disputes: opened by card or by control, answered, decided; both books balance at every step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.simulators.stripe.conftest import World, line_item

FRAUDULENT, NOT_RECEIVED, INQUIRY = (
    "4000000000000259", "4000000000002685", "4000000000001976",
)  # fmt: skip


async def _only(world: World, **filters: Any) -> Any:
    listed = await world.api.disputes.list_async(filters)
    assert len(listed.data) == 1
    return listed.data[0]


async def _total(world: World) -> int:
    """Return what the platform has, pending and available."""
    balance = await world.api.balance.retrieve_async({})
    return sum(each.amount for bucket in (balance.pending, balance.available) for each in bucket)


async def _answer(world: World, dispute: Any, text: str, **more: Any) -> Any:
    evidence = {"uncategorized_text": text, "service_date": "2026-03-02"}
    return await world.api.disputes.update_async(dispute.id, {"evidence": evidence, **more})


@pytest.mark.parametrize(
    ("card", "reason"), [(FRAUDULENT, "fraudulent"), (NOT_RECEIVED, "product_not_received")]
)
async def test_a_dispute_takes_the_amount_and_a_fee_at_once(
    world: World, card: str, reason: str
) -> None:
    """https://docs.stripe.com/testing#disputes, https://docs.stripe.com/api/disputes/object."""
    charge = await world.paid(card)
    dispute = await _only(world, charge=charge.id)
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", reason, 12_000)
    taken = dispute.balance_transactions[0]
    assert (taken.type, taken.reporting_category) == ("adjustment", "dispute")
    assert (taken.amount, taken.fee, taken.net) == (-12_000, 1_500, -13_500)
    assert taken.source == dispute.id
    due_by = datetime.fromtimestamp(dispute.evidence_details.due_by, UTC)
    assert due_by == datetime(2026, 3, 16, 23, 59, 59, tzinfo=UTC)
    assert (await world.api.charges.retrieve_async(charge.id)).disputed
    assert await _total(world) == -378 - 1_500
    names = await world.heard_names()
    assert {"charge.dispute.created", "charge.dispute.funds_withdrawn"} <= set(names)
    await world.books()


async def test_winning_evidence_brings_the_amount_back_and_leaves_the_fee(world: World) -> None:
    """https://docs.stripe.com/disputes/how-disputes-work#outcomes."""
    charge = await world.paid(FRAUDULENT)
    won = await _answer(world, await _only(world), "winning_evidence")
    assert (won.status, won.evidence.service_date) == ("won", "2026-03-02")
    assert (won.evidence_details.has_evidence, won.evidence_details.submission_count) == (True, 1)
    back = won.balance_transactions[1]
    assert (back.reporting_category, back.net) == ("dispute_reversal", 12_000)
    assert await _total(world) == 12_000 - 378 - 1_500
    names = [name for name in await world.heard_names() if "dispute" in name]
    assert names == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    refund = await world.api.refunds.create_async({"charge": charge.id})
    assert refund.amount == 12_000
    await world.books()


@pytest.mark.parametrize("how", ["losing_evidence", "accepted", "silence"])
async def test_a_lost_dispute_leaves_the_money_with_the_card_holder(world: World, how: str) -> None:
    """https://docs.stripe.com/api/disputes/close, https://docs.stripe.com/disputes/responding."""
    charge = await world.paid(FRAUDULENT)
    dispute = await _only(world)
    if how == "losing_evidence":
        await _answer(world, dispute, how)
    elif how == "accepted":
        await world.api.disputes.close_async(dispute.id)
    else:
        await world.advance(days=14, hours=14)
        assert (await _only(world)).status == "needs_response"
        await world.advance(hours=1)
    lost = await _only(world)
    assert (lost.status, lost.evidence_details.past_due) == ("lost", how == "silence")
    assert await _total(world) == -378 - 1_500
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await world.api.disputes.close_async(dispute.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.refunds.create_async({"charge": charge.id})
    assert caught.value.code == "charge_disputed"
    assert "charge.dispute.closed" in await world.heard_names()
    await world.books()


async def test_a_lost_dispute_can_be_won_later_with_its_fee(world: World) -> None:
    """https://docs.stripe.com/disputes/how-disputes-work#outcomes: banks may decide again."""
    await world.paid(FRAUDULENT)
    dispute = await _only(world)
    await world.sim("POST", f"/disputes/{dispute.id}/lose")
    await world.sim("POST", f"/disputes/{dispute.id}/win", {"fee_returned": True})
    won = await _only(world)
    assert (won.status, won.balance_transactions[1].net) == ("won", 13_500)
    assert await _total(world) == 12_000 - 378
    await world.books()


async def test_evidence_can_be_kept_before_it_is_handed_in(world: World) -> None:
    """https://docs.stripe.com/api/disputes/update#update_dispute-submit: handed in once."""
    await world.paid(FRAUDULENT)
    kept = await _answer(world, await _only(world), "They were there.", submit=False)
    assert (kept.status, kept.evidence_details.has_evidence) == ("needs_response", True)
    assert kept.evidence_details.submission_count == 0
    handed_in = await world.api.disputes.update_async(
        kept.id, {"evidence": {"access_activity_log": "joined 9:30", "service_date": ""}}
    )
    assert handed_in.status == "under_review"
    evidence = handed_in.evidence
    assert (evidence.uncategorized_text, evidence.service_date) == ("They were there.", None)
    with pytest.raises(stripe.InvalidRequestError, match="too late"):
        await _answer(world, handed_in, "And more.")
    await world.advance(days=30)
    assert (await _only(world)).status == "under_review"


@pytest.mark.parametrize(
    "evidence", [{"receipt": "file_unknown"}, {"uncategorized_text": "x" * 150_001}]
)
async def test_unusable_evidence_is_refused(world: World, evidence: dict[str, str]) -> None:
    """https://docs.stripe.com/api/disputes/update#update_dispute-evidence."""
    await world.paid(FRAUDULENT)
    dispute = await _only(world)
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.disputes.update_async(dispute.id, {"evidence": evidence})


async def test_an_inquiry_takes_nothing_and_runs_out(world: World) -> None:
    """https://docs.stripe.com/disputes/how-disputes-work#inquiries."""
    charge = await world.paid(INQUIRY)
    inquiry = await _only(world)
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert inquiry.is_charge_refundable
    await _answer(world, inquiry, "They were there.")
    assert (await _only(world)).status == "warning_under_review"
    await world.advance(days=121)
    assert (await _only(world)).status == "warning_closed"
    assert await _total(world) == 11_622
    assert (await world.api.refunds.create_async({"charge": charge.id})).amount == 12_000
    await world.books()


async def test_an_inquiry_can_become_a_dispute(world: World) -> None:
    """https://docs.stripe.com/testing#disputes: then there is a new time to answer."""
    await world.paid(INQUIRY)
    await world.advance(days=3)
    raised = await _answer(world, await _only(world), "escalate_inquiry_evidence")
    assert (raised.status, len(raised.balance_transactions)) == ("needs_response", 1)
    assert datetime.fromtimestamp(raised.evidence_details.due_by, UTC).day == 19
    assert await _total(world) == -378 - 1_500
    await world.advance(days=15)
    assert (await _only(world)).status == "lost"
    await world.books()


async def test_only_what_is_not_disputed_can_be_refunded(world: World) -> None:
    """https://docs.stripe.com/refunds, https://docs.stripe.com/error-codes#charge-disputed."""
    charge = await world.paid()
    await world.api.refunds.create_async({"charge": charge.id, "amount": 2_000})
    order = {"charge": charge.id, "amount": 5_000, "reason": "product_unacceptable"}
    dispute = await world.sim("POST", "/disputes", order)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await world.api.refunds.create_async({"charge": charge.id, "amount": 5_001})
    assert (await world.api.refunds.create_async({"charge": charge.id})).amount == 5_000
    await world.sim("POST", f"/disputes/{dispute['id']}/win")
    assert (await world.api.refunds.create_async({"charge": charge.id})).amount == 5_000
    await world.books()


@pytest.mark.parametrize("currency", ["jpy", "kwd", "huf"])
async def test_disputes_of_every_kind_of_currency_balance(world: World, currency: str) -> None:
    """https://docs.stripe.com/currencies: amounts are minor units everywhere."""
    await world.paid(FRAUDULENT, line_items=[line_item(90_000, currency)])
    won = await _answer(world, await _only(world), "winning_evidence")
    assert [each.currency for each in won.balance_transactions] == [currency, currency]
    assert (await world.books())["accounts"]["platform"]["pending"][
        currency
    ] == 90_000 - 2_640 - 1_500
