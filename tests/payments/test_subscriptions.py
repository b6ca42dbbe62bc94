"""Plans: subscribed to, renewed, failed and paid after all, paused, changed and ended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.payments.commands.operations import record_outcome, take_operation
from shared.auth import Role
from shared.contracts import payments as facts
from shared.contracts.booking import OfferingWithdrawn
from shared.db import in_transaction
from shared.ids import new_id
from tests.payments.conftest import DELAY, NOON, REST_SECONDS, World
from tests.payments.shop import Shop
from tests.payments.study import GOOD_CARD, HOUR, MONTH, ORDERS_TRIED, SESSIONS, UNIT, Study


@pytest.fixture
async def study(world: World) -> Study:
    return Study(await Shop(world).open())


async def test_a_plan_is_subscribed_to_and_booked_with(study: Study) -> None:
    """The first month is paid on Stripe's page; its sessions are credits that earn as bought."""
    await study.world.connect(study.shop.mentor_id)
    shown = await study.subscribe()
    assert (shown["state"], shown["plan"]["price_minor"]) == ("active", MONTH)
    assert shown["next_payment_at"] == shown["period_end"] == "2030-06-06T12:00:00Z"
    assert await study.shop.left() == [SESSIONS]
    (started,) = await study.world.told(facts.PlanStarted)
    assert started.period_end == datetime(2030, 6, 6, 12, tzinfo=UTC)
    await study.shop.complete(await study.shop.book())
    await study.world.advance(DELAY + timedelta(days=1))
    (sent,) = await study.world.told(facts.TransferSent)
    assert sent.amount_minor == UNIT * 85 // 100
    await study.check()


@pytest.mark.long
async def test_a_year_of_renewals(study: Study) -> None:
    """Thirteen months are thirteen purchases of credits, each told, posted and good for two."""
    await study.subscribe()
    for _ in range(12):
        await study.renew()
    renewed = await study.world.told(facts.PlanRenewed)
    assert [each.amount_minor for each in renewed] == [MONTH] * 12
    assert len({each.order_id for each in renewed}) == 12
    told = [each for each in await study.world.facts() if isinstance(each, facts.PlanFact)]
    assert [each.version for each in told] == list(range(1, 14))
    left = [each for each in await study.shop.left() if each]
    assert left == [SESSIONS] * 2
    expired = (await study.world.balances())["expired_credits"]
    assert expired == -11 * MONTH
    await study.check()


async def test_a_failed_renewal_is_told_and_paid_after_all(study: Study) -> None:
    """Each attempt is told once; who pays on the invoice's page goes on with that card."""
    await study.subscribe()
    await study.fail()
    shown = await study.renew()
    assert (shown["state"], shown["invoice_url"] is not None) == ("past_due", True)
    mentor = study.shop.mentor_id
    listed = await study.shop.ask("GET", "/v1/me/subscriptions", who=mentor)
    for theirs in (await study.show(mentor), *listed["items"]):
        assert (theirs["state"], theirs["invoice_url"]) == ("past_due", None)
    await study.world.advance(timedelta(days=3))
    attempts = [each.attempt for each in await study.world.told(facts.PlanPaymentFailed)]
    assert attempts == [1, 2]
    invoice = str((await study.show())["invoice_url"]).rsplit("/", 1)[-1]
    await study.world.sim("POST", f"invoices/{invoice}/pay", {"card": GOOD_CARD})
    await study.world.rest()
    shown = await study.show()
    assert (shown["state"], shown["invoice_url"]) == ("active", None)
    assert [each for each in await study.shop.left() if each] == [SESSIONS] * 2
    await study.renew()
    assert len(await study.world.told(facts.PlanRenewed)) == 2
    await study.check()


@pytest.mark.long
async def test_a_plan_that_is_never_paid_ends(study: Study) -> None:
    """After the fourth attempt Stripe gives up; what was paid before stays good."""
    await study.subscribe()
    await study.fail()
    await study.renew()
    await study.world.advance(timedelta(days=16))
    shown = await study.show()
    assert (shown["state"], shown["ended_because"]) == ("ended", "payment_failed")
    assert len(await study.world.told(facts.PlanPaymentFailed)) == 4
    assert [each.because for each in await study.world.told(facts.PlanEnded)] == ["payment_failed"]
    assert [each for each in await study.shop.left() if each] == [SESSIONS]
    await study.check()


async def test_either_side_pauses_and_the_mentee_resumes(study: Study) -> None:
    """A paused month costs nothing and brings nothing; only who pays has the next one paid."""
    await study.subscribe()
    shown = await study.do("pause", who=study.shop.mentor_id)
    await study.refuse_mentor("resume")
    assert (shown["state"], shown["pausing"], shown["next_payment_at"]) == ("active", True, None)
    await study.renew()
    assert await study.world.told(facts.PlanRenewed) == []
    shown = await study.do("resume")
    assert shown["next_payment_at"] == "2030-07-06T12:00:00Z"
    await study.renew()
    assert len(await study.world.told(facts.PlanRenewed)) == 1
    (paused,) = await study.world.told(facts.PlanPaused)
    (resumed,) = await study.world.told(facts.PlanResumed)
    assert (paused.by, resumed.by) == ("mentor", "mentee")
    await study.check()


async def test_a_plan_ends_with_its_month_unless_taken_up_again(study: Study) -> None:
    """The month that was paid goes on to its end, and its sessions stay good."""
    await study.subscribe()
    await study.do("end", {"at": "period_end"})
    await study.refuse_mentor("resume")
    assert (await study.do("resume"))["ending"] is False
    await study.do("end", {"at": "period_end"}, who=study.shop.mentor_id)
    shown = await study.renew()
    assert (shown["state"], shown["ended_because"]) == ("ended", "wished")
    endings = await study.world.told(facts.PlanEndScheduled)
    assert [each.ends_at is None for each in endings] == [False, True, False]
    assert await study.shop.left() == [SESSIONS]
    assert len(await study.stripes("charge")) == 1
    await study.check()


async def test_the_months_of_an_ended_plan_go_back_while_they_cannot_be_booked(
    study: Study,
) -> None:
    """Long after their time as well, each on its own page, as any purchase of credits."""
    shop, world = study.shop, study.world
    await study.subscribe()
    await study.do("end", {"at": "period_end"})
    withdrawn = OfferingWithdrawn(
        offering_id=shop.offering_id, mentor_id=shop.mentor_id, title="Career talk", minutes=60,
        price_minor=12_000, currency="USD", published=False, version=2,
    )  # fmt: skip
    await world.hear(withdrawn)
    assert (await study.renew())["state"] == "ended"
    await world.advance(timedelta(days=90))
    path = f"/v1/subscriptions/{study.subscription_id}/months"
    (month,) = (await shop.ask("GET", path))["items"]
    one = f"/v1/purchases/{month['order_id']}"
    shown = await shop.ask("GET", one)
    assert (shown["kind"], shown["refundable_minor"], shown["resting"]) == ("plan", MONTH, True)
    await shop.ask("POST", f"{one}/refund", {"shown_amount_minor": MONTH}, status=202)
    await world.rest()
    assert [each["amount"] for each in await study.stripes("refund")] == [MONTH]
    await study.check()


async def test_operators_stop_a_plan_with_a_reason_in_their_log(study: Study) -> None:
    """They have routes of their own for it: on those of the people they find nobody's plan."""
    operator = new_id()
    await study.subscribe()
    theirs = f"/v1/operator/subscriptions/{study.subscription_id}"
    at_once = {"at": "now", "shown_minor": MONTH}

    async def ask(path: str, body: Any = None) -> tuple[int, Any]:
        return await study.world.call("POST", path, operator, Role.OPERATOR, body=body)

    for what, body in (("pause", None), ("resume", None), ("end", at_once)):
        assert (await ask(f"/v1/subscriptions/{study.subscription_id}/{what}", body))[0] == 404
    assert (await ask(f"{theirs}/end", at_once))[0] == 422
    assert (await ask(f"/v1/operator/subscriptions/{new_id()}/pause", {"reason": "?"}))[0] == 404
    assert (await ask(f"{theirs}/pause", {"reason": "The mentor is ill."}))[0] == 202
    await study.world.rest()
    (paused,) = await study.world.told(facts.PlanPaused)
    assert (paused.by, (await study.show())["pausing"]) == ("operator", True)
    wrong = {"at": "now", "shown_minor": 1, "reason": "Never comes back."}
    assert (await ask(f"{theirs}/end", wrong))[1]["code"] == "unused_changed"
    assert (await ask(f"{theirs}/end", wrong | at_once))[0] == 202
    await study.world.rest()
    assert (await study.show())["state"] == "ended"
    await find_it(study, operator)
    _, log = await study.world.call("GET", "/v1/operator/log", operator, Role.OPERATOR)
    told = [(each["action"], each["reason"], each["who"]) for each in log["items"]]
    assert told == [
        ("end_plan", "Never comes back.", str(operator)),
        ("pause_plan", "The mentor is ill.", str(operator)),
    ]
    await study.check()


async def find_it(study: Study, operator: UUID) -> None:
    """Let an operator find a subscription that ended, by its month, its mentee, and in the list."""
    theirs = f"/v1/operator/subscriptions/{study.subscription_id}"
    _, seen = await study.world.call("GET", theirs, operator, Role.OPERATOR)
    assert (seen["subscription"]["state"], len(seen["invoices"])) == ("ended", 1)
    assert seen["stripe_subscription_id"].startswith("sub_")
    (month,) = seen["invoices"]
    for asked in (
        f"?order={month['order_id']}",
        f"?person={seen['subscription']['mentee_id']}",
        "",
    ):
        _, found = await study.world.call(
            "GET", f"/v1/operator/subscriptions{asked}", operator, Role.OPERATOR
        )
        assert [each["subscription_id"] for each in found["items"]] == [str(study.subscription_id)]
    stranger = f"/v1/operator/subscriptions?person={new_id()}"
    assert (await study.world.call("GET", stranger, operator, Role.OPERATOR))[1]["items"] == []


async def test_who_ends_at_once_gets_back_what_is_not_booked(study: Study) -> None:
    """Proration is by sessions: the unbooked ones of every month go back at what they cost."""
    await study.subscribe()
    await study.renew()
    await study.shop.book()
    path = f"/v1/subscriptions/{study.subscription_id}/end"
    preview = await study.shop.ask("GET", f"{path}-preview")
    assert (preview["unused"], preview["back_minor"]) == (7, 7 * UNIT)
    wrong = {"at": "now", "shown_minor": 8 * UNIT}
    refused = await study.shop.ask("POST", path, wrong, status=412)
    assert (refused["code"], refused["facts"]["amount_minor"]) == ("unused_changed", 7 * UNIT)
    shown = await study.do("end", {"at": "now", "shown_minor": 7 * UNIT})
    assert shown["state"] == "ended"
    refunds = [each["amount"] for each in await study.stripes("refund")]
    assert sorted(refunds) == [3 * UNIT, 4 * UNIT]
    assert [each for each in await study.shop.left() if each] == []
    await study.check()


async def test_a_plan_ends_at_once_also_while_a_bank_disputes_a_month(study: Study) -> None:
    """The disputed month is the bank's to decide: nothing of it is shown or goes back."""
    await study.subscribe()
    (charge,) = await study.stripes("charge")
    await study.world.sim("POST", "disputes", {"charge": charge["id"]})
    await study.world.rest()
    path = f"/v1/subscriptions/{study.subscription_id}/end-preview"
    assert (await study.shop.ask("GET", path))["back_minor"] == 0
    shown = await study.do("end", {"at": "now", "shown_minor": 0})
    assert (shown["state"], await study.stripes("refund")) == ("ended", [])
    await study.check()


async def test_another_plan_holds_from_the_next_month_on(study: Study) -> None:
    """Nothing is paid at once; the next month costs and brings what the other plan says."""
    await study.subscribe()
    other = await study.plan(2, 11_000)
    path = f"/v1/subscriptions/{study.subscription_id}/change-preview?plan_id={other}"
    preview = await study.shop.ask("GET", path)
    assert (preview["charged_now_minor"], preview["from_at"]) == (0, "2030-06-06T12:00:00Z")
    await study.refuse_mentor("change", {"plan_id": other})
    shown = await study.do("change", {"plan_id": other})
    assert (shown["plan"]["plan_id"], len(await study.stripes("charge"))) == (other, 1)
    await study.renew()
    (renewed,) = await study.world.told(facts.PlanRenewed)
    assert (renewed.sessions, renewed.amount_minor) == (2, 22_000)
    assert sorted(await study.shop.left()) == [2, SESSIONS]
    await study.check()


@pytest.mark.parametrize("late", [False, True])
async def test_another_plan_waits_while_a_renewal_is_near(study: Study, late: bool) -> None:
    """The month is paid and brought by the plan it was drafted for; the other plan comes next."""
    await study.subscribe()
    other = await study.plan(2, 11_000)
    end = datetime.fromisoformat((await study.show())["period_end"])
    await study.world.advance(end - HOUR - study.world.clock.now())
    path = f"/v1/subscriptions/{study.subscription_id}/change"
    await study.shop.ask("POST", path, {"plan_id": other}, status=202)
    if late:  # The call is written down in time and not sent in time.
        await study.turn("ask_of_subscriptions")
    study.world.clock.instant = end - timedelta(minutes=10)
    await study.world.rest()
    await study.world.advance(HOUR / 2)
    refused = await study.shop.ask("POST", path, {"plan_id": other}, status=409)
    assert refused["code"] == "renewal_under_way"
    await study.do("pause")
    assert (await study.do("resume"))["pausing"] is False
    await study.world.advance(3 * HOUR)
    shown = await study.show()
    (renewed,) = await study.world.told(facts.PlanRenewed)
    assert (renewed.sessions, renewed.amount_minor) == (SESSIONS, MONTH)
    (subscription,) = await study.stripes("subscription")
    assert subscription["items"]["data"][0]["price"]["unit_amount"] == 22_000
    assert (shown["plan"]["plan_id"], shown["confirmed"]) == (other, True)
    await study.check()


@pytest.mark.parametrize("what", ["pause", "end"])
async def test_an_older_look_overwrites_nothing(study: Study, what: str) -> None:
    """What a look showed before the plan was paused or ended does not bring that back."""
    await study.subscribe()
    one = f"/v1/subscriptions/{study.subscription_id}"
    await study.shop.ask("POST", f"{one}/look-up", status=202)
    world, clock = study.world, study.world.clock
    look = await in_transaction(world.pool, lambda conn: take_operation(conn, clock.now()))
    assert look is not None
    seen = await world.gateway.perform(look.request, look.key)
    clock.instant += timedelta(seconds=1)
    body = {"at": "now", "shown_minor": MONTH} if what == "end" else None
    await study.shop.ask("POST", f"{one}/{what}", body, status=202)
    async with asyncio.timeout(REST_SECONDS):
        while not (await study.show())["confirmed"]:
            await world.turn()
    await in_transaction(world.pool, lambda conn: record_outcome(conn, look, seen, clock.now()))
    shown = await study.show()
    assert (shown["state"], shown["pausing"]) == (
        ("ended", False) if what == "end" else ("active", True)
    )
    await world.rest()
    assert await world.told(facts.PlanResumed) == []
    await study.check()


async def test_the_last_wish_wins_whatever_is_on_its_way(study: Study) -> None:
    """A wish that is taken back before Stripe answered the first call does not come true."""
    await study.subscribe()
    await study.world.fault("POST", "/v1/subscriptions/*", "timeout_after", 2)
    one = f"/v1/subscriptions/{study.subscription_id}"
    await study.shop.ask("POST", f"{one}/pause", status=202)
    await study.world.turn()
    await study.shop.ask("POST", f"{one}/resume", status=202)
    await study.world.rest()
    (subscription,) = await study.stripes("subscription")
    assert subscription["pause_collection"] is None
    assert (await study.show())["pausing"] is False


async def test_all_orders_of_the_events_of_a_renewal_end_alike(study: Study) -> None:
    """Events are hints: backwards, doubled or shuffled, a renewal is posted and told once."""
    await study.subscribe()
    for order in Random(6).sample([*permutations(range(5))], ORDERS_TRIED):
        await study.world.sim("POST", "webhooks", {"mode": "drop"})
        old = {each["id"] for each in await study.stripes("event")}
        await study.renew()
        await study.world.sim("POST", "webhooks", {"mode": "normal"})
        told = [each for each in await study.stripes("event") if each["id"] not in old]
        new = [each["id"] for each in told if each["type"].startswith(("invoice", "customer"))]
        for place in order:
            body = {"event": new[place % len(new)], "copies": 2}
            await study.world.sim("POST", "webhooks/resend", body)
        await study.world.rest()
    assert len(await study.world.told(facts.PlanRenewed)) == ORDERS_TRIED
    await study.check()


async def test_a_page_that_nobody_pays_closes(study: Study) -> None:
    """An open page is found again by who asks once more; after an hour it is over."""
    plan_id = await study.plan()
    first = await study.begin(plan_id)
    assert (first["url"] is None, (await study.show(study.shop.mentor_id))["url"]) == (False, None)
    assert (await study.begin(plan_id))["subscription_id"] == first["subscription_id"]
    await study.world.advance(2 * HOUR)
    assert (await study.show())["state"] == "closed"
    assert (await study.begin(plan_id))["subscription_id"] != first["subscription_id"]
    assert await study.world.told(facts.PlanStarted) == []


async def test_what_is_no_plan_is_refused(study: Study) -> None:
    """Dearer than alone, one's own, a second one, another mentor's, withdrawn, not begun."""
    mentor, ask = study.shop.mentor_id, study.shop.ask
    body = {"offering_id": str(study.shop.offering_id), "sessions": 2, "unit_price_minor": 12_001}
    dear = await ask("POST", "/v1/me/plans", body, who=mentor, status=422)
    assert dear["code"] == "package_price_outside"
    plan_id = await study.plan()
    path = f"/v1/plans/{plan_id}/subscriptions"
    own = await ask("POST", path, who=mentor, status=409)
    assert own["code"] == "own_sessions"
    await study.begin(plan_id)
    early = f"/v1/subscriptions/{study.subscription_id}/pause"
    assert (await ask("POST", early, status=409))["code"] == "subscription_not_live"
    await study.pay()
    await study.world.rest()
    second = await ask("POST", path, status=409)
    assert second["code"] == "already_subscribed"
    elsewhere = {"plan_id": str(study.shop.offering_id)}
    change = f"/v1/subscriptions/{study.subscription_id}/change"
    assert (await ask("POST", change, elsewhere, status=409))["code"] == "plan_elsewhere"
    await ask("POST", f"/v1/me/plans/{plan_id}/withdraw", who=mentor, status=204)
    gone = await ask("POST", path, who=UUID(int=5), status=409)
    assert gone["code"] == "not_for_sale"
    assert study.world.clock.now() == NOON
