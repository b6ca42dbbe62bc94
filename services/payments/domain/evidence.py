"""What can be said against a dispute, put together from what this service knows. Pure.

The fields are Stripe's (https://docs.stripe.com/disputes/evidence); an operator reads, corrects and
completes them before they are handed in, which can be done once. Messages between mentee and mentor
do not exist yet, and neither do files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.domain.disputes import Dispute
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Refund
from shared.money import shown

FIELDS = (
    "product_description",
    "service_date",
    "access_activity_log",
    "cancellation_policy_disclosure",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
)
"""The texts of evidence that fit what is sold here, by Stripe's names."""
FIELD_CHARS_MAX = 20_000
"""So that all fields together stay below Stripe's 150,000."""

Evidence = Mapping[str, str]


@dataclass(frozen=True)
class Visit:
    """One side in the room of a session; `left_at` is unknown while it is still there."""

    side: Literal["mentor", "mentee"]
    joined_at: datetime
    left_at: datetime | None = None


@dataclass(frozen=True)
class End:
    """How a session ended, by whose word or fault, and who was in the room."""

    how: Literal["completed", "missed", "cancelled"]
    by: str
    at: datetime
    visits: tuple[Visit, ...] = ()


@dataclass(frozen=True)
class Record:
    """What booking told about one session: when it is, what was accepted, and how it ended.

    `owed_basis_points` is the fraction of the price that booking gave back in all.
    """

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    policy: str
    end: End | None = None
    owed_basis_points: int = 0


def assemble(
    order: Order, dispute: Dispute, records: Sequence[Record], refunds: Sequence[Refund]
) -> Evidence:
    """Return what the records say, field by field; a field nothing is known for is empty."""
    policies = sorted({record.policy for record in records})
    texts = {
        "product_description": _product(order, records),
        "service_date": ", ".join(f"{record.starts_at:%Y-%m-%d}" for record in records),
        "access_activity_log": "\n".join(line for each in records for line in _log_of(each)),
        "cancellation_policy_disclosure": _policy(policies),
        "refund_policy_disclosure": _policy(policies),
        "refund_refusal_explanation": _refunds(dispute, refunds),
        "uncategorized_text": _payment(order),
    }
    return {name: texts[name][:FIELD_CHARS_MAX] for name in FIELDS}


def _product(order: Order, records: Sequence[Record]) -> str:
    minutes = sum((each.ends_at - each.starts_at).total_seconds() for each in records) / 60
    number = len(records)
    sessions = "one live session" if number == 1 else f"{number} live sessions"
    return (
        f"Online mentoring, '{order.title}': {sessions} by video with a mentor whom the customer "
        f"chose, {minutes:.0f} minutes in all, for {shown(order.price)}."
    )


def _log_of(record: Record) -> list[str]:
    head = f"Session of {_at(record.starts_at)} to {_at(record.ends_at)}:"
    if record.end is None:
        return [head, "- it has not taken place yet"]
    return [head, *(_visit(each) for each in record.end.visits), f"- {_end(record.end)}"]


def _visit(visit: Visit) -> str:
    until = f" to {_at(visit.left_at)}" if visit.left_at else " on"
    return f"- the {_NAMES[visit.side]} was in the room from {_at(visit.joined_at)}{until}"


_NAMES = {"mentor": "mentor", "mentee": "customer"}


def _end(end: End) -> str:
    if end.how == "completed" and end.by == "mentee":
        return f"the customer confirmed at {_at(end.at)} that it took place"
    if end.how == "completed":
        return f"it counts as held since {_at(end.at)}: nobody said anything else until then"
    if end.how == "missed":
        return f"the {_NAMES.get(end.by, 'customer')} did not come, as noted at {_at(end.at)}"
    return f"it was cancelled at {_at(end.at)} by the {_NAMES.get(end.by, 'platform')}"


def _policy(policies: Sequence[str]) -> str:
    if not policies:
        return ""
    named = " and ".join(f"'{policy}'" for policy in policies)
    return (
        f"Before paying, the customer was shown the cancellation policy {named} beside the price, "
        "with the share that goes back at each time before the session, and went on to pay."
    )


def _refunds(dispute: Dispute, refunds: Sequence[Refund]) -> str:
    if not refunds:
        return "Nothing was refunded: by the policy that was accepted nothing was due."
    lines = [
        f"- {shown(refund.amount)} at {_at(refund.issued_at or refund.planned_at)}"
        + (f" ({refund.stripe_refund_id})" if refund.stripe_refund_id else "")
        for refund in refunds
        if refund.state != "failed"
    ]
    return "\n".join([f"Refunded before this dispute ({dispute.dispute_id}) was decided:", *lines])


def _payment(order: Order) -> str:
    paid = f" at {_at(order.paid_at)}" if order.paid_at else ""
    return (
        f"The customer paid {shown(order.to_pay)}{paid} on the payment page of Stripe, after "
        "signing in and choosing the time. Both sides were sent an invitation and reminders."
    )


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
