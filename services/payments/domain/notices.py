"""Which of Stripe's events we obey, and what each makes us read again. Pure.

An event is a hint and no more: order and number of events mean nothing, the object read afterwards
does. Unknown types are ignored (https://docs.stripe.com/webhooks#best-practices).
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from services.payments.domain.requests import CreateCheckout, ExpireCheckout, LookAtCheckout
from services.payments.domain.subscription_calls import SUBSCRIPTION_REQUESTS

UNMATCHED_AFTER = timedelta(minutes=10)
"""System time after its first try after which an event about nothing of ours is put aside."""
HELD_UP_AFTER = timedelta(minutes=1)
"""How long a call is due when calls do not get through to Stripe (system time)."""
PAYMENT_CALLS = tuple(
    request.kind
    for request in (CreateCheckout, ExpireCheckout, LookAtCheckout, *SUBSCRIPTION_REQUESTS)
)
"""The calls of which any may tell us of the payment that a bank disputes."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 15.0
DOUBLINGS_AT_MOST = 10


class About(Enum):
    """What an event is about."""

    ORDER = "order"
    REFUND = "refund"
    DISPUTE = "dispute"
    SUBSCRIPTION = "subscription"
    ACCOUNT = "account"
    PAYOUT = "payout"
    NOTHING = "nothing"


_PREFIXES = {
    "checkout.session.": About.ORDER,
    "charge.refund.": About.REFUND,
    "charge.dispute.": About.DISPUTE,
    "refund.": About.REFUND,
    "customer.subscription.": About.SUBSCRIPTION,
    "invoice.": About.SUBSCRIPTION,
    "account.application.deauthorized": About.ACCOUNT,
    "account.updated": About.ACCOUNT,
    "account.external_account.": About.ACCOUNT,
    "capability.updated": About.ACCOUNT,
    "payout.": About.PAYOUT,
}
_EXACT = {"charge.succeeded": About.ORDER, "charge.updated": About.ORDER}


def about(event_type: str) -> About:
    """Return what an event of this type makes us read."""
    if event_type in _EXACT:
        return _EXACT[event_type]
    found = (kind for prefix, kind in _PREFIXES.items() if event_type.startswith(prefix))
    return next(found, About.NOTHING)


def pause_after(attempts: int) -> timedelta:
    """Return how long an event waits that overtook our own commit (system time)."""
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(attempts, DOUBLINGS_AT_MOST)
    return timedelta(seconds=min(doubled, LONGEST_PAUSE_SECONDS))
