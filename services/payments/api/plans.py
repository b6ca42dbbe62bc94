"""Plans: what mentors offer every month."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.api.ahead import AheadView, shown_ahead
from services.payments.commands import subscriptions as commands
from services.payments.commands.offered import need_offered
from services.payments.domain import credits as credit_rules
from services.payments.domain import subscriptions as rules
from services.payments.domain.offered import NotForSale, Offered
from services.payments.domain.subscriptions import MentoringPlan
from services.payments.store import offered as offered_store
from services.payments.store import subscriptions as store
from shared.auth import Role
from shared.db import Connection
from shared.errors import NotFound
from shared.money import MAX_MINOR_OF_ALL
from shared.web import ANYONE, Api, Body, Call, View, WholeNumber


class PlanBody(Body):
    """What a mentor offers every month: so many sessions, and what one of them costs."""

    offering_id: UUID
    sessions: Annotated[WholeNumber, Field(ge=1, le=rules.SESSIONS_MOST)]
    unit_price_minor: Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)]


class PlanView(AheadView):
    """A plan; `price_minor` is what a month costs. It goes on for who has it, dearer or not."""

    plan_id: UUID
    offered: bool


class PlansView(View):
    """All plans of a mentor."""

    items: list[PlanView]


def add_routes(api: Api) -> None:
    """Declare the routes of plans."""
    mentor = Role.MENTOR
    price = (rules.PlanPriceOutside, credit_rules.PackageTooDear, NotForSale, NotFound)
    api.get("/v1/mentors/{mentor_id}/plans", may=ANYONE)(list_plans)
    api.get("/v1/plans/{plan_id}", may=ANYONE)(show_plan)
    api.get("/v1/me/plans", may=mentor)(list_own_plans)
    api.post("/v1/me/plans", may=mentor, idempotent=True, refusals=price)(offer)
    end = "/v1/me/plans/{plan_id}/withdraw"
    api.post(end, may=mentor, idempotent=True, status=204)(withdraw)


async def list_plans(call: Call, mentor_id: UUID, conn: Connection) -> PlansView:
    """List the plans a mentor offers of what is for sale."""
    del call
    offered = await offered_store.offered_by(conn, mentor_id)
    found = [
        _plan(each, offered[each.offering_id])
        for each in await store.plans_of(conn, mentor_id)
        if offered[each.offering_id].bookable
    ]
    return PlansView(items=[each for each in found if not each.dearer_than_alone])


async def show_plan(call: Call, plan_id: UUID, conn: Connection) -> PlanView:
    """Show a plan, also one that is offered no more: somebody may have it."""
    del call
    return await plan_view(conn, plan_id)


async def list_own_plans(call: Call, conn: Connection) -> PlansView:
    """List the plans one offers."""
    offered = await offered_store.offered_by(conn, call.person_id)
    found = await store.plans_of(conn, call.person_id)
    return PlansView(items=[_plan(each, offered[each.offering_id]) for each in found])


async def offer(call: Call, body: PlanBody, conn: Connection) -> PlanView:
    """Offer a plan for one of one's offerings."""
    made = await commands.offer_plan(
        conn,
        call.person_id,
        body.offering_id,
        sessions=body.sessions,
        unit_minor=body.unit_price_minor,
    )
    return await plan_view(conn, made.plan_id)


async def withdraw(call: Call, plan_id: UUID, conn: Connection) -> None:
    """Offer a plan no more; who has it keeps it."""
    await commands.withdraw_plan(conn, call.person_id, plan_id)


async def plan_view(conn: Connection, plan_id: UUID) -> PlanView:
    """Return what is shown of a plan; raises `NotFound`."""
    plan = await commands.need_plan(conn, plan_id)
    return _plan(plan, await need_offered(conn, plan.offering_id))


def _plan(plan: MentoringPlan, offered: Offered) -> PlanView:
    return PlanView(**shown_ahead(plan, offered), plan_id=plan.plan_id, offered=plan.offered)
