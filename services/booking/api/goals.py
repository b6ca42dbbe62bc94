"""Routes for a mentee's goals."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.booking.api.surface import after_id, api, cursor_after
from services.booking.commands.goals import change_goal, set_goal
from services.booking.domain.goals import Goal, GoalContent, GoalId, GoalState
from services.booking.store import goals as store
from shared.db import Connection, connection
from shared.ids import PersonId
from shared.web import Body, Call, Page, PageQuery, Text, Versioned, View

Title = Annotated[Text, Field(max_length=200)]
Measure = Annotated[Text, Field(max_length=500)]


class NewGoalBody(Body):
    """What a mentee wants to reach, how one would know, and by when."""

    title: Title
    measure: Measure | None = None
    target_on: date | None = None
    mentor_id: UUID | None = None


class GoalBody(Body):
    """A goal as it should be now."""

    title: Title
    measure: Measure | None
    target_on: date | None
    state: GoalState


class GoalView(View):
    """A goal; `version` is its ETag."""

    goal_id: GoalId
    mentor_id: PersonId | None
    title: str
    measure: str | None
    target_on: date | None
    state: GoalState
    version: int


@api.get("/v1/goals")
async def list_my_goals(call: Call, query: PageQuery) -> Page[GoalView]:
    """List one's goals, oldest first."""
    async with connection(call.pool) as conn:
        found = await store.list_goals(conn, call.person_id, after_id(query), query.limit)
    last = found[-1].goal_id if found else None
    return Page(
        items=[_view(goal) for goal in found],
        next_cursor=cursor_after(found, last, query.limit),
    )


@api.post("/v1/goals", idempotent=True)
async def add_goal(
    call: Call, conn: Connection, body: NewGoalBody
) -> Annotated[Versioned, GoalView]:
    """Set a goal."""
    content = GoalContent(body.title, body.measure, body.target_on, GoalState.OPEN)
    mentor_id = PersonId(body.mentor_id) if body.mentor_id else None
    return _reply(await set_goal(conn, call.person_id, mentor_id, content))


@api.put("/v1/goals/{goal_id}", versioned=True)
async def replace_goal(
    call: Call, conn: Connection, goal_id: GoalId, body: GoalBody
) -> Annotated[Versioned, GoalView]:
    """Change a goal, or say that it is reached or dropped."""
    content = GoalContent(body.title, body.measure, body.target_on, body.state)
    version = call.expected_version()
    return _reply(await change_goal(conn, goal_id, call.person_id, content, version=version))


def _reply(goal: Goal) -> Versioned:
    return Versioned(view=_view(goal), version=goal.version)


def _view(goal: Goal) -> GoalView:
    content = goal.content
    return GoalView(
        goal_id=goal.goal_id,
        mentor_id=goal.mentor_id,
        title=content.title,
        measure=content.measure,
        target_on=content.target_on,
        state=content.state,
        version=goal.version,
    )
