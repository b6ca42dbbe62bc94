"""What can be said against a dispute, put together from what this service knows. Pure.

The fields are Stripe's (https://docs.stripe.com/disputes/evidence); an operator reads, corrects and
completes them before they are handed in, which can be done once. So nothing is said that is not
known: not even what is likely. Messages between mentee and mentor do not exist yet, and neither do
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.domain.credits import Lot, bought_of
from services.payments.domain.orders import Kind, Order
from services.payments.domain.outcomes import Refund, is_covered, refunded_of
from services.payments.domain.splits import fraction
from shared.money import Money, shown

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

    `owed_basis_points` is the fraction of the price that booking gave back in all. One that is
    `lost` could not take place, because it was paid for too late. `mentee_id` is who came to it,
    who need not be who paid.
    """

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    policy: str
    end: End | None = None
    owed_basis_points: int = 0
    lost: bool = False
    mentee_id: UUID | None = None


@dataclass(frozen=True)
class Case:
    """What is known of a disputed payment: the purchase, and what became of it.

    `records` are those of the sessions that it paid for itself, or by the credits of its `lots`;
    `refunds` are theirs, and those of unused credits. A month of a plan was `subscribed_at` before,
    when the first month was paid.
    """

    order: Order
    records: Sequence[Record]
    refunds: Sequence[Refund] = ()
    lots: Sequence[Lot] = ()
    subscribed_at: datetime | None = None

    @property
    def with_credits(self) -> bool:
        """Return whether credits were bought, for sessions to come."""
        return self.order.kind != "sessions"

    @property
    def returned(self) -> frozenset[UUID | None]:
        """Return the sessions whose credit came back: it pays for them no more."""
        return frozenset(each.session_id for each in self.refunds if each.lot_id is not None)

    def who(self, record: Record) -> str:
        """Return what the mentee of a session is called to the bank of who paid."""
        return "recipient" if record.mentee_id not in (None, self.order.mentee_id) else "customer"


def assemble(case: Case) -> Evidence:
    """Return what the records say, field by field; a field nothing is known for is empty."""
    held = [each for each in case.records if each.end and each.end.how == "completed"]
    policy = _policy(case)
    texts = {
        "product_description": _of_credits(case) if case.with_credits else _of_sessions(case),
        "service_date": ", ".join(f"{record.starts_at:%Y-%m-%d}" for record in held),
        "access_activity_log": "\n".join(
            line for each in case.records for line in _log_of(case, each)
        ),
        "cancellation_policy_disclosure": policy,
        "refund_policy_disclosure": _SHOWN[case.order.kind] or policy,
        "refund_refusal_explanation": _refunds(case),
        "uncategorized_text": _payment(case),
    }
    return {name: texts[name][:FIELD_CHARS_MAX] for name in FIELDS}


def _of_sessions(case: Case) -> str:
    order = case.order
    number = sum(each.lot_id is None for each in order.sessions)
    sessions = "one live session" if number == 1 else f"{number} live sessions"
    minutes = sum((each.ends_at - each.starts_at).total_seconds() for each in case.records) / 60
    # What was sold before records were kept has none.
    long = f", {minutes:.0f} minutes in all" if len(case.records) == number else ""
    return (
        f"Online mentoring, '{order.title}': {sessions} by video with a mentor whom the customer "
        f"chose{long}, for {shown(order.to_pay)}."
    )


def _of_credits(case: Case) -> str:
    lot = bought_of(case.lots)
    sessions = f"{lot.sessions} session{'s' if lot.sessions > 1 else ''}"
    month = " for a month of a plan" if case.order.kind == "plan" else ""
    used = sum(each.session_id not in case.returned for each in case.records)
    unused = sum(each.remaining for each in case.lots)
    were, are = "was" if used == 1 else "were", "are" if unused > 1 else "is"
    return (
        f"Online mentoring, '{lot.title}': {sessions}{month}, paid in advance, live by video, "
        f"{lot.minutes} minutes each, with a mentor whom the customer chose, for "
        f"{shown(case.order.price)}{_FOR_WHOM[case.order.kind]}. "
        f"{used} of {lot.sessions} {were} booked so far; {unused or 'none'} {are} unused."
        f"{_recipient(case)}"
    )


_FOR_WHOM: Mapping[Kind, str] = {
    "sessions": "",
    "package": "",
    "plan": "",
    "gift": ", bought as a gift: whoever has its code can book with it",
    "sponsorship": ", given for people who cannot pay: the mentor chooses who gets them",
}


def _recipient(case: Case) -> str:
    if all(case.who(each) == "customer" for each in case.records):
        return ""
    return " The recipient is somebody else than the customer, who was given a session of them."


def _log_of(case: Case, record: Record) -> list[str]:
    head = f"Session of {_at(record.starts_at)} to {_at(record.ends_at)}:"
    names = {"mentor": "mentor", "mentee": case.who(record)}
    visits = [_visit(each, names) for each in record.end.visits] if record.end else []
    back = ["- its credit came back"] if record.session_id in case.returned else []
    return [head, *visits, f"- {_end(record, names)}", *back]


def _visit(visit: Visit, names: Mapping[str, str]) -> str:
    until = f" to {_at(visit.left_at)}" if visit.left_at else " on"
    return f"- the {names[visit.side]} was in the room from {_at(visit.joined_at)}{until}"


def _end(record: Record, names: Mapping[str, str]) -> str:
    end = record.end
    if record.lost:
        return "it could not take place: it was paid for too late"
    if end is None:
        return "how it ended is not recorded yet"
    who = names.get(end.by, "platform")
    if end.how == "completed" and end.by == "system":
        return f"it counts as held since {_at(end.at)}: nobody said anything else until then"
    if end.how == "completed":
        return f"the {who} confirmed at {_at(end.at)} that it took place"
    if end.how == "missed":
        return f"the {who} did not come, as noted at {_at(end.at)}"
    return f"it was cancelled at {_at(end.at)} by the {who}"


def _policy(case: Case) -> str:
    policies = sorted({record.policy for record in case.records})
    if not policies:
        return ""
    named = " and ".join(f"'{policy}'" for policy in policies)
    if case.with_credits:
        who = " or the ".join(sorted({case.who(each) for each in case.records}))
        return (
            f"Before booking each session, the {who} was shown the cancellation policy {named}, "
            "with the share that goes back at each time before the session, and accepted it."
        )
    return (
        f"Before paying, the customer was shown the cancellation policy {named} beside the price, "
        "with the share that goes back at each time before the session, and went on to pay."
    )


_SHOWN: Mapping[Kind, str] = {
    "sessions": "",
    "package": "Before paying, the customer was shown until when what is not used is paid back.",
    "gift": "Before paying, the customer was shown until when the money can be had back.",
    "sponsorship": "Before paying, the customer was shown that what nobody needed in a year is "
    "paid back.",
    "plan": "Before subscribing, the customer was shown how the plan is ended, and that sessions "
    "which are not booked are paid back when it is ended at once.",
}
"""What the page of a purchase of credits says before it is paid."""


def _refunds(case: Case) -> str:
    # A credit that came back is no money.
    money = [each for each in case.refunds if not (each.session_id and each.lot_id)]
    lines = [f"- {shown(each.amount)}: {_refund(each)}" for each in money if each.amount.minor]
    waiting = _waiting_of(case)
    if waiting.minor:
        lines.append(f"- {shown(waiting)}: {_LEFT}")
    if lines:
        return "\n".join(["What went back to the customer, or is due:", *lines])
    if _nothing_due(case):
        return "Nothing was refunded: by the policy that was accepted nothing was due."
    return "Nothing was refunded."


_LEFT = "due, and not sent as a refund, because the bank had taken the payment back by a dispute"


def _refund(refund: Refund) -> str:
    if is_covered(refund):
        return _LEFT
    if refund.state == "planned":
        return f"due, decided at {_at(refund.planned_at)}, and not sent yet"
    if refund.state == "failed":
        return "due; a refund of it failed, and was not sent again yet"
    if refund.state == "paid_otherwise":
        return "paid back in another way than by a refund"
    named = f" ({refund.stripe_refund_id})" if refund.stripe_refund_id else ""
    return f"refunded at {_at(refund.issued_at or refund.planned_at)}{named}"


def _waiting_of(case: Case) -> Money:
    """Return what is due of the sessions and in no refund: a bank has it, or had it by then.

    Of sessions that credits paid for a bank takes nothing, so that their refunds never wait.
    """
    waiting = Money(0, case.order.price.currency)
    for session in case.order.sessions:
        if session.lot_id is not None:
            continue
        back = [each for each in case.refunds if each.session_id == session.session_id]
        owed = [each for each in case.records if each.session_id == session.session_id]
        share = max((each.owed_basis_points for each in owed), default=0)
        due = session.by_card(fraction(session.price, share)) - refunded_of(session, back)
        waiting += Money(max(0, due.minor), due.currency)
    return waiting


def _nothing_due(case: Case) -> bool:
    """Return whether each session is over and nothing of it is owed, nor still to be decided."""
    ended = bool(case.records) and all(each.end for each in case.records)
    owed = any(each.owed_basis_points for each in case.records)
    open_still = any(each.objected_at for each in case.order.sessions)
    return not case.with_credits and ended and not owed and not open_still


def _payment(case: Case) -> str:
    order = case.order
    paid = f"{shown(order.to_pay)}{f' at {_at(order.paid_at)}' if order.paid_at else ''}"
    since = case.subscribed_at
    if order.kind == "plan" and since and order.paid_at and since < order.paid_at:
        return (
            f"This payment of {paid} was for a further month of a plan that is paid every month. "
            f"The customer had subscribed to it on the payment page of Stripe, after signing in, "
            f"and paid its first month at {_at(since)}."
        )
    if order.kind == "plan":
        return (
            "The customer subscribed, after signing in, to a plan that is paid every month, and "
            f"paid its first month, {paid}, on the payment page of Stripe."
        )
    first = "signing in" if case.with_credits else "signing in and choosing the time"
    return f"The customer paid {paid} on the payment page of Stripe, after {first}."


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
