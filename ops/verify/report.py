"""What a verification says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Failure:
    """One thing that is wrong; the same thing in two looks has the same check and subject."""

    check: str
    subject: str
    detail: str = field(compare=False)

    def fields(self) -> dict[str, str]:
        """Return it ready for JSON."""
        return {"check": self.check, "subject": self.subject, "detail": self.detail}


@dataclass(frozen=True)
class InFlight:
    """One piece of work that a service has accepted and not finished."""

    service: str
    kind: str
    subject: str
    since: datetime

    def fields(self) -> dict[str, str]:
        """Return it ready for JSON."""
        return {
            "service": self.service,
            "kind": self.kind,
            "subject": self.subject,
            "since": self.since.isoformat(),
        }


@dataclass(frozen=True)
class Balance:
    """What one account of one of the two books holds, in minor units."""

    book: str
    account: str
    currency: str
    minor: int

    def fields(self) -> dict[str, str | int]:
        """Return it ready for JSON."""
        return {
            "book": self.book,
            "account": self.account,
            "currency": self.currency,
            "minor": self.minor,
        }


@dataclass(frozen=True)
class Report:
    """The verdict; `checks` names what was looked at, `books` are ours and Stripe's."""

    checks: tuple[str, ...]
    failures: tuple[Failure, ...]
    in_flight: tuple[InFlight, ...]
    books: tuple[Balance, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures

    def fields(self) -> dict[str, object]:
        """Return it ready for JSON."""
        return {
            "ok": self.ok,
            "failures": [each.fields() for each in self.failures],
            "in_flight": [each.fields() for each in self.in_flight],
            "books": [each.fields() for each in self.books],
            "checks": list(self.checks),
        }
