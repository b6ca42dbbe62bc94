"""One purchase across all schemas, what is stuck, and deeds asked of a service's worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from ops.config import CannotOperate
from ops.database import look_into, reading, service_database
from ops.rest import ALL_SERVICES
from shared.clock import BusinessInstant
from shared.contracts.topics import Service
from shared.db import Connection
from shared.deeds import Deed, Logged, answer_to, file_request, logged, withdraw_request
from shared.ids import new_id
from shared.saga import Step, Wait, steps_of, stuck, waits_of

ANSWER_SECONDS = 30.0
"""How long a service's worker has for a deed before the command takes its request back."""
ANSWER_POLL_SECONDS = 0.2
WITHDRAWN = "the worker does not answer: the request is withdrawn, nothing was done"
BEING_DONE = "the worker is doing it: see `ops audit list` for what comes of it"
LOG_LINES = 100
DEBTS = """
SELECT d.mentor_id::text AS mentor, d.currency, d.owed_minor, d.beyond_floor AS much,
       d.since::text AS since, (
           SELECT r.refusal FROM payments.reversals AS r
           WHERE r.mentor_id = d.mentor_id AND r.currency = d.currency AND r.state = 'refused'
           ORDER BY r.planned_at DESC LIMIT 1
       ) AS refusal
FROM payments.debts AS d WHERE d.owed_minor > 0
ORDER BY d.beyond_floor DESC, d.mentor_id, d.currency LIMIT 100
"""

Item = TypeVar("Item")
Shown = TypeVar("Shown", bound=BaseModel)
Services = Sequence[Service]


@dataclass(frozen=True)
class Saga:
    """One purchase: every step in order of time, and what is waited for, each with its service."""

    steps: list[tuple[Service, Step]]
    waits: list[tuple[Service, Wait]]

    def fields(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"steps": listed(self.steps), "waits": listed(self.waits)}


def listed(found: Sequence[tuple[Service, Shown]]) -> list[dict[str, Any]]:
    """Return what was found at the services, ready for JSON."""
    return [{"service": service, **each.model_dump(mode="json")} for service, each in found]


async def saga_of(url: str, order_id: UUID, services: Services = ALL_SERVICES) -> Saga:
    """Return one purchase, read on one snapshot of all schemas; raises `CannotOperate`."""
    async with reading(url) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        steps = await _everywhere(conn, services, lambda: steps_of(conn, order_id))
        waits = await _everywhere(conn, services, lambda: waits_of(conn, order_id))
    if not steps and not waits:
        raise CannotOperate(f"nobody knows of an order {order_id}")
    return Saga(sorted(steps, key=lambda step: step[1].at), waits)


async def stuck_sagas(
    url: str, now: BusinessInstant, late_by: timedelta, services: Services = ALL_SERVICES
) -> list[tuple[Service, Wait]]:
    """Return what an operator must end, and what is late, the oldest first."""
    async with reading(url) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await _everywhere(conn, services, lambda: stuck(conn, now, late_by))


async def debts_of(url: str) -> list[dict[str, Any]]:
    """Return the mentors who owe something, those who owe much first."""
    async with reading(url) as conn:
        return [dict(row) for row in await conn.fetch(DEBTS)]


async def log_of(url: str, services: Services = ALL_SERVICES) -> list[tuple[Service, Logged]]:
    """Return the latest deeds of operators at each service, the newest first."""
    async with reading(url) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        found = await _everywhere(conn, services, lambda: logged(conn, None, LOG_LINES))
    return sorted(found, key=lambda deed: deed[1].acted_at, reverse=True)


async def ask(url: str, deed: Deed, answer_seconds: float = ANSWER_SECONDS) -> Logged:
    """Have a service's worker do a deed, and return what came of it.

    Raises `CannotOperate`, after taking the request back, when the worker does not take it up.
    """
    request_id = new_id()
    async with service_database(url) as conn:
        await file_request(conn, request_id, deed)
    try:
        async with asyncio.timeout(answer_seconds), reading(url) as conn:
            while (answer := await answer_to(conn, request_id)) is None:
                await asyncio.sleep(ANSWER_POLL_SECONDS)
    except TimeoutError:
        async with service_database(url) as conn:
            withdrawn = await withdraw_request(conn, request_id)
        raise CannotOperate(WITHDRAWN if withdrawn else BEING_DONE) from None
    return answer


async def _everywhere(
    conn: Connection, services: Services, look: Callable[[], Awaitable[list[Item]]]
) -> list[tuple[Service, Item]]:
    found: list[tuple[Service, Item]] = []
    for service in services:
        await look_into(conn, service)
        found.extend((service, item) for item in await look())
    return found
