"""What else happens to money, on real processes: the demo's third act ends well."""

from __future__ import annotations

import re

import pytest

from dev.journey import OFFERING
from dev.marketplace import Marketplace
from dev.third_act import GIVEN_BACK_MINOR, PACKAGE, third_act
from tests.journeys.conftest import verified

pytestmark = [pytest.mark.journey, pytest.mark.long]
STEPS = ("buys three sessions", "promotion code", "disputes a payment", "gives back a part",
         "refuses a payout")  # fmt: skip
SHARE_KEPT_PERCENT = 85
"""What a mentor keeps of a price, unless an operator makes another rule."""
STATEMENT = re.compile(r"'s statement of (\S+):\n((?:  .*\n){7})")


async def test_paid_ahead_discounted_disputed_given_back_bounced_and_stated(
    market: Marketplace,
) -> None:
    """Each step ends where it should, the months are stated to the cent, and the books agree."""
    told: list[str] = []
    await third_act(market, told.append)
    story = "\n".join(told)
    assert all(step in story for step in STEPS)
    months = statements(story)
    # A session of the package, one of which a part went back, one that a bank gave back whole:
    # the code took nothing from the mentor, and the part went before the share was released.
    price: int = OFFERING["price_minor"]
    kept = (PACKAGE["unit_price_minor"], price - GIVEN_BACK_MINOR, price)
    earned = sum(minor * SHARE_KEPT_PERCENT // 100 for minor in kept)
    totals = {side: sum(month[side] for month in months) for side in months[0]}
    assert (totals["earned"], totals["given back"]) == (earned, 0)
    assert (totals["sent"], totals["came back"]) == (-earned, 0)
    assert totals["paid out"] == earned
    assert (months[0]["opening"], months[-1]["closing"]) == (0, 0)
    for month in months:
        moved = sum(month[side] for side in ("earned", "given back", "sent", "came back"))
        assert month["opening"] + moved == month["closing"]
    await verified(market)


def statements(story: str) -> list[dict[str, int]]:
    """Return what each of the mentor's statements says, in minor units, the first month first."""
    found: dict[str, dict[str, int]] = {}
    for month, lines in STATEMENT.findall(story):
        said = (line.removesuffix(" USD").rsplit(maxsplit=1) for line in lines.splitlines())
        found[month] = {side.strip(): int(amount.replace(".", "")) for side, amount in said}
    return [found[month] for month in sorted(found)]
