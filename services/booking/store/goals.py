"""Goals of mentees."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from services.booking.domain.goals import Goal, GoalContent, GoalId, GoalState
from shared.db import Connection
from shared.ids import PersonId

INSERT_GOAL = """
INSERT INTO goals (goal_id, mentee_id, mentor_id, version, title, measure, target_on, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
UPDATE_GOAL = """
UPDATE goals SET version = $2, title = $3, measure = $4, target_on = $5, state = $6
WHERE goal_id = $1
"""
LOCK_GOAL = """
SELECT goal_id, mentee_id, mentor_id, version, title, measure, target_on, state
FROM goals
WHERE goal_id = $1 AND mentee_id = $2
FOR UPDATE
"""
LIST_GOALS = """
SELECT goal_id, mentee_id, mentor_id, version, title, measure, target_on, state
FROM goals
WHERE mentee_id = $1 AND ($2::uuid IS NULL OR goal_id > $2)
ORDER BY goal_id
LIMIT $3
"""


async def insert_goal(conn: Connection, goal: Goal) -> None:
    """Keep a new goal."""
    content = goal.content
    await conn.execute(
        INSERT_GOAL,
        goal.goal_id,
        goal.mentee_id,
        goal.mentor_id,
        goal.version,
        content.title,
        content.measure,
        content.target_on,
        content.state.value,
    )


async def update_goal(conn: Connection, goal: Goal) -> None:
    """Keep a goal that was locked and changed."""
    content = goal.content
    await conn.execute(
        UPDATE_GOAL,
        goal.goal_id,
        goal.version,
        content.title,
        content.measure,
        content.target_on,
        content.state.value,
    )


async def lock_goal(conn: Connection, goal_id: GoalId, mentee_id: PersonId) -> Goal | None:
    """Return a mentee's goal that nobody else changes until this transaction ends."""
    row = await conn.fetchrow(LOCK_GOAL, goal_id, mentee_id)
    return _goal(row) if row else None


async def list_goals(
    conn: Connection, mentee_id: PersonId, after: UUID | None, limit: int
) -> list[Goal]:
    """Return a mentee's goals, oldest first."""
    return [_goal(row) for row in await conn.fetch(LIST_GOALS, mentee_id, after, limit)]


def _goal(row: asyncpg.Record) -> Goal:
    return Goal(
        goal_id=GoalId(row["goal_id"]),
        mentee_id=PersonId(row["mentee_id"]),
        mentor_id=PersonId(row["mentor_id"]) if row["mentor_id"] else None,
        version=row["version"],
        content=GoalContent(
            title=row["title"],
            measure=row["measure"],
            target_on=row["target_on"],
            state=GoalState(row["state"]),
        ),
    )
