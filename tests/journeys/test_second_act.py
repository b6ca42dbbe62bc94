"""What else happens to a mentor's time, on real processes: the demo's second act ends well."""

from __future__ import annotations

import re

import pytest

from dev.marketplace import Marketplace
from dev.second_act import play
from tests.journeys.conftest import verified

pytestmark = pytest.mark.journey
DATE = re.compile(r"(\d\d:\d\d) in America/New_York, (\d\d:\d\d) UTC")


async def test_asked_for_moved_waited_for_missed_and_sold_weekly(market: Marketplace) -> None:
    """Every step ends where it should, the weekly hour stays on the mentor's wall, books agree."""
    said: list[str] = []
    await play(market, said.append)
    (here, there), (later_here, later_there) = DATE.findall("\n".join(said))
    assert here == later_here
    assert there != later_there, "the clocks changed between the two"
    await verified(market)
