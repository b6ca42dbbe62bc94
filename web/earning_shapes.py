"""What the page of earnings reads of a mentor's money."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Earnings(Shape):
    """A mentor's totals in one currency, in minor units."""

    currency: str
    held_minor: int
    released_minor: int
    transferred_minor: int
    paid_out_minor: int


class AllEarnings(Shape):
    """A mentor's totals in every currency, and how long a share is held that is sold now."""

    totals: list[Earnings]
    release_delay_hours: int

    @property
    def delay(self) -> str:
        """Return how long after a session its share is released."""
        return _delay(self.release_delay_hours)


class EarnedMonth(Shape):
    """A month in UTC, as on its statement: what was given back is below zero."""

    since: AwareDatetime
    earned_minor: int
    given_back_minor: int


class EarnedCurrency(Shape):
    """The last months in one currency, the oldest first."""

    currency: str
    months: list[EarnedMonth]


class EarnedMonths(Shape):
    """Months in every currency in which something was earned."""

    items: list[EarnedCurrency]


class EarningsOrder(Shape):
    """What one order brought a mentor."""

    order_id: str
    title: str
    mentor_minor: int
    currency: str
    release_delay_hours: int
    due_at: AwareDatetime | None = None
    waits_for: str | None = None
    released_at: AwareDatetime | None = None
    transferred_at: AwareDatetime | None = None

    @property
    def delay(self) -> str:
        """Return how long after the session its share is released, as it was sold."""
        return _delay(self.release_delay_hours)


class Payout(Shape):
    """Money on its way to a mentor's bank."""

    amount_minor: int
    currency: str
    state: str = ""
    arrives_at: AwareDatetime | None = None
    failure_words: str | None = None
    sent_again: bool = False


def _delay(hours: int) -> str:
    if not hours:
        return "right"
    return "1 hour" if hours == 1 else f"{hours} hours"
