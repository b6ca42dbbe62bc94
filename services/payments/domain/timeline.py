"""The story of one order's money, told to whoever asks in plain words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.payments.domain.accounts import Payout
from services.payments.domain.telling import (
    BORNE_BY_MENTOR,
    STORY,
    TO_THE_GIVER,
    Reader,
    Told,
    Whose,
)
from services.payments.ledger.chart import Account

CREDITS = frozenset({Account.CREDITS.value, Account.SPONSORED.value})


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

    `change_minor` is what it adds to what somebody (`whose`) paid or has in the end, below zero
    where it takes from that; zero of steps that only say where an amount has got to. `session_id`
    is the session it is about, none where it is about the whole purchase.
    """

    at: datetime
    kind: str
    amount_minor: int
    currency: str
    words: str
    session_id: UUID | None = None
    whose: Whose | None = None
    change_minor: int = 0


@dataclass(frozen=True)
class Total:
    """What somebody paid or has in the end, as the steps of the story come to."""

    whose: Whose
    amount_minor: int
    currency: str


def tell(
    posted: Sequence[Posted],
    payouts: Sequence[PaidOut],
    reader: Reader,
    given: AbstractSet[UUID] = frozenset(),
    *,
    mentor_bears: bool = False,
) -> list[Moment]:
    """Return what a reader may see, in order of time; some sessions were `given` to the mentee.

    Where the mentor bears Stripe's fee (`mentor_bears`), the platform keeps it with its share.
    """
    words = STORY | BORNE_BY_MENTOR if mentor_bears else STORY
    told = [(line, words.get((line.entry, Account(line.account)))) for line in posted]
    story = [
        _moment(line, each, reader, given=line.session_id in given)
        for line, each in told
        if each and reader in each.readers
    ]
    if reader is not Reader.MENTEE:
        story.extend(moment for paid_out in payouts for moment in _payout_moments(paid_out))
    return sorted(story, key=lambda moment: moment.at)


def totals(story: Sequence[Moment]) -> list[Total]:
    """Return what the steps come to, for each whom they tell of, in each currency."""
    sums: Counter[tuple[Whose, str]] = Counter()
    for moment in story:
        if moment.whose is not None:
            sums[moment.whose, moment.currency] += moment.change_minor
    return [Total(whose, minor, currency) for (whose, currency), minor in sums.items()]


def held(posted: Sequence[Posted]) -> list[Total]:
    """Return what nobody has yet: it waits for its release, or to go back."""
    sums: Counter[str] = Counter()
    for line in posted:
        if line.account == Account.SESSION_CLEARING.value:
            sums[line.currency] -= line.minor
    return [Total(Whose.NOBODY_YET, minor, currency) for currency, minor in sums.items() if minor]


def _moment(line: Posted, told: Told, reader: Reader, *, given: bool) -> Moment:
    # What the others have is not the mentee's: of that only the way of an amount is told.
    is_theirs = told.whose is Whose.MENTEE and not given
    whose = told.whose if reader is not Reader.MENTEE or is_theirs else None
    if line.account in CREDITS and line.session_id is None:
        whose = None  # Nobody paid less for credits when one of them came back.
    if line.account == Account.STRIPE_FEES.value and reader is Reader.MENTOR:
        whose = None  # The mentor finds it in what the platform kept.
    # What the mentee paid stands with Stripe as a debit; what people have, as a credit, and so
    # does in clearing what a credit paid.
    paid = whose is Whose.MENTEE and line.account != Account.SESSION_CLEARING.value
    change = line.minor if paid else -line.minor
    return Moment(
        line.at,
        told.kind,
        abs(line.minor),
        line.currency,
        TO_THE_GIVER.get(told.kind, told.words) if given else told.words,
        line.session_id,
        whose,
        change if whose else 0,
    )


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
