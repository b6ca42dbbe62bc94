"""One purchase across the services: what happened at each, and what each waits for.

Every schema answers in two views of its own, `saga_steps` and `saga_waits`
(docs/decisions); the kit adds facts told, deeds of operators, and what lies in outbox
and inbox. The operators' routes read them as the service, the command line as ops_reader with the
schema as its search path: the same statements.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.clock import BusinessInstant, system_now
from shared.contracts.topics import FACTS
from shared.db import Connection

STEPS = """
SELECT at, kind, what, state, details FROM saga_steps
WHERE order_id = $1 ORDER BY at, details ->> 'event_id' LIMIT $2
"""
WAITS = """
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits
WHERE order_id = $1 LIMIT $2
"""
KIT_WAITS = """
SELECT key::uuid AS order_id, waits_for, since, due_at, 'system' AS clock, needs_operator, details
FROM kit_saga_waits
WHERE key = $1::uuid::text AND topic = ANY($3::text[]) LIMIT $2
"""
STUCK = """
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits
WHERE needs_operator OR due_at < CASE clock WHEN 'business' THEN $1::timestamptz ELSE $2 END
ORDER BY due_at LIMIT $3
"""
KIT_STUCK = """
SELECT key::uuid AS order_id, waits_for, since, due_at, 'system' AS clock, needs_operator, details
FROM kit_saga_waits
WHERE topic = ANY($3::text[]) AND pg_input_is_valid(key, 'uuid')
  AND (needs_operator OR due_at < $1)
ORDER BY due_at LIMIT $2
"""

STEPS_AT_MOST = 1_000
WAITS_AT_MOST = 200
STUCK_AT_MOST = 200
STUCK_AFTER = timedelta(seconds=60)
"""How long after its instant something may be late before anybody is told."""
ORDER_TOPICS = sorted({fact.topic for fact in FACTS if fact.key_field == "order_id"})
"""The topics whose key is a purchase."""


class Step(BaseModel):
    """Something that happened to a purchase; `at` is business time."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    kind: str
    what: str
    state: str
    details: dict[str, Any]


class Wait(BaseModel):
    """Something a purchase waits for, since `since`; it should have come by `due_at`.

    Both are of the clock that `clock` names. Only an operator ends what `needs_operator`.
    """

    model_config = ConfigDict(frozen=True)

    order_id: UUID
    waits_for: str
    since: AwareDatetime | None
    due_at: AwareDatetime | None
    clock: Literal["business", "system"]
    needs_operator: bool
    details: dict[str, Any]


async def steps_of(conn: Connection, order_id: UUID) -> list[Step]:
    """Return what happened to a purchase in this schema, in order of time."""
    rows = await conn.fetch(STEPS, order_id, STEPS_AT_MOST)
    return [Step(**dict(row)) for row in rows]


async def waits_of(conn: Connection, order_id: UUID) -> list[Wait]:
    """Return what a purchase waits for in this schema."""
    own = await conn.fetch(WAITS, order_id, WAITS_AT_MOST)
    kit = await conn.fetch(KIT_WAITS, order_id, WAITS_AT_MOST, ORDER_TOPICS)
    return [Wait(**dict(row)) for row in (*own, *kit)]


async def stuck(
    conn: Connection, now: BusinessInstant, late_by: timedelta = STUCK_AFTER
) -> list[Wait]:
    """Return what an operator must end, and what is later than `late_by`, in this schema."""
    late = system_now() - late_by
    own = await conn.fetch(STUCK, now - late_by, late, STUCK_AT_MOST)
    kit = await conn.fetch(KIT_STUCK, late, STUCK_AT_MOST, ORDER_TOPICS)
    return [Wait(**dict(row)) for row in (*own, *kit)]
