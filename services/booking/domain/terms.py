"""The numbers of the business that operators may set; what touches a purchase is frozen on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Terms:
    """How long things last; the defaults are those of the product.

    `hold_grace` follows `hold` before anyone but payments may free the time. A session completes
    itself `completion_delay` after its end. Its room opens `join_early` before the start and closes
    `join_late` after the end. One person has `open_holds` holds at the same time at most.
    """

    hold: timedelta = timedelta(minutes=15)
    hold_grace: timedelta = timedelta(minutes=2)
    completion_delay: timedelta = timedelta(hours=24)
    join_early: timedelta = timedelta(minutes=15)
    join_late: timedelta = timedelta(minutes=30)
    open_holds: int = 3

    @property
    def payment_minutes(self) -> int:
        """Return the whole minutes a hold may last, which must be over before the session."""
        return -(-(self.hold + self.hold_grace) // timedelta(minutes=1))
