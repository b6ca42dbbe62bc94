"""Subscriptions are changed by the mentee, who pays, and stopped by either side or an operator."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.payments.api import subscriptions
from services.payments.api.subscriptions import SubscriptionView
from services.payments.commands import steering
from services.payments.commands import subscriptions as commands
from services.payments.domain import subscriptions as rules
from services.payments.domain.subscriptions import Side, Subscription, Wish
from services.payments.domain.worth import DearerThanAlone
from shared.auth import Role
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.money import MAX_MINOR_OF_ALL
from shared.web import Api, Body, Call, WholeNumber
from shared.web.operators import DeedDone, Reason, Reasoned, do

ACCEPTED = 202


class EndBody(Body):
    """When to end it; at once on the amount that was shown to go back."""

    at: Literal["period_end", "now"]
    shown_minor: Annotated[WholeNumber, Field(ge=0, le=MAX_MINOR_OF_ALL)] = 0


class OperatorsEndBody(EndBody):
    """The same, saying why."""

    reason: Reason


class ChangeBody(Body):
    """Which plan it shall be from the next month on."""

    plan_id: UUID


def add_routes(api: Api) -> None:
    """Declare the routes that change subscriptions."""
    live = (rules.SubscriptionNotLive,)
    ending = (*live, rules.UnusedChanged)
    paying = (*live, rules.OnlyThePayer)
    changing = (*paying, rules.PlanElsewhere, rules.RenewalUnderWay, DearerThanAlone)
    one = "/v1/subscriptions/{subscription_id}"
    for path, act, refusals in (
        ("pause", pause_plan, live),
        ("resume", resume_plan, paying),
        ("end", end_it, ending),
        ("change", change, changing),
    ):
        api.post(f"{one}/{path}", idempotent=True, status=ACCEPTED, refusals=refusals)(act)
    theirs = "/v1/operator/subscriptions/{subscription_id}"
    for path, act, refusals in (
        ("pause", pause_for_operator, (NotFound, *live)),
        ("end", end_for_operator, (NotFound, *ending)),
    ):
        declare = api.post(
            f"{theirs}/{path}",
            may=Role.OPERATOR,
            idempotent=True,
            status=ACCEPTED,
            refusals=refusals,
        )
        declare(act)


async def pause_plan(call: Call, subscription_id: UUID, conn: Connection) -> SubscriptionView:
    """Have no further month paid until it is resumed; this one goes on."""
    return await _wish(call, conn, subscription_id, paused=True)


async def resume_plan(call: Call, subscription_id: UUID, conn: Connection) -> SubscriptionView:
    """Have the next month paid again, and not end either; only the mentee, who pays, can."""
    return await _wish(call, conn, subscription_id, paused=False, ending=False)


async def end_it(
    call: Call, subscription_id: UUID, body: EndBody, conn: Connection
) -> SubscriptionView:
    """End a plan with its month; or at once, then unbooked sessions are paid back."""
    if body.at == "period_end":
        return await _wish(call, conn, subscription_id, ending=True)
    _, side = await _own(call, conn, subscription_id)
    ended = await commands.end_now(conn, subscription_id, body.shown_minor, side, call.now)
    return await subscriptions.view_of(conn, ended, side)


async def change(
    call: Call, subscription_id: UUID, body: ChangeBody, conn: Connection
) -> SubscriptionView:
    """Have another plan of the mentor's from the next month on; only the mentee, who pays, can."""
    _, side = await _own(call, conn, subscription_id)
    changed = await commands.change_plan(conn, subscription_id, body.plan_id, side, call.now)
    return await subscriptions.view_of(conn, changed, side)


async def _wish(
    call: Call,
    conn: Connection,
    subscription_id: UUID,
    *,
    paused: bool | None = None,
    ending: bool | None = None,
) -> SubscriptionView:
    _, side = await _own(call, conn, subscription_id)
    wanted = Wish(paused=paused, ending=ending, by=side)
    return await subscriptions.view_of(
        conn, await commands.wish(conn, subscription_id, wanted, call.now), side
    )


async def pause_for_operator(
    call: Call, subscription_id: UUID, body: Reasoned, conn: Connection
) -> DeedDone:
    """Have no further month of somebody's plan paid until the mentee takes it up again."""
    deed = Deed(str(call.person_id), "pause_plan", str(subscription_id), body.reason)
    return await do(call, conn, steering.pause_as_asked, deed)


async def end_for_operator(
    call: Call, subscription_id: UUID, body: OperatorsEndBody, conn: Connection
) -> DeedDone:
    """End somebody's plan with its month; or at once, then unbooked sessions are paid back."""
    deed = Deed(
        str(call.person_id),
        "end_plan",
        str(subscription_id),
        body.reason,
        arguments={"at": body.at, "shown_minor": body.shown_minor},
    )
    return await do(call, conn, steering.end_as_asked, deed)


async def _own(call: Call, conn: Connection, subscription_id: UUID) -> tuple[Subscription, Side]:
    """Return one's own subscription; operators change nobody's without a reason."""
    subscription, side = await subscriptions.seen_by(call, conn, subscription_id)
    if side == "operator":
        raise NotFound
    return subscription, side
