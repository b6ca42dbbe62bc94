"""What a mentee does with goals."""

from __future__ import annotations

from dataclasses import replace

from services.booking.domain.goals import Goal, GoalContent, GoalId
from services.booking.store import goals
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId, new_id
from shared.web.api import VersionOutdated


async def set_goal(
    conn: Connection, mentee_id: PersonId, mentor_id: PersonId | None, content: GoalContent
) -> Goal:
    """Keep a new goal."""
    goal = Goal(GoalId(new_id()), mentee_id, mentor_id, 1, content)
    await goals.insert_goal(conn, goal)
    return goal


async def change_goal(
    conn: Connection, goal_id: GoalId, mentee_id: PersonId, content: GoalContent, *, version: int
) -> Goal:
    """Change one's goal from the version seen; raises `NotFound` or `VersionOutdated`."""
    goal = await goals.lock_goal(conn, goal_id, mentee_id)
    if goal is None:
        raise NotFound
    if goal.version != version:
        raise VersionOutdated
    changed = replace(goal, version=version + 1, content=content)
    await goals.update_goal(conn, changed)
    return changed
