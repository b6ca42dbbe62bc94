"""What the operators' console reads of the books."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Difference(Shape):
    """An object of Stripe of which both books say different amounts, and what explains it."""

    source: str
    currency: str
    ledger_minor: int
    stripe_minor: int
    since: AwareDatetime
    reason: str


class Reconciliation(Shape):
    """Both books compared, and how far Stripe's list was read."""

    items: list[Difference]
    unexplained: int
    explained: int
    read_at: AwareDatetime | None = None
    movements: int
    unanswered: int
