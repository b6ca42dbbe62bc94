"""Disputes: a bank takes a payment back, and perhaps gives it back. Pure.

What Stripe shows of a dispute is read again after every notice, so that any order and any number
of notices ends in the same state (https://docs.stripe.com/disputes/how-disputes-work). An inquiry,
whose states begin with `warning_`, only asks: it takes no money and stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Earnings
from services.payments.domain.seen import DisputeSeen, DisputeState, MovementSeen
from services.payments.ledger.entries import minus
from shared.contracts.payments import DisputeClosed, DisputeOpened
from shared.errors import Kind, Refusal
from shared.money import Money, charge_step, spread

INQUIRIES = frozenset({"warning_needs_response", "warning_under_review", "warning_closed"})
CONTESTED = frozenset({"needs_response", "under_review"})
"""States in which the money is away and may come back."""
ANSWERABLE = frozenset({"needs_response", "warning_needs_response"})
"""States in which Stripe takes evidence, which it does once."""
OUTCOMES: Mapping[str, Literal["won", "lost", "inquiry_over"]] = {
    "won": "won",
    "lost": "lost",
    "warning_closed": "inquiry_over",
    "prevented": "inquiry_over",
}
"""What an end means for people."""


class DisputeNotAnswerable(Refusal):
    """The dispute is decided, was answered, or its time is over."""

    code = "dispute_not_answerable"
    detail = "Evidence is taken once, in time, and while the dispute is open."


class DisputeOver(Refusal):
    """There is nothing left to accept."""

    code = "dispute_over"
    detail = "The dispute is decided already."


class DisputeAnswerOpen(Refusal):
    """Stripe is being told at this moment."""

    code = "dispute_answer_open"
    detail = "A call to Stripe about this dispute has not ended; try again in a moment."


class EvidenceEmpty(Refusal):
    """Nothing was said."""

    code = "evidence_empty"
    kind = Kind.SHAPE
    detail = "Fill in at least one of the fields, or accept the dispute."


@dataclass(frozen=True)
class Dispute:
    """One dispute of a purchase's payment, as Stripe last showed it."""

    dispute_id: str
    order_id: UUID
    amount: Money
    reason: str
    state: DisputeState
    opened_at: datetime
    due_by: datetime | None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    refusal: str | None = None

    @property
    def is_inquiry(self) -> bool:
        """Return whether the bank only asks."""
        return self.state in INQUIRIES

    @property
    def is_contested(self) -> bool:
        """Return whether the money is away and may come back."""
        return self.state in CONTESTED

    @property
    def is_away(self) -> bool:
        """Return whether the money is away, for good or for the time being."""
        return self.is_contested or self.state == "lost"

    @property
    def is_over(self) -> bool:
        """Return whether it is decided."""
        return self.state in OUTCOMES

    def can_be_answered(self, now: datetime) -> bool:
        """Return whether Stripe would take evidence now."""
        in_time = self.due_by is None or now <= self.due_by
        return self.state in ANSWERABLE and in_time


@dataclass(frozen=True)
class Movement:
    """Money that a dispute took (below zero) or gave back, with Stripe's fee for it."""

    movement_id: str
    dispute_id: str
    amount: Money
    fee: Money
    moved_at: datetime

    def is_foreign_to(self, dispute: Dispute) -> bool:
        """Return whether it is of another currency: which shares it took is an operator's word."""
        return self.amount.currency != dispute.amount.currency


@dataclass(frozen=True)
class Loss:
    """What a movement took beyond what was left of the sessions then: the platform bears it."""

    movement_id: str
    amount: Money


@dataclass(frozen=True)
class Left:
    """What is left, or was taken, of what a card paid for a session, and of its price."""

    by_card: Money
    price: Money

    def part_of(self, share: Money) -> Left:
        """Return a share of what the card paid, with the amount of the price that goes with it."""
        if share == self.by_card:
            return self
        price = share.minor * self.price.minor // self.by_card.minor
        return Left(share, Money(price, share.currency))

    def __sub__(self, part: Left) -> Left:
        """Return what stays without a part."""
        return Left(self.by_card - part.by_card, self.price - part.price)

    def __neg__(self) -> Left:
        """Return what comes back as something taken."""
        return Left(minus(self.by_card), minus(self.price))


def left_of(session: Session, earnings: Earnings) -> Left:
    """Return what of a session no refund and no bank has taken."""
    by_card = session.by_card(session.price) - earnings.gone_by_card
    return Left(by_card, session.price - earnings.gone)


Told = DisputeOpened | DisputeClosed


def follow(
    order: Order, known: Dispute | None, seen: DisputeSeen, now: datetime
) -> tuple[Order, Dispute, Sequence[Told]]:
    """Take over what Stripe shows; tell when it begins, becomes serious, and ends."""
    now_so = _as_seen(order, known, seen, now)
    told: list[Told] = []
    if not order.sessions:
        return order, now_so, told  # Credits are bought of no session, and nobody's waits.
    # One that is over when we first hear of it has begun all the same.
    begun = known is None or (known.is_inquiry and not now_so.is_inquiry)
    if begun:
        order = replace(order, version=order.version + 1)
        told.append(_opened(order, now_so))
    if now_so.is_over and (known is None or known.state != now_so.state):
        order = replace(order, version=order.version + 1)
        told.append(_closed(order, now_so))
    return order, now_so, told


def _as_seen(order: Order, known: Dispute | None, seen: DisputeSeen, now: datetime) -> Dispute:
    answered = known.answered_at if known else None
    closed = known.closed_at if known and known.state == seen.state else None
    return Dispute(
        dispute_id=seen.dispute_id,
        order_id=order.order_id,
        amount=Money(seen.amount_minor, seen.currency),
        reason=seen.reason,
        state=seen.state,
        opened_at=seen.opened_at,
        due_by=seen.due_by,
        answered_at=answered or (now if seen.submissions else None),
        closed_at=(closed or now) if seen.state in OUTCOMES else None,
        refusal=known.refusal if known else None,
    )


def _opened(order: Order, dispute: Dispute) -> DisputeOpened:
    return DisputeOpened(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=order.version,
        dispute_id=dispute.dispute_id,
        amount_minor=dispute.amount.minor,
        currency=dispute.amount.currency,
        inquiry=dispute.is_inquiry,
        answer_by=dispute.due_by,
    )


def _closed(order: Order, dispute: Dispute) -> DisputeClosed:
    return DisputeClosed(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=order.version,
        dispute_id=dispute.dispute_id,
        amount_minor=dispute.amount.minor,
        currency=dispute.amount.currency,
        outcome=OUTCOMES[dispute.state],
    )


def movement(dispute: Dispute, seen: MovementSeen) -> Movement:
    """Return a movement of a dispute's money."""
    return Movement(
        movement_id=seen.movement_id,
        dispute_id=dispute.dispute_id,
        amount=Money(seen.amount_minor, seen.currency),
        fee=Money(seen.fee_minor, seen.currency),
        moved_at=seen.moved_at,
    )


def shares_of(amount: Money, left: Mapping[UUID, Left]) -> tuple[Mapping[UUID, Left], Money]:
    """Divide an amount over what is left of each session; return also what exceeds it all."""
    by_card = [each.by_card for each in left.values()]
    covered = Money(min(amount.minor, sum(each.minor for each in by_card)), amount.currency)
    step = charge_step(amount.currency)
    step = 1 if any(each.minor % step for each in (covered, *by_card)) else step
    shares = zip(left.items(), spread(covered, by_card, step), strict=True)
    moved = {name: part.part_of(share) for (name, part), share in shares if share.minor}
    return moved, amount - covered


def make_up(
    losses: Sequence[Loss], back: Mapping[UUID, Left]
) -> tuple[Mapping[UUID, Left], Mapping[str, Mapping[UUID, Left]]]:
    """Let movements take of what comes back what they took beyond the sessions.

    Return what stays of it, and what each takes. Of which movement we hear first is chance: what
    the one gives back may be what the other took.
    """
    stays, taken = dict(back), dict[str, Mapping[UUID, Left]]()
    for loss in losses:
        parts, _ = shares_of(loss.amount, stays)
        taken[loss.movement_id] = parts
        stays |= {name: stays[name] - part for name, part in parts.items()}
    return stays, taken
