"""What is paid in advance is sold only while its sessions cost at most what they cost alone."""

from __future__ import annotations

from typing import Any

from shared.contracts import payments as facts
from tests.payments.conftest import World
from tests.payments.shop import LIST, Shop
from tests.payments.study import SESSIONS, UNIT, Study

LOWER = UNIT - 1_000


async def offered(shop: Shop) -> list[Any]:
    """Return the packages and the plans on the mentor's page."""
    lists = [
        await shop.ask("GET", f"/v1/mentors/{shop.mentor_id}/{what}")
        for what in ("packages", "plans")
    ]
    return [each["unit_price_minor"] for found in lists for each in found["items"]]


async def test_what_is_dearer_than_alone_is_not_sold(world: World) -> None:
    """When single sessions become cheaper it is listed no more and refused, until they are not."""
    shop = await Shop(world).open()
    package_id, plan_id = await shop.package(), await Study(shop).plan()
    assert await offered(shop) == [UNIT, UNIT]
    await shop.open(price_minor=LOWER, version=2)
    assert await offered(shop) == []
    for path in (f"/v1/packages/{package_id}", f"/v1/plans/{plan_id}"):
        assert (await shop.ask("GET", path))["dearer_than_alone"]
        selling = "purchases" if "packages" in path else "subscriptions"
        body = {} if selling == "purchases" else None
        refused = await shop.ask("POST", f"{path}/{selling}", body, status=409)
        assert refused["code"] == "dearer_than_alone"
        assert refused["facts"] == {"alone_minor": LOWER, "currency": "USD"}
    await shop.open(price_minor=UNIT, version=3)
    assert await offered(shop) == [UNIT, UNIT]
    await shop.ask("POST", f"/v1/packages/{package_id}/purchases", {}, status=201)


async def test_a_plan_goes_on_at_the_price_that_was_agreed(world: World) -> None:
    """The subscriber is told that single sessions cost less; no dearer plan can follow on it."""
    study = Study(await Shop(world).open())
    await study.subscribe()
    other = await study.plan(sessions=SESSIONS - 1)
    cheaper = await study.plan(sessions=SESSIONS - 1, unit_minor=LOWER)
    assert not (await study.show())["plan"]["dearer_than_alone"]
    await study.shop.open(price_minor=LOWER, version=2)
    assert (await study.show())["plan"]["dearer_than_alone"]
    path = f"/v1/subscriptions/{study.subscription_id}/change"
    preview = f"{path}-preview?plan_id={other}"
    refused = [
        await study.shop.ask("GET", preview, status=409),
        await study.shop.ask("POST", path, {"plan_id": other}, status=409),
    ]
    assert [each["code"] for each in refused] == ["dearer_than_alone"] * 2
    await study.shop.ask("GET", f"{path}-preview?plan_id={cheaper}")
    await study.renew()
    (renewed,) = await study.world.told(facts.PlanRenewed)
    assert renewed.amount_minor == UNIT * SESSIONS < LIST * SESSIONS
    await study.check()
