"""What else happens to money, on real processes: the demo's third act ends well."""

from __future__ import annotations

import pytest

from dev.marketplace import Marketplace
from dev.third_act import third_act
from tests.journeys.conftest import verified

pytestmark = [pytest.mark.journey, pytest.mark.long]
STEPS = ("buys three sessions", "promotion code", "disputes a payment", "gives back a part",
         "refuses a payout")  # fmt: skip


async def test_paid_ahead_discounted_disputed_given_back_bounced_and_stated(
    market: Marketplace,
) -> None:
    """Each step ends where it should, the month is stated to the cent, and the books agree."""
    told: list[str] = []
    await third_act(market, told.append)
    story = "\n".join(told)
    assert all(step in story for step in STEPS)
    await verified(market)
