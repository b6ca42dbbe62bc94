"""What happens by itself on the business clock, in the order in which it is due.

Sessions expire, money becomes available, payouts are made, submitted and booked, refunds are
finished, disputes are opened by test cards and lost when nobody answers, subscriptions are renewed.
When the clock jumps, everything on the way is done as of its own instant.
"""

from __future__ import annotations

from collections.abc import Callable

from simulators.stripe import billing_subscriptions as billing
from simulators.stripe import books, checkout_flow, dispute_flow, payments, payouts, refunds
from simulators.stripe.act import PLATFORM, Act
from simulators.stripe.balance import shown_balance
from simulators.stripe.store import Due


def perform(act: Act, due: Due) -> None:
    """Do one due thing; `act` stands at its instant, for the platform."""
    if due.action not in _ACTIONS:
        raise AssertionError(f"nobody knows how to {due.action}")
    _ACTIONS[due.action](act, due.ref)


def _owner_of(act: Act, identifier: str) -> Act:
    filed = act.store.find(identifier)
    return act.acting_for(filed.owner if filed else PLATFORM)


def _settle(act: Act) -> None:
    settled = books.settle(act)
    refunds.send_waiting_refunds(act)
    if settled:
        payouts.plan_payout(act)
        act.announce("balance.available", shown_balance(act))


_ACTIONS: dict[str, Callable[[Act, str], None]] = {
    "settle": lambda act, ref: _settle(act.acting_for(ref)),
    "pay_out": lambda act, ref: payouts.pay_out(act.acting_for(ref)),
    "expire_hold": payments.expire_hold,
    "expire_session": checkout_flow.expire_when_due,
    "submit_payout": lambda act, ref: payouts.submit_payout(_owner_of(act, ref), ref),
    "arrive_payout": lambda act, ref: payouts.arrive_payout(_owner_of(act, ref), ref),
    "finish_refund": refunds.finish_refund,
    "fail_refund": refunds.fail_refund_when_due,
    "open_dispute": dispute_flow.open_when_due,
    "end_dispute": dispute_flow.end_when_due,
    "renew_subscription": billing.renew,
    "finalize_invoice": billing.finalize_when_due,
    "retry_invoice": billing.retry_when_due,
}
