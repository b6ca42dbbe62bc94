"""What was earned and given back by month, as bars of a drawing 640 wide and 220 high. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date

from web.earning_shapes import EarnedCurrency, EarnedMonth

WIDTH = 640
GROUND = 180
TALLEST = 145
BAR_WIDTH = 20
ROOM_FOR_AMOUNT = 75
"""From the middle of an amount to the edge of the drawing, or it would be cut on a phone."""


@dataclass(frozen=True)
class Bar:
    """One month: what was earned, beside it what was given back, and where the two stand."""

    month: date
    earned: int
    given_back: int
    middle: int
    earned_height: int
    given_back_height: int

    @property
    def net(self) -> int:
        """Return what the month came to, in minor units."""
        return self.earned - self.given_back

    @property
    def left(self) -> int:
        """Return where the earned bar begins: under its month, or beside the other one."""
        return self.middle - (BAR_WIDTH if self.given_back else BAR_WIDTH // 2)

    @property
    def amount(self) -> tuple[int, str]:
        """Return where an amount above the earned bar is anchored, and by which of its ends."""
        if self.middle < ROOM_FOR_AMOUNT:
            return self.left, "start"
        if self.middle > WIDTH - ROOM_FOR_AMOUNT:
            return self.left + BAR_WIDTH, "end"
        return self.left + BAR_WIDTH // 2, "middle"


@dataclass(frozen=True)
class Chart:
    """The months of one currency, oldest first."""

    currency: str
    bars: tuple[Bar, ...]
    width: int = BAR_WIDTH
    ground: int = GROUND

    @property
    def best(self) -> Bar:
        """Return the last of the months in which most was earned."""
        return max(self.bars, key=lambda bar: (bar.earned, bar.month))


def charts(currencies: Iterable[EarnedCurrency]) -> list[Chart]:
    """Return a chart for each currency; months of nothing have a place too."""
    return [Chart(each.currency, _bars(each.months)) for each in currencies if each.months]


def _bars(months: list[EarnedMonth]) -> tuple[Bar, ...]:
    most = max(max(each.earned_minor, -each.given_back_minor) for each in months) or 1
    step = WIDTH / len(months)
    bars: list[Bar] = []
    for number, each in enumerate(months):
        earned, given_back = each.earned_minor, -each.given_back_minor
        heights = (_height(earned, most), _height(given_back, most))
        month = each.since.astimezone(UTC).date()
        bars.append(Bar(month, earned, given_back, round((number + 0.5) * step), *heights))
    return tuple(bars)


def _height(minor: int, most: int) -> int:
    # Upwards, so that even a cent is seen.
    return -(-minor * TALLEST // most)
