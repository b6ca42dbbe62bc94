"""The numbers of the business that operators may set; what touches a purchase is frozen on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.money import CURRENCIES


@dataclass(frozen=True)
class Terms:
    """How long things last; the defaults are those of the product.

    `hold_grace` follows `hold` before anyone but payments may free the time. A session completes
    itself `completion_delay` after its end. Its room opens `join_early` before the start and closes
    `join_late` after the end. One person has `open_holds` holds at the same time at most, and lets
    `lapses_a_day` of them lapse. A mentor answers a request within `request_answer`, and the mentee
    then pays within `request_payment`; a slot from the waitlist is kept for `offer_answer`. Each
    side moves a session `moves` times at most, and answers what the other proposes within
    `move_answer`. Whoever is not in the room `absent_after` the start can be reported.
    Until `objection` after its end somebody may object to a session. Offerings are for sale in
    `settlement_currencies`.
    """

    hold: timedelta = timedelta(minutes=15)
    hold_grace: timedelta = timedelta(minutes=2)
    completion_delay: timedelta = timedelta(hours=24)
    join_early: timedelta = timedelta(minutes=15)
    join_late: timedelta = timedelta(minutes=30)
    open_holds: int = 3
    lapses_a_day: int = 20
    request_answer: timedelta = timedelta(hours=48)
    request_payment: timedelta = timedelta(hours=24)
    offer_answer: timedelta = timedelta(hours=2)
    moves: int = 2
    move_answer: timedelta = timedelta(hours=48)
    absent_after: timedelta = timedelta(minutes=15)
    objection: timedelta = timedelta(days=14)
    settlement_currencies: frozenset[str] = CURRENCIES

    @property
    def payment_minutes(self) -> int:
        """Return the whole minutes a hold may last, which must be over before the session."""
        return -(-(self.hold + self.hold_grace) // timedelta(minutes=1))
