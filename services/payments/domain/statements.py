"""A mentor's month as the ledger has it, and the year as tax authorities ask for it. Pure.

A mentor's balance is what was earned and is not sent yet, less what is owed back. A statement says
what it was when the month (UTC) began, everything that moved it, and what it was at the end; what
Stripe then paid out to the bank stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.payments import StatementIssued

Topic = Literal["earned", "given_back", "sent", "came_back", "written_off", "kept"]
TOPICS: dict[str, tuple[Topic, str]] = {
    "release": ("earned", "Share of a session"),
    "refund_planned": ("given_back", "Given back to the mentee"),
    "credit_returned": ("given_back", "The mentee's credit came back"),
    "dispute_withdrawn": ("given_back", "Taken back by the mentee's bank"),
    "dispute_reinstated": ("earned", "Given again by the mentee's bank"),
    "transfer": ("sent", "Sent to your Stripe account"),
    "reversal": ("came_back", "Taken back from your Stripe account"),
    "debt_written_off": ("written_off", "What you owed was written off"),
    "debt_owed_again": ("written_off", "Owed again: the share that was written off came back"),
    "netting": ("kept", "Kept for what you owed"),
}
"""What each kind of posting is to a mentor; an unknown one counts by its sign."""
LESS_BOTH_FEES = "Share of a session, less our fee and Stripe's"
"""What a share is called whose mentor bears Stripe's fee: it is in what the platform kept."""


class Movement(BaseModel):
    """One posting to a mentor's balance; what is `kept` for a debt does not change it.

    Of a share the whole price and the fee are said as well: the platform's, with Stripe's in it
    where the mentor bears that.
    """

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    topic: Topic
    words: str
    order_id: UUID | None
    session_id: UUID | None
    title: str | None
    amount_minor: int
    kept_minor: int = 0
    price_minor: int | None = None
    fee_minor: int | None = None

    @property
    def given_back_minor(self) -> int | None:
        """Return what of a share's price had gone back before it was shared out."""
        if self.price_minor is None:
            return None
        return self.price_minor - (self.fee_minor or 0) - self.amount_minor


class PaidOut(BaseModel):
    """A payout that ended in the month: it arrived at the bank, or it failed.

    By the day of its end, which is that of our knowing of it, none is missed that we learn of late.
    A bank may send back what had arrived, and is stated so: that one is `returned`, and corrects
    the statement before, which never changes.
    """

    model_config = ConfigDict(frozen=True)

    payout_id: str
    created_at: AwareDatetime
    arrives_at: AwareDatetime
    ended_at: AwareDatetime
    state: Literal["paid", "failed"]
    amount_minor: int
    returned: bool = False

    @property
    def paid_minor(self) -> int:
        """Return what arrived, below zero where it went again; another payout sends it anew."""
        if self.state == "paid":
            return self.amount_minor
        return -self.amount_minor if self.returned else 0


class Month(BaseModel):
    """All that a statement says beside whose it is."""

    model_config = ConfigDict(frozen=True)

    movements: tuple[Movement, ...]
    payouts: tuple[PaidOut, ...]


@dataclass(frozen=True)
class Period:
    """A month in UTC; it begins at `since` and is over at `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class StatementWanted:
    """A statement that is to be made."""

    mentor_id: UUID
    currency: str
    period: Period


@dataclass(frozen=True)
class Statement:
    """A mentor's month in one currency, final."""

    statement_id: UUID
    mentor_id: UUID
    currency: str
    period: Period
    opening_minor: int
    closing_minor: int
    made_at: datetime
    month: Month

    def total(self, topic: Topic) -> int:
        """Return what all movements of a topic come to."""
        return sum(each.amount_minor for each in self.month.movements if each.topic == topic)

    @property
    def kept_minor(self) -> int:
        """Return what was kept of shares for a debt."""
        return sum(each.kept_minor for each in self.month.movements)

    @property
    def paid_out_minor(self) -> int:
        """Return what arrived at the bank."""
        return sum(each.paid_minor for each in self.month.payouts)


def draw_up(
    statement_id: UUID, wanted: StatementWanted, opening_minor: int, month: Month, now: datetime
) -> Statement:
    """Return the statement of a month."""
    closing = opening_minor + sum(each.amount_minor for each in month.movements)
    return Statement(
        statement_id,
        wanted.mentor_id,
        wanted.currency,
        wanted.period,
        opening_minor,
        closing,
        now,
        month,
    )


def ready(statement: Statement, version: int) -> StatementIssued:
    """Return the fact that a statement can be opened; versions count a mentor's statements."""
    return StatementIssued(
        mentor_id=statement.mentor_id,
        version=version,
        statement_id=statement.statement_id,
        period_from=statement.period.since,
        period_until=statement.period.until,
        currency=statement.currency,
    )


def topic_of(kind: str, amount_minor: int) -> tuple[Topic, str]:
    """Return what a posting is to a mentor, and in which words."""
    known = TOPICS.get(kind)
    return known or ("earned" if amount_minor > 0 else "given_back", "Correction")


@dataclass(frozen=True)
class Quarter:
    """A quarter (UTC) of sessions whose shares were released in it.

    `gross_minor` is what was paid for them. Of it `refunds_minor` went back, then or before, the
    platform kept `fees_minor`, and `net_minor` was credited to the mentor.
    """

    since: datetime
    currency: str
    sessions: int
    gross_minor: int
    fees_minor: int
    net_minor: int

    @property
    def number(self) -> int:
        """Return which quarter of the year it is."""
        return (self.since.month + 2) // 3

    @property
    def refunds_minor(self) -> int:
        """Return what went back to mentees, or to their banks."""
        return self.gross_minor - self.fees_minor - self.net_minor


@dataclass(frozen=True)
class YearTotal:
    """A year in one currency."""

    currency: str
    sessions: int
    gross_minor: int
    refunds_minor: int
    fees_minor: int
    net_minor: int


def year_totals(quarters: Iterable[Quarter]) -> list[YearTotal]:
    """Return what the quarters of a year come to, per currency."""
    by_currency: dict[str, list[Quarter]] = {}
    for each in quarters:
        by_currency.setdefault(each.currency, []).append(each)
    return [
        YearTotal(
            currency,
            sum(each.sessions for each in those),
            sum(each.gross_minor for each in those),
            sum(each.refunds_minor for each in those),
            sum(each.fees_minor for each in those),
            sum(each.net_minor for each in those),
        )
        for currency, those in sorted(by_currency.items())
    ]
