"""A mentee's goals, with a measure and a date to reach them by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import NewType
from uuid import UUID

from shared.ids import PersonId

GoalId = NewType("GoalId", UUID)


class GoalState(Enum):
    """Where a goal stands."""

    OPEN = "open"
    REACHED = "reached"
    DROPPED = "dropped"


@dataclass(frozen=True)
class GoalContent:
    """What a mentee writes about a goal; `target_on` is a calendar day wherever they are."""

    title: str
    measure: str | None
    target_on: date | None
    state: GoalState


@dataclass(frozen=True)
class Goal:
    """A goal of a mentee, perhaps shared with one mentor."""

    goal_id: GoalId
    mentee_id: PersonId
    mentor_id: PersonId | None
    version: int
    content: GoalContent
