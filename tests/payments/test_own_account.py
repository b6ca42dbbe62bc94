"""The platform's own account at Stripe: money that is owed to mentors stays in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from services.payments.store.gauges import PAYS_OUT_BY_ITSELF
from services.payments.workers import operations
from services.payments.workers.loops import loops
from shared.ids import new_id
from tests.payments.conftest import World

pytestmark = pytest.mark.usefixtures("as_before")
TOLD = "platform_pays_out_by_itself"


@pytest.fixture
def as_before() -> Iterator[None]:
    """Leave what is shown as it was: every test of this process shows it."""
    yield
    PAYS_OUT_BY_ITSELF.set(0)


async def look_at_own_account(world: World) -> None:
    """Let workers begin anew, which look at their own account before their first call."""
    world.loops = [
        *loops(world.pool, world.gateway, world.clock),
        *(loop for loop in world.loops if loop.name == "kept_events"),
    ]
    await world.hold()
    await world.rest()


def shown() -> float:
    """Return what the worker shows of it."""
    (metric,) = PAYS_OUT_BY_ITSELF.collect()
    (sample,) = metric.samples
    return sample.value


@pytest.mark.parametrize(("interval", "told"), [("manual", False), ("daily", True)])
async def test_an_account_that_pays_out_by_itself_is_told(
    world: World, interval: str, told: bool
) -> None:
    """Operators hear what to do; mentors and mentees go on being served."""
    await world.sim("POST", "account/payouts", {"interval": interval})
    with capture_logs() as lines:
        await look_at_own_account(world)
    found = [line for line in lines if line["event"] == TOLD]
    assert [(line["payouts"], line["log_level"]) for line in found] == [("daily", "error")] * told
    assert all(line["do"] == "set it to manual" for line in found)
    assert shown() == told
    await world.buy()
    await world.check_books()


async def test_it_is_looked_at_again_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody changes at Stripe later is told too, and its mending ends it."""
    await world.connect(new_id())
    await world.sim("POST", "account/payouts", {"interval": "daily"})
    await world.connect(new_id())
    assert shown() == 0, "it is not asked before each call"
    monkeypatch.setattr(operations, "LOOK_AT_PLATFORM_EVERY_SECONDS", 0.0)
    await look_at_own_account(world)
    assert shown() == 1
    await world.sim("POST", "account/payouts", {"interval": "manual"})
    await world.connect(new_id())
    assert shown() == 0, "the same worker has read it anew"
