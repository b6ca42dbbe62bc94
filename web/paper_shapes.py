"""What pages read of receipts, statements and the figures of a year."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from web.shapes import Shape


class Receipt(Shape):
    """A receipt, or the credit note of a refund."""

    document_id: str
    number: str
    kind: str
    order_id: str
    title: str
    amount_minor: int
    currency: str
    happened_at: AwareDatetime


class Statement(Shape):
    """A mentor's month in one currency; given back and sent are below zero."""

    statement_id: str
    period_from: AwareDatetime
    currency: str
    opening_minor: int
    earned_minor: int
    given_back_minor: int
    sent_minor: int
    came_back_minor: int
    written_off_minor: int
    kept_minor: int
    closing_minor: int
    paid_out_minor: int

    @property
    def lines(self) -> list[tuple[str, int]]:
        """Return what is said between the balances, in words, without what is nothing."""
        said = (
            ("Earned with sessions", self.earned_minor),
            ("Given back to mentees", self.given_back_minor),
            ("Sent to your Stripe account", self.sent_minor),
            ("Taken back from your Stripe account", self.came_back_minor),
            ("Written off of what you owed", self.written_off_minor),
        )
        return [(words, minor) for words, minor in said if minor]


class Figures(Shape):
    """What sessions brought in a quarter, or in a year."""

    quarter: int | None = None
    currency: str
    sessions: int
    gross_minor: int
    refunds_minor: int
    fees_minor: int
    net_minor: int


class Year(Shape):
    """The figures that tax authorities ask for."""

    year: int
    quarters: list[Figures] = Field(default_factory=list[Figures])
    totals: list[Figures] = Field(default_factory=list[Figures])
