"""What nobody can book is not sold, and what was paid ahead of it rests and can be had back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from services.payments.commands.credits import buy_package, buy_to_give
from services.payments.commands.subscriptions import subscribe
from services.payments.domain.offered import CurrencyNotSettled
from services.payments.store.credits import LOCK_RESTING, NEXT_TO_EXPIRE, NEXT_TO_REMIND
from services.payments.store.offered import OFFERED_BY, TURNED
from services.payments.workers.loops import loops
from shared.auth import Role
from shared.contracts import booking, profiles
from shared.contracts import payments as facts
from shared.contracts.envelope import Fact
from shared.contracts.prepaid import CreditsExpired, CreditsReminded
from shared.ids import new_id
from tests.payments.conftest import TERMS_OF_NOW, World
from tests.payments.shop import DAY, LIST, Shop
from tests.payments.study import HOUR, MONTH, SESSIONS, Study

RESTED = 70 * DAY
"""Longer than the credits of a month are good."""


@pytest.fixture
async def study(world: World) -> Study:
    return Study(await Shop(world).open())


def offering(shop: Shop, version: int, *, published: bool) -> booking.OfferingFact:
    """Return what booking says of the shop's offering."""
    kind = booking.OfferingPublished if published else booking.OfferingWithdrawn
    return kind(
        offering_id=shop.offering_id, mentor_id=shop.mentor_id, title="Career talk", minutes=60,
        price_minor=12_000, currency="USD", published=published, version=version,
    )  # fmt: skip


def mentor(shop: Shop, version: int, state: profiles.MentorState) -> profiles.PersonFact:
    """Return what profiles says of the shop's mentor."""
    kind = profiles.MentorApproved if state == "approved" else profiles.MentorSuspended
    return kind(person_id=shop.mentor_id, verified=True, mentor_state=state, version=version)


def stop(shop: Shop, what: str) -> Fact:
    """Return the fact after which nobody can book."""
    if what == "withdrawn":
        return offering(shop, 2, published=False)
    if what == "suspended":
        return mentor(shop, 2, "suspended")
    return profiles.ContactErased(person_id=shop.mentor_id, version=2)


@pytest.mark.parametrize("what", ["withdrawn", "suspended", "erased"])
async def test_what_nobody_can_book_is_not_sold(study: Study, what: str) -> None:
    """Packages, gifts, sponsored sessions and plans are refused, and listed no more."""
    shop, world = study.shop, study.world
    package, plan, other = await shop.package(), await study.plan(), await study.plan(2)
    path, body = f"/v1/packages/{package}/purchases", {"as_gift": False}
    bought = await shop.ask("POST", path, body, status=201)
    await study.subscribe()
    assert await world.hear(stop(shop, what)) == "handled"
    given = {"offering_id": str(shop.offering_id), "sessions": 1}
    stranger = UUID(int=7)
    for sold, said in (
        (path, body), (path, {"as_gift": True}), ("/v1/gifts", given),
        ("/v1/sponsorships", given), (f"/v1/plans/{plan}/subscriptions", None),
    ):  # fmt: skip
        refused = await shop.ask("POST", sold, said, who=stranger, status=409)
        assert refused["code"] == "not_for_sale"
    for listed in ("packages", "plans"):
        found = await shop.ask("GET", f"/v1/mentors/{shop.mentor_id}/{listed}")
        assert found["items"] == []
    for shown in (f"/v1/packages/{package}", f"/v1/plans/{plan}"):
        assert (await shop.ask("GET", shown))["bookable"] is False
    change = f"/v1/subscriptions/{study.subscription_id}/change"
    refused = await shop.ask("POST", change, {"plan_id": other}, status=409)
    assert refused["code"] == "plan_elsewhere"
    await world.rest()
    page = await shop.ask("GET", f"/v1/purchases/{bought['purchase_id']}")
    assert page["state"] == "closed"


async def test_a_page_that_was_being_prepared_when_the_mentor_went_is_closed(study: Study) -> None:
    """Stripe was being asked for it: it is there for a moment, and nobody can pay on it."""
    shop, world = study.shop, study.world
    path = f"/v1/packages/{await shop.package()}/purchases"
    bought = await shop.ask("POST", path, {"as_gift": False}, status=201)
    assert bought["state"] == "being_prepared"
    await world.hear(stop(shop, "suspended"))
    await world.rest()
    page = await shop.ask("GET", f"/v1/purchases/{bought['purchase_id']}")
    assert page["state"] == "closed"


async def test_a_plan_rests_while_nobody_can_book_and_goes_on_by_itself(study: Study) -> None:
    """No month is paid meanwhile, credits keep their time, and both are told."""
    shop, world = study.shop, study.world
    await study.subscribe()
    (credit,) = (await shop.ask("GET", "/v1/me/credits"))["items"]
    await world.hear(stop(shop, "withdrawn"), times=2)
    await world.rest()
    shown = await study.show()
    assert (shown["resting"], shown["pausing"], shown["next_payment_at"]) == (True, False, None)
    await world.advance(RESTED)
    assert len(await study.stripes("charge")) == 1
    assert await world.told(CreditsExpired) == []
    (resting,) = (await shop.ask("GET", "/v1/me/credits"))["items"]
    assert (resting["remaining"], resting["resting"]) == (SESSIONS, True)
    await world.hear(offering(shop, 3, published=True), times=2)
    await world.rest()
    assert len(await world.told(facts.PlanRested)) == 1
    (woken,) = await world.told(facts.PlanContinued)
    assert woken.next_payment_at == datetime.fromisoformat((await study.show())["period_end"])
    (good,) = (await shop.ask("GET", "/v1/me/credits"))["items"]
    assert (good["resting"], _at(good) - _at(credit)) == (False, RESTED)
    await study.renew()
    assert len(await world.told(facts.PlanRenewed)) == 1
    await study.check()


def _at(credit: Any) -> datetime:
    return datetime.fromisoformat(credit["expires_at"])


async def test_who_paid_ahead_of_what_cannot_be_booked_has_it_back_at_any_time(
    study: Study,
) -> None:
    """A package that rests is paid back also long after its time; a fund goes back in its time."""
    shop, world = study.shop, study.world
    bought = await shop.buy(3, months=1)
    fund = await shop.give("sponsorships", 1)
    await world.hear(stop(shop, "suspended"))
    await world.advance(400 * DAY)
    assert (await shop.ask("GET", f"/v1/purchases/{fund}"))["remaining"] == 0
    (gone,) = await world.told(CreditsExpired)
    assert (gone.order_id, gone.refunded) == (fund, True)
    shown = await shop.ask("GET", f"/v1/purchases/{bought}")
    assert (shown["resting"], shown["refundable_minor"]) == (True, 30_000)
    path = f"/v1/purchases/{bought}/refund"
    await shop.ask("POST", path, {"shown_amount_minor": 30_000}, status=202)
    await world.rest()
    back = sorted(each["amount"] for each in await study.stripes("refund"))
    assert back == [12_000, 30_000]
    await shop.check()


@pytest.mark.parametrize("who", ["payer", "operator"])
async def test_who_paid_for_somebody_else_has_it_back_when_it_cannot_be_booked_for_long(
    world: World, who: str
) -> None:
    """A redeemed gift and a granted session: not at once, and who had them is told."""
    shop = await Shop(world).open()
    friend, mentee = new_id(), new_id()
    gift, fund = await shop.give("gifts", 2), await shop.give("sponsorships", 2)
    code = (await shop.ask("POST", f"/v1/gifts/{gift}/code", status=201))["code"]
    await shop.ask("POST", "/v1/gifts/redeem", {"code": code}, who=friend, status=201)
    await shop.hold(who=mentee, price_minor=0)
    grant = {"offering_id": str(shop.offering_id), "mentee_id": str(mentee)}
    await shop.ask("POST", "/v1/me/fund/grants", grant, who=shop.mentor_id, status=201)
    await world.hear(stop(shop, "withdrawn"))
    await world.advance(29 * DAY)
    assert await _refundable(shop, gift, fund) == [0, LIST]
    if who == "operator":
        for each in (gift, fund):
            path, said = f"/v1/operator/purchases/{each}/refund", {"reason": "She is gone."}
            status, done = await world.call("POST", path, new_id(), Role.OPERATOR, body=said)
            assert (status, done["details"]["amount_minor"]) == (202, 2 * LIST)
    else:
        await world.advance(DAY)
        assert await _refundable(shop, gift, fund) == [2 * LIST, 2 * LIST]
        for each in (gift, fund):
            back = {"shown_amount_minor": 2 * LIST}
            await shop.ask("POST", f"/v1/purchases/{each}/refund", back, status=202)
    await world.rest()
    told = {
        each.owner_id: (each.remaining, each.unbookable)
        for each in await world.told(CreditsExpired)
    }
    assert told == {friend: (2, True), mentee: (1, True)}
    assert sum(each["amount"] for each in await Study(shop).stripes("refund")) == 4 * LIST
    assert await shop.left(friend) == await shop.left(mentee) == [0]
    await shop.check()


async def _refundable(shop: Shop, *purchases: UUID) -> list[int]:
    found = [await shop.ask("GET", f"/v1/purchases/{each}") for each in purchases]
    return [each["refundable_minor"] for each in found]


async def test_a_currency_that_we_hold_no_balance_in_any_more_stops_sales_and_renewals(
    study: Study,
) -> None:
    """Nothing is sold in it for that reason, a plan rests, and both go on once it is back."""
    shop, world = study.shop, study.world
    await study.subscribe()
    package = await shop.package()
    others = replace(TERMS_OF_NOW, settlement_currencies=frozenset({"EUR"}))
    async with world.pool.acquire() as conn:
        plan = UUID((await study.show())["plan"]["plan_id"])
        now = world.clock.now()
        for sold in (
            buy_package(conn, package, new_id(), others, now, as_gift=True),
            buy_to_give(conn, "gift", shop.offering_id, 1, new_id(), others, now),
            subscribe(conn, plan, new_id(), others, now),
        ):
            with pytest.raises(CurrencyNotSettled):
                await sold
    here = world.loops
    world.loops = loops(world.pool, world.gateway, world.clock, others.settlement_currencies)
    await world.rest()
    assert (await study.show())["resting"] is True
    assert (await shop.ask("GET", f"/v1/mentors/{shop.mentor_id}/packages"))["items"] == []
    await study.renew()
    assert len(await study.stripes("charge")) == 1
    world.loops = here
    await world.rest()
    assert (await study.show())["resting"] is False
    await study.renew()
    assert len(await study.stripes("charge")) == 2
    await study.check()


async def test_credits_that_rest_stand_in_nobodys_way(study: Study) -> None:
    """Those whose time goes on are reminded of and end past any number of older ones that rest."""
    shop, world = study.shop, study.world
    other = await Shop(world, mentor_id=shop.mentor_id, buyer_id=shop.buyer_id).open()
    for _ in range(3):
        await shop.buy(2, months=1)
    await world.hear(stop(shop, "withdrawn"))
    await other.buy(2, months=1)
    await world.advance(40 * DAY)
    assert len(await world.told(CreditsReminded)) == len(await world.told(CreditsExpired)) == 1
    for statement in (NEXT_TO_EXPIRE, NEXT_TO_REMIND):
        async with world.pool.acquire() as conn, conn.transaction():
            await conn.execute("SET LOCAL enable_seqscan = off")
            how = str(await conn.fetch(f"EXPLAIN ANALYZE {statement}", world.clock.now()))
        assert set(re.findall(r"actual time=\S+ rows=(\d+)", how)) == {"0"}, how
    await world.hear(offering(shop, 3, published=True))
    await world.advance(31 * DAY)
    assert len(await world.told(CreditsExpired)) == 4
    await shop.check()


async def test_what_people_paused_stays_so_when_it_can_be_booked_again(study: Study) -> None:
    """A pause and its end are noted beneath the rest, and hold after it."""
    shop, world = study.shop, study.world
    await study.subscribe()
    await study.do("pause")
    await world.hear(stop(shop, "suspended"))
    await world.rest()
    await world.hear(mentor(shop, 3, "approved"))
    await world.rest()
    shown = await study.show()
    assert (shown["resting"], shown["pausing"]) == (False, True)
    await study.renew()
    await world.hear(mentor(shop, 4, "suspended"))
    await world.rest()
    shown = await study.do("resume")
    assert (shown["resting"], shown["pausing"], shown["next_payment_at"]) == (True, False, None)
    await study.renew()
    await world.hear(mentor(shop, 5, "approved"))
    await world.rest()
    assert await world.told(facts.PlanResumed) == []
    woken = [each.next_payment_at is None for each in await world.told(facts.PlanContinued)]
    assert (len(await world.told(facts.PlanPaused)), woken) == (1, [True, False])
    assert len(await study.stripes("charge")) == 1
    await study.renew()
    assert len(await study.stripes("charge")) == 2
    await study.check()


async def test_facts_in_any_order_and_doubled_come_to_the_same(study: Study) -> None:
    """The latest word of each side counts: withdrawn and back, suspended and approved again."""
    shop, world = study.shop, study.world
    package = await shop.package()
    said = [
        offering(shop, 2, published=False), offering(shop, 3, published=True),
        mentor(shop, 2, "suspended"), mentor(shop, 3, "approved"),
    ]  # fmt: skip
    for place, order in enumerate(permutations(said)):
        await world.pool.execute("DELETE FROM standings")
        await world.pool.execute("UPDATE offered SET version = 1")
        for fact in order:
            for _ in range(2):
                assert await world.hear(fact) == "handled"
        shown = await shop.ask("GET", f"/v1/packages/{package}")
        assert shown["bookable"] is True, (place, order)


@pytest.mark.parametrize(
    ("before", "months"), [(HOUR, 1), (timedelta(minutes=1), 2), (-HOUR / 2, 2)]
)
async def test_a_suspension_crosses_a_renewal(study: Study, before: timedelta, months: int) -> None:
    """A month that Stripe drafted before it heard is bought once, rests, and goes back whole."""
    shop, world = study.shop, study.world
    shown = await study.subscribe()
    end = datetime.fromisoformat(shown["period_end"])
    await world.advance(end - before - world.clock.now())
    await world.hear(stop(shop, "suspended"))
    await study.turn("ask_of_subscriptions")
    if before == HOUR:
        await world.rest()  # Else the renewal crosses the call that is on its way.
    await world.advance(RESTED)
    assert len(await study.stripes("charge")) == months
    left = [each for each in await shop.left() if each]
    assert left == [SESSIONS] * months
    await study.do("end", {"at": "now", "shown_minor": months * MONTH})
    assert [each["amount"] for each in await study.stripes("refund")] == [MONTH] * months
    await study.check()


async def test_a_mentor_who_is_back_before_stripe_heard_leaves_no_pause(study: Study) -> None:
    """The last word wins whatever is on its way to Stripe."""
    shop, world = study.shop, study.world
    await study.subscribe()
    await world.fault("POST", "/v1/subscriptions/*", "timeout_after", 2)
    await world.hear(stop(shop, "suspended"))
    for _ in range(3):
        await world.turn()
    await world.hear(mentor(shop, 3, "approved"))
    await world.rest()
    (subscription,) = await study.stripes("subscription")
    assert subscription["pause_collection"] is None
    assert (await study.show())["resting"] is False


@pytest.mark.parametrize("where", ["before_the_change", "after_the_change"])
async def test_another_plan_that_waits_at_the_edge_of_a_month_has_nobody_pay_for_rest(
    study: Study, where: str
) -> None:
    """Until the other plan holds, the one whose sessions nobody can book takes no payment."""
    shop, world = study.shop, study.world
    shown = await study.subscribe()
    other = Shop(world, mentor_id=shop.mentor_id, buyer_id=shop.buyer_id)
    follows = await Study(await other.open()).plan()
    change, end = {"plan_id": follows}, datetime.fromisoformat(shown["period_end"])
    path = f"/v1/subscriptions/{study.subscription_id}/change"
    if where == "before_the_change":
        await world.hear(stop(shop, "withdrawn"))
        await world.advance(end - HOUR - world.clock.now())
        assert (await study.show())["resting"] is True
        await shop.ask("POST", path, change, status=202)
        world.clock.instant = end - timedelta(minutes=20)
    else:
        await world.advance(end - HOUR - world.clock.now())
        await shop.ask("POST", path, change, status=202)
        world.clock.instant = end - timedelta(minutes=20)
        await world.hear(stop(shop, "withdrawn"))
    await world.advance(3 * HOUR)
    assert len(await study.stripes("charge")) == 1
    shown = await study.show()
    assert (shown["plan"]["plan_id"], shown["resting"]) == (follows, False)
    await study.renew()
    assert [each["amount"] for each in await study.stripes("charge")] == [MONTH] * 2
    await study.check()


async def test_a_page_that_was_open_when_the_mentor_went_brings_a_plan_that_rests(
    study: Study,
) -> None:
    """Who pays it all the same pays one month, which rests and goes back whenever they ask."""
    await study.begin(await study.plan())
    await study.world.hear(stop(study.shop, "suspended"))
    await study.pay()
    await study.world.rest()
    shown = await study.show()
    assert (shown["state"], shown["resting"]) == ("active", True)
    await study.renew()
    assert len(await study.stripes("charge")) == 1
    await study.check()


@pytest.mark.parametrize(
    ("statement", "of", "index"),
    [
        (OFFERED_BY, UUID(int=1), "offered_mentor"),
        (TURNED.replace("$2", "'{USD}'"), UUID(int=1), "offered_mentor"),
        (LOCK_RESTING, [UUID(int=1)], "lots_offering"),
    ],
)
async def test_what_a_mentor_sells_is_found_by_index(
    world: World, statement: str, of: UUID | list[UUID], index: str
) -> None:
    """However many others there are."""
    async with world.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        assert index in str(await conn.fetch(f"EXPLAIN {statement}", of))
