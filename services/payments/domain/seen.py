"""What Stripe showed us, reduced to what we use: ids, states and amounts, no personal data."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

DisputeState = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
    "prevented",
]
"""Stripe's words for how far a dispute is."""


class Seen(BaseModel):
    """An object of Stripe as it was at the moment of the call."""

    model_config = ConfigDict(frozen=True)


class PaymentSeen(Seen):
    """The successful charge behind a paid page; `fee_minor` is unknown until it is booked."""

    payment_intent_id: str
    charge_id: str
    amount_minor: int
    currency: str
    paid_at: AwareDatetime
    fee_minor: int | None = None
    fee_currency: str | None = None


class CheckoutSeen(Seen):
    """A payment page; `payment` is there when it was paid."""

    checkout_id: str
    status: Literal["open", "complete", "expired"]
    url: str | None = None
    payment: PaymentSeen | None = None


class RefundSeen(Seen):
    """A refund; `booked` when Stripe took the money from the balance."""

    stripe_refund_id: str
    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
    booked: bool
    failure_code: str | None = None


class TransferSeen(Seen):
    """A transfer that exists."""

    stripe_transfer_id: str


class ReversalSeen(Seen):
    """A reversal of a transfer that exists."""

    stripe_reversal_id: str


class AccountSeen(Seen):
    """A connected account: what it may do and what Stripe still wants to know."""

    account_id: str
    can_receive: bool
    details_submitted: bool
    payouts_enabled: bool
    requirements: tuple[str, ...] = ()
    past_due: tuple[str, ...] = ()
    being_verified: tuple[str, ...] = ()
    requirements_until: AwareDatetime | None = None
    disabled_reason: str | None = None
    payout_schedule: dict[str, str | int] | None = None


class AccountLinkSeen(Seen):
    """A link into onboarding."""

    url: str
    until: AwareDatetime


class MovementSeen(Seen):
    """Money that a dispute took (below zero) or gave back, as Stripe booked it."""

    movement_id: str
    amount_minor: int
    currency: str
    fee_minor: int
    moved_at: AwareDatetime


class DisputeSeen(Seen):
    """A dispute; `due_by` is until when it can be answered, `submissions` how often it was."""

    dispute_id: str
    state: DisputeState
    amount_minor: int
    currency: str
    reason: str
    opened_at: AwareDatetime
    due_by: AwareDatetime | None = None
    submissions: int = 0
    movements: tuple[MovementSeen, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether the bank has decided, or asks no more."""
        return self.state in ("won", "lost", "warning_closed", "prevented")


class PayoutSeen(Seen):
    """A payout; `transfer_ids` are the transfers it pays out, when Stripe says so.

    `replaces` are failed payouts whose money it sends again.
    """

    payout_id: str
    status: Literal["pending", "in_transit", "paid", "failed", "canceled"]
    amount_minor: int
    currency: str
    created_at: AwareDatetime
    arrives_at: AwareDatetime
    failure_code: str | None = None
    transfer_ids: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()


class EventSeen(Seen):
    """A notice of Stripe: something happened to an object; `subject` is our id on that object."""

    event_id: str
    type: str
    account_id: str | None
    object_id: str
    subject: str | None
    created_at: AwareDatetime


class EventsSeen(Seen):
    """A stretch of the event list; `complete` when there was nothing after it."""

    events: tuple[EventSeen, ...]
    complete: bool


class BookedSeen(Seen):
    """A balance transaction; `source` is the object it is about, itself where there is none."""

    movement_id: str
    type: str
    source: str
    amount_minor: int
    fee_minor: int
    currency: str
    created_at: AwareDatetime


class BooksSeen(Seen):
    """A stretch of balance transactions; `complete` when there was nothing after it."""

    movements: tuple[BookedSeen, ...]
    complete: bool
