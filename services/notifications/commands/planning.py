"""Messages are owed: each once per cause, kind, person and channel."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.notifications.domain.messages import Details, Plan, cause_of
from services.notifications.store import messages
from shared.contracts.envelope import Fact
from shared.contracts.profiles import MessageSealed
from shared.db import Connection, ring

BELL = "notifications_messages"


async def plan(conn: Connection, *plans: Plan) -> None:
    """Owe messages to people, each once per cause, kind, person and channel."""
    await messages.add_plans(conn, plans)
    await ring(conn, BELL)


async def plan_one_time_message(conn: Connection, fact: MessageSealed, *, at: datetime) -> None:
    """Owe a message whose link stays sealed until it is sent."""
    # The message has an id of its own, which is the better name of its cause than a version.
    cause = f"{fact.topic}/{fact.message_id}"
    await plan(conn, Plan(fact.person_id, fact.kind, cause, at, sealed=fact.sealed))


async def tell_of_payout(
    conn: Connection, fact: Fact, *, kind: str, to: UUID, details: Details, at: datetime
) -> None:
    """Tell a mentor what happened to a payout, or that a statement is there."""
    await plan(conn, Plan(to, kind, cause_of(fact), at, details=details))
