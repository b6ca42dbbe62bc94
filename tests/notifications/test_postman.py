"""Letters of one batch: each is handed over and recorded, whatever becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from shared.clock import BusinessInstant, FixedClock
from tests.notifications.conftest import Marketplace


class ClockThatFailsOnce(FixedClock):
    """Tells the time at the claim, fails for the first letter that is recorded, then tells it."""

    def __init__(self, instant: datetime) -> None:
        """Stand at an aware instant."""
        super().__init__(instant)
        self._asked = 0

    def now(self) -> BusinessInstant:
        """Return the instant; raises `LookupError` when asked for the second time."""
        self._asked += 1
        if self._asked == 2:
            raise LookupError
        return super().now()


async def test_a_letter_that_cannot_be_recorded_cuts_no_other_off(market: Marketplace):
    """The others are recorded before the mistake is told; that one is tried again later."""
    await market.meet()
    await market.confirm()
    postman = replace(market.postman, clock=ClockThatFailsOnce(market.clock.instant))
    with pytest.raises(LookupError):
        await postman.send_messages()
    states = await market.states("session_confirmed")
    assert sorted(state for state, _ in states) == ["sending", "sent"]
