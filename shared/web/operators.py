"""What every service offers its operators: a purchase's story, what is stuck, dead letters, log.

Each service adds these routes to its own (`add_operator_routes`); their rules are in `shared.saga`,
`shared.dead_letters` and `shared.deeds`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared import dead_letters, deeds, saga
from shared.auth import Role
from shared.db import Connection
from shared.deeds import Action, Deed
from shared.errors import NotFound
from shared.saga import Step, Wait
from shared.web.api import Api, Call
from shared.web.shapes import Body, CursorInvalid, Page, PageQuery, Query, Text, View

ACCEPTED = 202
LATE_LONGEST_SECONDS = 366 * 24 * 3600
ID_DIGITS = 18
"""Digits that fit into a bigint whatever they are."""

Reason = Annotated[Text, Field(max_length=500)]


class Reasoned(Body):
    """Why an operator does it; it is logged."""

    reason: Reason


class DeedDone(View):
    """What a deed came to."""

    action: str
    subject: str
    details: dict[str, Any]


class SagaView(View):
    """One purchase as this service knows it; empty when it knows nothing of it."""

    steps: list[Step]
    waits: list[Wait]


class StuckQuery(Query):
    """How late something must be to count."""

    late_seconds: Annotated[int, Field(ge=0, le=LATE_LONGEST_SECONDS)] = int(
        saga.STUCK_AFTER.total_seconds()
    )


class StuckView(View):
    """What waits for an operator, and what is late."""

    items: list[Wait]


class DeadLetterView(View):
    """An event this service could not handle; `behind` later ones of its key wait for it."""

    event_id: UUID
    topic: str
    key: str
    type: str | None
    error: str | None
    attempts: int
    kept_at: AwareDatetime
    behind: int


class DeadLettersView(View):
    """The parked events, oldest first."""

    items: list[DeadLetterView]


class LoggedDeed(View):
    """One deed of an operator; `who` is a person's id or `ops:<name>`."""

    id: int
    who: str
    action: str
    subject: str
    order_id: UUID | None
    reason: str
    outcome: str
    details: dict[str, Any]
    acted_at: AwareDatetime


def add_operator_routes(api: Api) -> None:
    """Declare the routes that every service has for operators."""
    operator = Role.OPERATOR
    api.get("/v1/operator/orders/{order_id}/steps", may=operator)(show_steps)
    api.get("/v1/operator/stuck", may=operator)(list_stuck)
    api.get("/v1/operator/dead-letters", may=operator)(list_dead_letters)
    api.post(
        "/v1/operator/dead-letters/{event_id}/replay",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(NotFound,),
    )(replay_dead_letter)
    api.get("/v1/operator/log", may=operator)(show_log)


async def do(call: Call, conn: Connection, action: Action, deed: Deed) -> DeedDone:
    """Carry a signed-in operator's deed out."""
    details = await deeds.carry_out(conn, action, deed, call.now)
    return DeedDone(action=deed.action, subject=deed.subject, details=dict(details))


async def show_steps(call: Call, order_id: UUID, conn: Connection) -> SagaView:
    """Show what happened to a purchase here, and what it waits for."""
    del call
    return SagaView(
        steps=await saga.steps_of(conn, order_id), waits=await saga.waits_of(conn, order_id)
    )


async def list_stuck(call: Call, query: StuckQuery, conn: Connection) -> StuckView:
    """List the purchases that wait for an operator or for something that is late."""
    late_by = timedelta(seconds=query.late_seconds)
    return StuckView(items=await saga.stuck(conn, call.now, late_by))


async def list_dead_letters(call: Call, conn: Connection) -> DeadLettersView:
    """List the events this service could not handle, without what they say."""
    del call
    found = await dead_letters.dead_letters(conn)
    items = [DeadLetterView.model_validate(letter, from_attributes=True) for letter in found]
    return DeadLettersView(items=items)


async def replay_dead_letter(
    call: Call, event_id: UUID, body: Reasoned, conn: Connection
) -> DeedDone:
    """Hand a parked event back to the worker, its tries forgotten."""
    deed = Deed(str(call.person_id), "replay", str(event_id), body.reason)
    return await do(call, conn, dead_letters.replay, deed)


async def show_log(call: Call, query: PageQuery, conn: Connection) -> Page[LoggedDeed]:
    """List the deeds of operators here, newest first."""
    del call
    found = await deeds.logged(conn, _before(query), query.limit + 1)
    items = [LoggedDeed.model_validate(vars(deed)) for deed in found[: query.limit]]
    more = len(found) > query.limit
    return Page(items=items, next_cursor=Page.cursor(items[-1].id) if more else None)


def _before(query: PageQuery) -> int | None:
    match query.after():
        case []:
            return None
        case [text] if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS:
            return int(text)
        case _:
            raise CursorInvalid
