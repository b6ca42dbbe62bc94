"""What a posting is, and the one way to put it together. Pure.

Double entry in integer minor units: debits are positive, credits negative, and the lines of an
entry sum to zero per currency. `cause` names what an entry follows from; it is unique, so that an
event posts once however often it is reported. What touches Stripe's balance says which of Stripe's
objects shows it there, so that both books can be compared object by object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from shared.money import Money


@dataclass(frozen=True)
class Line:
    """One side of an entry: `minor` is positive for a debit, negative for a credit."""

    account: Account
    minor: int
    currency: str
    order_id: UUID | None = None
    mentor_id: UUID | None = None
    session_id: UUID | None = None


@dataclass(frozen=True)
class Part:
    """A session of a purchase, whose part of the price it is; causes go under `name`.

    Of a purchase of credits all that is not used yet is one part, without a session.
    """

    order_id: UUID
    session_id: UUID | None
    name: UUID


@dataclass(frozen=True)
class Paid:
    """What the card pays of a session's price, and what the platform gives."""

    by_card: Money
    discount: Money

    @property
    def price(self) -> Money:
        """Return the whole price."""
        return self.by_card + self.discount


@dataclass(frozen=True)
class Entry:
    """One posting, as of a business instant.

    `source` is Stripe's object (charge, refund, transfer, reversal, dispute, payout) whose balance
    transactions show the same movement of Stripe's balance.
    """

    cause: str
    kind: str
    happened_at: datetime
    lines: tuple[Line, ...]
    source: str | None = None

    def shown_by(self, source: str | None) -> Entry:
        """Return the entry with the object of Stripe that shows it."""
        return replace(self, source=source)


class Unbalanced(ValueError):
    """The lines of an entry do not sum to zero: a mistake of ours that must not be stored."""


def entry(cause: str, at: datetime, *lines: Line) -> Entry:
    """Return a posting of the lines that are not zero; raises `Unbalanced`."""
    kept = tuple(line for line in lines if line.minor)
    totals: dict[str, int] = {}
    for line in kept:
        totals[line.currency] = totals.get(line.currency, 0) + line.minor
    if any(totals.values()):
        raise Unbalanced(cause)
    return Entry(cause, cause.split(":", 1)[0], at, kept)


def line(account: Account, money: Money, part: Part, mentor_id: UUID | None = None) -> Line:
    """Return a line about a session's part of the money."""
    return Line(account, money.minor, money.currency, part.order_id, mentor_id, part.session_id)


def of_order(account: Account, money: Money, order_id: UUID) -> Line:
    """Return a line about a whole purchase."""
    return Line(account, money.minor, money.currency, order_id)


def total(amounts: Iterable[Money]) -> Money:
    """Return the sum of amounts in one currency, at least one."""
    first, *rest = amounts
    return sum(rest, first)


def minus(money: Money) -> Money:
    """Return the other side of an amount."""
    return Money(-money.minor, money.currency)
