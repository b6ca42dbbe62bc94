"""What each line of the ledger is in plain words, who may read it, and whom it concerns. Pure.

An entry is told by the lines that people understand; what only passes through clearing is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.payments.ledger.chart import Account


class Reader(Enum):
    """Who asks."""

    MENTEE = "mentee"
    MENTOR = "mentor"
    OPERATOR = "operator"


class Whose(Enum):
    """Whom an amount concerns: who paid it, or has it in the end."""

    MENTEE = "mentee"
    MENTOR = "mentor"
    PLATFORM = "platform"
    NOBODY_YET = "nobody_yet"


@dataclass(frozen=True)
class Told:
    """A line in words; `whose` is none where it only says where an amount has got to."""

    kind: str
    words: str
    readers: frozenset[Reader]
    whose: Whose | None = None


_ALL = frozenset(Reader)
_MENTOR = frozenset({Reader.MENTOR, Reader.OPERATOR})
_OPERATOR = frozenset({Reader.OPERATOR})
_BUYER = frozenset({Reader.MENTEE, Reader.OPERATOR})


def _given_back(kind: str, because: str) -> dict[tuple[str, Account], Told]:
    """Return what of people's shares an amount takes that leaves a session after its release."""
    return {
        (kind, Account.MENTOR_PAYABLE): Told(
            "share_changed", f"The mentor's share changed: {because}.", _MENTOR, Whose.MENTOR
        ),
        (kind, Account.MENTOR_DEBT): Told(
            "debt_changed",
            f"What the mentor owes of a share that was sent changed: {because}.",
            _MENTOR,
            Whose.MENTOR,
        ),
        (kind, Account.PLATFORM_REVENUE): Told(
            "platform_fee", f"The platform's share changed: {because}.", _MENTOR, Whose.PLATFORM
        ),
        (kind, Account.DISPUTE_LOSSES): Told(
            "loss", f"The platform bears the rest: {because}.", _MENTOR, Whose.PLATFORM
        ),
        (kind, Account.PROMOTIONS): Told(
            "promotion", f"What the platform gave changed: {because}.", _MENTOR,
            Whose.PLATFORM,
        ),
    }  # fmt: skip


STORY: dict[tuple[str, Account], Told] = {
    ("payment", Account.STRIPE_BALANCE): Told(
        "charge", "The price was paid.", _ALL, Whose.MENTEE
    ),
    ("payment", Account.PROMOTIONS): Told(
        "promotion", "A promotion code or amends paid this part; the platform bears it.", _ALL,
        Whose.PLATFORM,
    ),
    ("credit_used", Account.SESSION_CLEARING): Told(
        "credit", "A credit paid for this session.", _ALL, Whose.MENTEE
    ),
    ("credit_freed", Account.SESSION_CLEARING): Told(
        "credit_back", "The credit is free again.", _ALL, Whose.MENTEE
    ),
    ("credit_returned", Account.CREDITS): Told(
        "credit_back", "The credit came back.", _ALL, Whose.MENTEE
    ),
    ("credit_returned", Account.SPONSORED): Told(
        "credit_back", "The sponsored session can be booked again.", _ALL, Whose.MENTEE
    ),
    ("credits_expired", Account.EXPIRED_CREDITS): Told(
        "expired", "Credits were not used in their time.", _BUYER, Whose.PLATFORM
    ),
    ("stripe_fee", Account.STRIPE_FEES): Told(
        "stripe_fee", "Stripe kept its fee; the platform bears it.", _OPERATOR, Whose.PLATFORM
    ),
    ("refund_planned", Account.REFUNDS_IN_TRANSIT): Told(
        "refund", "This part of the price goes back to the card.", _ALL, Whose.MENTEE
    ),
    ("refund_settled", Account.STRIPE_BALANCE): Told(
        "refund_sent", "Stripe sent the refund to the bank of the card.", _BUYER
    ),
    ("refund_failed", Account.REFUND_FAILED): Told(
        "refund_failed", "The bank sent the refund back; we are finding another way.", _BUYER
    ),
    ("refund_retried", Account.REFUND_FAILED): Told(
        "refund_retried", "The refund is sent once more.", _BUYER
    ),
    ("refund_paid_otherwise", Account.OUTSIDE_STRIPE): Told(
        "refund_paid_otherwise", "The refund was paid another way.", _BUYER
    ),
    ("release", Account.MENTOR_PAYABLE): Told(
        "release", "The mentor's share was released.", _MENTOR, Whose.MENTOR
    ),
    ("release", Account.PLATFORM_REVENUE): Told(
        "platform_fee", "The platform kept its share.", _MENTOR, Whose.PLATFORM
    ),
    ("transfer", Account.STRIPE_BALANCE): Told(
        "transfer", "The share was transferred to the mentor's Stripe account.", _MENTOR
    ),
    ("netting", Account.MENTOR_DEBT): Told(
        "netting", "This part of the share stayed here for what the mentor owed.", _MENTOR
    ),
    ("debt_owed_again", Account.MENTOR_DEBT): Told(
        "owed_again", "What had been written off of this share is owed again.", _MENTOR
    ),
    ("reversal", Account.STRIPE_BALANCE): Told(
        "reversal", "Stripe took back from the mentor's account what was owed.", _MENTOR
    ),
    ("dispute_withdrawn", Account.STRIPE_BALANCE): Told(
        "dispute", "The bank of the card took this part of the price back.", _ALL, Whose.MENTEE
    ),
    ("dispute_reinstated", Account.STRIPE_BALANCE): Told(
        "dispute_won", "The bank gave this part of the price back to us.", _ALL, Whose.MENTEE
    ),
    ("dispute_loss", Account.STRIPE_BALANCE): Told(
        "dispute", "The bank took more than what was left of the price.", _BUYER, Whose.MENTEE
    ),
    ("dispute_loss", Account.DISPUTE_LOSSES): Told(
        "loss", "The platform bears what exceeds the price.", _OPERATOR, Whose.PLATFORM
    ),
    ("refund_covered", Account.REFUNDS_IN_TRANSIT): Told(
        "refund_covered", "The bank of the card has paid this refund in our place.", _BUYER,
        Whose.MENTEE,
    ),
    ("refund_covered", Account.REFUND_FAILED): Told(
        "refund_covered", "The bank of the card has paid this refund in our place.", _BUYER,
        Whose.MENTEE,
    ),
    ("refund_covered", Account.DISPUTE_LOSSES): Told(
        "loss", "So the platform bears less of the dispute.", _OPERATOR, Whose.PLATFORM
    ),
    ("refund_uncovered", Account.REFUNDS_IN_TRANSIT): Told(
        "refund", "The refund is on its way after all.", _BUYER, Whose.MENTEE
    ),
    ("refund_uncovered", Account.DISPUTE_LOSSES): Told(
        "loss", "So the platform bears the refund itself.", _OPERATOR, Whose.PLATFORM
    ),
    ("dispute_fee", Account.DISPUTE_FEES): Told(
        "dispute_fee", "Stripe's fee for the dispute; the platform bears it.", _OPERATOR,
        Whose.PLATFORM,
    ),
    **_given_back("refund_planned", "a part of the price went back"),
    **_given_back("credit_returned", "the credit came back"),
    **_given_back("dispute_withdrawn", "the bank took the price back"),
    **_given_back("dispute_reinstated", "the bank gave the price back"),
}  # fmt: skip
"""What is told of an entry of a kind, by the account of the line that tells it."""
BORNE_BY_MENTOR: dict[tuple[str, Account], Told] = {
    ("stripe_fee", Account.STRIPE_FEES): Told(
        "stripe_fee", "Stripe kept its fee; the mentor's share bears it, as far as it reaches.",
        _MENTOR, Whose.PLATFORM,
    ),
    ("release", Account.PLATFORM_REVENUE): Told(
        "platform_fee", "The platform kept its share, and Stripe's fee.", _MENTOR, Whose.PLATFORM
    ),
}  # fmt: skip
"""What is told otherwise of a purchase whose mentor bears Stripe's fee."""
TO_THE_GIVER = {
    "refund": "This part of the price goes back to the card of whoever gave the session.",
}
"""Other words, by the kind of a step, where the mentee was given the session."""
