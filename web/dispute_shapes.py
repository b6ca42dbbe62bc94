"""What the operators' console reads of disputes."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape

STATES = {
    "needs_response": "Answer it",
    "warning_needs_response": "The bank asks",
    "under_review": "The bank decides",
    "warning_under_review": "The bank reads it",
    "won": "Won",
    "lost": "Lost to the bank",
    "warning_closed": "Asked, and done",
    "prevented": "Prevented",
}
REASONS = {
    "fraudulent": "The card holder did not make this payment",
    "product_not_received": "The session is said not to have taken place",
    "product_unacceptable": "The session is said not to be what was sold",
    "credit_not_processed": "A refund is said to be missing",
    "duplicate": "The payment is said to have been made twice",
    "subscription_canceled": "The plan is said to have been ended before",
    "unrecognized": "The card holder does not recognise the payment",
}
"""Stripe's words for why a bank disputes a payment, in ours."""


class DisputeRow(Shape):
    """A payment that a bank disputes, or asks about."""

    dispute_id: str
    order_id: str
    amount_minor: int
    currency: str
    reason: str
    state: str
    inquiry: bool
    opened_at: AwareDatetime
    due_by: AwareDatetime | None = None
    answered_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    refusal: str | None = None

    @property
    def in_words(self) -> str:
        """Say how far it is."""
        return STATES.get(self.state, self.state.replace("_", " "))

    @property
    def why(self) -> str:
        """Say what the bank says."""
        return REASONS.get(self.reason, self.reason.replace("_", " ").capitalize())

    @property
    def mark(self) -> str:
        """Return how its state is drawn."""
        if self.state in ("lost", "needs_response"):
            return "bad"
        return "good" if self.state in ("won", "warning_closed", "prevented") else ""


class DisputeMoney(Shape):
    """Money that a dispute took (below zero) or gave back; `foreign` in another currency."""

    moved_at: AwareDatetime
    amount_minor: int
    fee_minor: int
    currency: str
    foreign: bool


class CanAnswer(Shape):
    """What may be done about a dispute now."""

    answer: bool = False
    accept: bool = False


class DisputeCase(DisputeRow):
    """One dispute with its money and what can be said."""

    title: str
    movements: list[DisputeMoney]
    evidence: dict[str, str]
    can: CanAnswer = CanAnswer()
