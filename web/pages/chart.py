"""What sessions brought by month, as the bars of a drawing 640 wide and 220 high. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from web.shapes import EarningsOrder

MONTHS_SHOWN = 6
WIDTH = 640
GROUND = 180
TALLEST = 145
BAR_WIDTH = 64


@dataclass(frozen=True)
class Bar:
    """One month: what was sent to Stripe, what is still to come, and where the bar stands."""

    month: date
    sent: int
    coming: int
    x: int
    sent_height: int
    coming_height: int

    @property
    def total(self) -> int:
        """Return the month's amount in minor units."""
        return self.sent + self.coming

    @property
    def top(self) -> int:
        """Return how far below the drawing's upper edge the bar begins."""
        return GROUND - self.sent_height - self.coming_height


@dataclass(frozen=True)
class Chart:
    """The months of one currency, oldest first."""

    currency: str
    bars: tuple[Bar, ...]
    width: int = BAR_WIDTH


def charts(orders: Iterable[EarningsOrder], zone: str, now: datetime | None = None) -> list[Chart]:
    """Return a chart for each currency; a session counts in the month its share falls due in.

    The last month is that of `now`, or the last in which something comes; months of nothing have
    a place too. Without `now` it is the last of the orders: so for those on an older page.
    """
    sums: dict[str, dict[date, tuple[int, int]]] = {}
    for order in orders:
        at = order.due_at or order.released_at or order.transferred_at
        if at is None:
            continue
        months = sums.setdefault(order.currency, {})
        sent, coming = months.get(_month(at, zone), (0, 0))
        share = order.mentor_minor
        gone = order.transferred_at is not None
        months[_month(at, zone)] = (sent + share, coming) if gone else (sent, coming + share)
    today = [_month(now, zone)] if now else []
    drawn = (
        Chart(currency, _bars(months, max([*months, *today])))
        for currency, months in sorted(sums.items())
    )
    return [chart for chart in drawn if any(bar.total for bar in chart.bars)]


def _month(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date().replace(day=1)


def _bars(months: dict[date, tuple[int, int]], last: date) -> tuple[Bar, ...]:
    shown = _months_up_to(last)
    most = max(sum(months.get(month, (0, 0))) for month in shown) or 1
    step = WIDTH // MONTHS_SHOWN
    bars: list[Bar] = []
    for number, month in enumerate(shown):
        sent, coming = months.get(month, (0, 0))
        x = number * step + (step - BAR_WIDTH) // 2
        heights = (round(sent * TALLEST / most), round(coming * TALLEST / most))
        bars.append(Bar(month, sent, coming, x, *heights))
    return tuple(bars)


def _months_up_to(last: date) -> list[date]:
    numbers = range(last.year * 12 + last.month - MONTHS_SHOWN, last.year * 12 + last.month)
    return [date(number // 12, number % 12 + 1, 1) for number in numbers]
