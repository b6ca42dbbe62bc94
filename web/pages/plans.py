"""Plans: what mentors offer every month, and subscriptions to it from beginning to end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from shared.money import MAX_MINOR_OF_ALL
from web.client import Away, Refused, Service
from web.pages.packages import chosen_offering, sold
from web.pages.people import names_of
from web.plan_shapes import EndPreview, Months, Plan, Plans, Subscription
from web.routes import ID, Row, do, see
from web.shapes import Mentor, Page
from web.visit import Visit

NO_CONTENT = 204
SUBSCRIPTIONS_SHOWN = 50
SESSIONS_MOST = 20
DONE = {
    "pause": "The plan pauses with its month. Nothing is paid until it is resumed.",
    "resume": "The plan goes on.",
}


async def plan(visit: Visit) -> web.Response:
    """Show what a plan costs and how it works, before somebody subscribes."""
    found = await visit.read(Service.PAYMENTS, f"/v1/plans/{visit.part('plan_id')}", Plan)
    mentor = await visit.try_read(Service.PROFILES, f"/v1/mentors/{found.mentor_id}", Mentor)
    return visit.page("plan.html", plan=found, mentor=mentor)


async def subscribe(visit: Visit) -> web.Response:
    """Begin to subscribe."""
    path = f"/v1/plans/{visit.part('plan_id')}/subscriptions"
    answer = await visit.send(Service.PAYMENTS, "POST", path)
    begun = Subscription.model_validate_json(answer.content)
    return visit.go(f"/subscriptions/{begun.subscription_id}")


async def subscriptions(visit: Visit) -> web.Response:
    """Show one's plans, those that one subscribed to and those that others did."""
    found = await visit.read(
        Service.PAYMENTS,
        "/v1/me/subscriptions",
        Page[Subscription],
        limit=SUBSCRIPTIONS_SHOWN,
    )
    names = await names_of(visit, [_other(visit, each) for each in found.items])
    return visit.page(
        "plans.html",
        mine=[each for each in found.items if each.mentee_id == visit.person.person_id],
        others=[each for each in found.items if each.mentor_id == visit.person.person_id],
        names=names,
    )


async def subscription(visit: Visit) -> web.Response:
    """Show a subscription: where it is paid, what comes next, and what can be done."""
    found = await _read(visit)
    if visit.person.person_id not in (found.mentee_id, found.mentor_id):
        return visit.go(f"/operator/subscriptions/{found.subscription_id}")
    if found.waiting:
        names = await names_of(visit, [found.mentor_id])
        return visit.page(
            "subscription.html", subscription=found, names=names, months=[], as_mentor=False
        )
    path = f"/v1/subscriptions/{found.subscription_id}"
    months, preview, offered, names = await asyncio.gather(
        visit.read(Service.PAYMENTS, f"{path}/months", Months),
        visit.read(Service.PAYMENTS, f"{path}/end-preview", EndPreview),
        visit.try_read(Service.PAYMENTS, f"/v1/mentors/{found.mentor_id}/plans", Plans),
        names_of(visit, [_other(visit, found)]),
    )
    return visit.page(
        "subscription.html",
        subscription=found,
        months=months.items,
        preview=preview,
        choices=_choices(found, offered.items if offered else []),
        other=names[_other(visit, found)],
        names=names,
        as_mentor=found.mentor_id == visit.person.person_id,
        pays=found.mentee_id == visit.person.person_id,
    )


def _choices(found: Subscription, offered: list[Plan]) -> list[Plan]:
    """Return the plans that can follow on the one of the next month."""
    now = found.next_plan
    return [
        each for each in offered if each.plan_id != now.plan_id and each.currency == now.currency
    ]


async def come_back(visit: Visit) -> web.Response:
    """Show how the payment went; asks `payments` to look at Stripe now."""
    path = f"/v1/subscriptions/{visit.part('subscription_id')}/look-up"
    # If this does not work, the webhook or the next look brings the news as well.
    with suppress(Away, Refused):
        await visit.send(Service.PAYMENTS, "POST", path)
    return await subscription(visit)


async def status(visit: Visit) -> web.Response:
    """Answer the page that looks again by itself: where to go on, or nothing."""
    found = await _read(visit)
    if found.seen == visit.query("seen"):
        return web.Response(status=NO_CONTENT)
    here = f"/subscriptions/{found.subscription_id}"
    return web.Response(headers={"HX-Redirect": here})


async def act(visit: Visit) -> web.Response:
    """Pause or resume."""
    what = visit.part("what")
    await _send(visit, what, None)
    return _back(visit, DONE[what])


async def end(visit: Visit) -> web.Response:
    """End a plan with its month, or at once on the amount that was shown."""
    form = visit.form
    if form.text("at") != "now":
        await _send(visit, "end", {"at": "period_end"})
        return _back(
            visit, "The plan ends with its month. Until then who pays for it can take it up again."
        )
    shown = form.whole("shown_minor", least=0, most=MAX_MINOR_OF_ALL)
    await _send(visit, "end", {"at": "now", "shown_minor": shown})
    return _back(visit, "The plan ends. What was not booked is paid back.")


async def change(visit: Visit) -> web.Response:
    """Have another plan from the next month on."""
    plan_id = visit.form.needed("plan_id", "Choose a plan.")
    await _send(visit, "change", {"plan_id": plan_id})
    return _back(visit, "The other plan begins with the next month.")


async def own_plans(visit: Visit) -> web.Response:
    """Show the plans one offers, with a form for another."""
    found, offerings = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/plans", Plans), sold(visit)
    )
    return visit.page("mentor_plans.html", plans=found.items, offerings=offerings)


async def offer(visit: Visit) -> web.Response:
    """Offer a plan."""
    form, chosen = visit.form, await chosen_offering(visit)
    body = {
        "offering_id": chosen.offering_id,
        "sessions": form.whole("sessions", least=1, most=SESSIONS_MOST),
        "unit_price_minor": form.minor("unit_price", chosen.currency),
    }
    await visit.send(Service.PAYMENTS, "POST", "/v1/me/plans", body)
    return visit.go("/mentor/plans", "The plan is on your page.")


async def withdraw(visit: Visit) -> web.Response:
    """Offer a plan no more."""
    path = f"/v1/me/plans/{visit.part('plan_id')}/withdraw"
    await visit.send(Service.PAYMENTS, "POST", path)
    return visit.go("/mentor/plans", "The plan is withdrawn. Who has it keeps it.")


async def _read(visit: Visit) -> Subscription:
    path = f"/v1/subscriptions/{visit.part('subscription_id')}"
    return await visit.read(Service.PAYMENTS, path, Subscription)


async def _send(visit: Visit, what: str, body: dict[str, object] | None) -> None:
    path = f"/v1/subscriptions/{visit.part('subscription_id')}/{what}"
    await visit.send(Service.PAYMENTS, "POST", path, body)


def _back(visit: Visit, notice: str) -> web.Response:
    return visit.go(f"/subscriptions/{visit.part('subscription_id')}", notice)


def _other(visit: Visit, found: Subscription) -> str:
    """Return the other side; whoever is neither sees the mentor."""
    is_mentor = found.mentor_id == visit.person.person_id
    return found.mentee_id if is_mentor else found.mentor_id


_ONE = f"/subscriptions/{{subscription_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see(f"/plans/{{plan_id:{ID}}}", plan),
    do(f"/plans/{{plan_id:{ID}}}", subscribe, plan),
    see("/plans", subscriptions),
    see(_ONE, subscription),
    see(f"{_ONE}/return", come_back),
    see(f"{_ONE}/status", status),
    do(f"{_ONE}/end", end, subscription),
    do(f"{_ONE}/change", change, subscription),
    do(f"{_ONE}/{{what:pause|resume}}", act, subscription),
    see("/mentor/plans", own_plans),
    do("/mentor/plans", offer, own_plans),
    do(f"/mentor/plans/{{plan_id:{ID}}}/withdraw", withdraw, own_plans),
)
