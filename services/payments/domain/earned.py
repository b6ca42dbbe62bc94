"""What a mentor earned in each of the last months, counted as statements count it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.payments.domain.statements import topic_of

MONTHS_TOLD = 12
"""This month and those before it."""


@dataclass(frozen=True)
class Moved:
    """What postings of one kind and one sign moved of a mentor's money in a month (UTC)."""

    since: datetime
    currency: str
    kind: str
    amount_minor: int


@dataclass(frozen=True)
class EarnedMonth:
    """A month (UTC): what was earned, and below zero what was given back of that or of before."""

    since: datetime
    earned_minor: int
    given_back_minor: int


def months_told(now: datetime) -> list[datetime]:
    """Return when the months began that are told at an instant, the oldest first."""
    this = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1
    numbers = range(this - MONTHS_TOLD + 1, this + 1)
    return [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in numbers]


def earned_by_month(moved: Iterable[Moved], now: datetime) -> dict[str, list[EarnedMonth]]:
    """Return the months of each currency in which something was earned or given back."""
    sums: dict[str, dict[tuple[datetime, str], int]] = {}
    for each in moved:
        topic, _ = topic_of(each.kind, each.amount_minor)
        if topic in {"earned", "given_back"}:
            of = sums.setdefault(each.currency, {})
            of[each.since, topic] = of.get((each.since, topic), 0) + each.amount_minor
    told = months_told(now)
    return {
        currency: [
            EarnedMonth(month, of.get((month, "earned"), 0), of.get((month, "given_back"), 0))
            for month in told
        ]
        for currency, of in sorted(sums.items())
    }
