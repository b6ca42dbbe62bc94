"""The story of one order's money, told to whoever asks in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.payments.domain.accounts import Payout
from services.payments.ledger.chart import Account


class Reader(Enum):
    """Who asks."""

    MENTEE = "mentee"
    MENTOR = "mentor"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Posted:
    """One line of the ledger about the order; `minor` is positive for a debit."""

    entry: str
    at: datetime
    account: str
    minor: int
    currency: str
    session_id: UUID | None = None


@dataclass(frozen=True)
class PaidOut:
    """The payout that carries the share of one session to the bank."""

    payout: Payout
    session_id: UUID
    share_minor: int


@dataclass(frozen=True)
class Moment:
    """One step of the story; the amount is what moved, never negative.

    `session_id` is the session it is about, none where it is about the whole purchase.
    """

    at: datetime
    kind: str
    amount_minor: int
    currency: str
    words: str
    session_id: UUID | None = None


@dataclass(frozen=True)
class _Told:
    kind: str
    words: str
    readers: frozenset[Reader]


_ALL = frozenset(Reader)
_MENTOR = frozenset({Reader.MENTOR, Reader.OPERATOR})
_OPERATOR = frozenset({Reader.OPERATOR})
_BUYER = frozenset({Reader.MENTEE, Reader.OPERATOR})

_STORY: dict[tuple[str, Account], _Told] = {
    ("payment", Account.STRIPE_BALANCE): _Told("charge", "The price was paid.", _ALL),
    ("stripe_fee", Account.STRIPE_FEES): _Told(
        "stripe_fee", "Stripe kept its fee; the platform bears it.", _OPERATOR
    ),
    ("refund_planned", Account.REFUNDS_IN_TRANSIT): _Told(
        "refund", "This part of the price goes back to the card.", _ALL
    ),
    ("refund_settled", Account.STRIPE_BALANCE): _Told(
        "refund_sent", "Stripe sent the refund to the bank of the card.", _BUYER
    ),
    ("refund_failed", Account.REFUND_FAILED): _Told(
        "refund_failed", "The bank sent the refund back; we are finding another way.", _BUYER
    ),
    ("refund_retried", Account.REFUND_FAILED): _Told(
        "refund_retried", "The refund is sent once more.", _BUYER
    ),
    ("refund_paid_otherwise", Account.OUTSIDE_STRIPE): _Told(
        "refund_paid_otherwise", "The refund was paid another way.", _BUYER
    ),
    ("release", Account.MENTOR_PAYABLE): _Told(
        "release", "The mentor's share was released.", _MENTOR
    ),
    ("release", Account.PLATFORM_REVENUE): _Told(
        "platform_fee", "The platform kept its share.", _MENTOR
    ),
    ("transfer", Account.STRIPE_BALANCE): _Told(
        "transfer", "The share was transferred to the mentor's Stripe account.", _MENTOR
    ),
}


def tell(posted: Sequence[Posted], payouts: Sequence[PaidOut], reader: Reader) -> list[Moment]:
    """Return what a reader may see, in order of time."""
    story = [moment for line in posted for moment in _moment(line, reader)]
    if reader in _MENTOR:
        story.extend(moment for paid_out in payouts for moment in _payout_moments(paid_out))
    return sorted(story, key=lambda moment: moment.at)


def _moment(line: Posted, reader: Reader) -> list[Moment]:
    told = _STORY.get((line.entry, Account(line.account)))
    if told is None or reader not in told.readers:
        return []
    amount = abs(line.minor)
    return [Moment(line.at, told.kind, amount, line.currency, told.words, line.session_id)]


def _payout_moments(paid_out: PaidOut) -> list[Moment]:
    payout = paid_out.payout
    begun = Moment(
        payout.created_at,
        "payout",
        paid_out.share_minor,
        payout.currency,
        "Stripe sent the share to the mentor's bank.",
        paid_out.session_id,
    )
    if payout.ended_at is None:
        return [begun]
    arrived = payout.state == "paid"
    words = "The money arrived at the bank." if arrived else "The bank sent the money back."
    kind = "bank_arrival" if arrived else "payout_failed"
    return [begun, replace(begun, at=payout.ended_at, kind=kind, words=words)]
