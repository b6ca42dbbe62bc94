"""What happens by itself on the business clock, in the order in which it is due.

Sessions expire, money becomes available, payouts are made, submitted and booked, refunds are
finished, disputes are opened by test cards and lost when nobody answers. When the clock jumps,
everything on the way is done as of its own instant.
"""

from __future__ import annotations

from simulators.stripe import books, checkout_flow, dispute_flow, payouts, refunds
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.balance import shown_balance
from simulators.stripe.store import Due


def perform(act: Act, due: Due) -> None:
    """Do one due thing; `act` stands at its instant, for the platform."""
    if due.action == "settle":
        _settle(act.acting_for(due.ref))
    elif due.action == "pay_out":
        payouts.pay_out(act.acting_for(due.ref))
    elif due.action == "expire_session":
        checkout_flow.expire_when_due(act, due.ref)
    elif due.action == "submit_payout":
        payouts.submit_payout(_owner_of(act, due.ref), due.ref)
    elif due.action == "arrive_payout":
        payouts.arrive_payout(_owner_of(act, due.ref), due.ref)
    elif due.action == "finish_refund":
        refunds.finish_refund(act, due.ref)
    elif due.action == "fail_refund":
        refunds.fail_refund_when_due(act, due.ref)
    elif due.action == "open_dispute":
        dispute_flow.open_when_due(act, due.ref)
    elif due.action == "end_dispute":
        dispute_flow.end_when_due(act, due.ref)
    else:
        raise AssertionError(f"nobody knows how to {due.action}")


def _owner_of(act: Act, identifier: str) -> Act:
    filed = act.store.find(identifier)
    return act.acting_for(filed.owner if filed else PLATFORM)


def _settle(act: Act) -> None:
    if not books.settle(act):
        return
    refunds.after_settling(act)
    payouts.plan_payout(act)
    act.announce("balance.available", shown_balance(act))
