"""What operators do: each deed once, with a reason, in the log that commits with its effect.

A service names its actions in its wiring. A deed comes over HTTP from a signed-in operator, or from
the command line, which may import no service: it files a request and the worker does it
(docs/decisions). A deed that is refused changes nothing; asked for on the command line it is
logged all the same, because the log is where that side reads its answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.clock import BusinessClock, BusinessInstant
from shared.db import Connection, Pool, in_transaction
from shared.errors import Refusal, is_transient
from shared.log import logger

NEXT_REQUEST = """
SELECT request_id, who, action, subject, order_id, reason, arguments,
       requested_at < now() - $1::interval AS too_old
FROM operator_requests ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
FILE_REQUEST = """
INSERT INTO operator_requests (request_id, who, action, subject, order_id, reason, arguments)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
END_REQUEST = "DELETE FROM operator_requests WHERE request_id = $1"
WITHDRAW_REQUEST = """
DELETE FROM operator_requests WHERE request_id IN (
    SELECT request_id FROM operator_requests WHERE request_id = $1 FOR UPDATE SKIP LOCKED
)
RETURNING request_id
"""
LOG = """
INSERT INTO operator_log (who, action, subject, order_id, reason, outcome, details, request_id,
                          acted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
LOGGED = """
SELECT id, who, action, subject, order_id, reason, outcome, details, acted_at FROM operator_log
WHERE $1::bigint IS NULL OR id < $1
ORDER BY id DESC LIMIT $2
"""
ANSWER = """
SELECT id, who, action, subject, order_id, reason, outcome, details, acted_at FROM operator_log
WHERE request_id = $1
"""

DONE = "done"
ON_THE_COMMAND_LINE = "ops:"
"""What the name of somebody begins with who acts on the command line."""

REQUEST_STANDS = timedelta(minutes=5)
"""System time after which a request is not acted on: who asked has long done something else."""

Details = Mapping[str, Any]
"""What a deed came to, for the log: ids, codes and amounts, never personal data."""

_log = logger("deeds")


class RequestTooOld(Refusal):
    """The worker was away when it was asked, and came back too late."""

    code = "request_too_old"
    detail = "Look how things are now, and ask again."


@dataclass(frozen=True)
class Deed:
    """Something an operator wants done; `who` is a person's id or `ops:<name>`."""

    who: str
    action: str
    subject: str
    reason: str
    order_id: UUID | None = None
    arguments: Details = field(default_factory=dict[str, Any])
    request_id: UUID | None = None


@dataclass(frozen=True)
class Logged:
    """One line of the log; `acted_at` is business time."""

    id: int
    who: str
    action: str
    subject: str
    order_id: UUID | None
    reason: str
    outcome: str
    details: Details
    acted_at: datetime


Action = Callable[[Connection, Deed, BusinessInstant], Awaitable[Details]]
"""Does a deed in the caller's transaction; raises a `Refusal` when it cannot be done."""
Actions = Mapping[str, Action]


async def carry_out(conn: Connection, action: Action, deed: Deed, now: BusinessInstant) -> Details:
    """Do a deed and log it, in the caller's transaction; raises what the action refuses with."""
    details = await action(conn, deed, now)
    await record(conn, deed, DONE, details, now)
    return details


async def record(
    conn: Connection, deed: Deed, outcome: str, details: Details, now: BusinessInstant
) -> None:
    """Log a deed with what came of it."""
    await conn.execute(
        LOG, deed.who, deed.action, deed.subject, deed.order_id, deed.reason, outcome,
        dict(details), deed.request_id, now,
    )  # fmt: skip


async def logged(conn: Connection, before: int | None, limit: int) -> list[Logged]:
    """Return a page of the log, the newest first."""
    return [Logged(**dict(row)) for row in await conn.fetch(LOGGED, before, limit)]


async def file_request(conn: Connection, request_id: UUID, deed: Deed) -> None:
    """Ask the service's worker for a deed; `answer_to` says what came of it."""
    await conn.execute(
        FILE_REQUEST, request_id, deed.who, deed.action, deed.subject, deed.order_id, deed.reason,
        dict(deed.arguments),
    )  # fmt: skip


async def answer_to(conn: Connection, request_id: UUID) -> Logged | None:
    """Return what came of a request, once it was acted on."""
    row = await conn.fetchrow(ANSWER, request_id)
    return Logged(**dict(row)) if row else None


async def withdraw_request(conn: Connection, request_id: UUID) -> bool:
    """Take a request back; return whether that was in time, before the worker took it up."""
    return await conn.fetchval(WITHDRAW_REQUEST, request_id) is not None


class Clerk:
    """Does what was asked for on the command line, one request after the other."""

    def __init__(self, pool: Pool, actions: Actions, clock: BusinessClock) -> None:
        self._pool = pool
        self._actions = actions
        self._clock = clock

    async def step(self) -> int:
        """Act on the oldest request; return whether there was one."""
        return await in_transaction(self._pool, self._act)

    async def _act(self, conn: Connection) -> int:
        row = await conn.fetchrow(NEXT_REQUEST, REQUEST_STANDS)
        if row is None:
            return 0
        asked = dict(row)
        too_old = asked.pop("too_old")
        deed = Deed(**asked)
        await self._answer(conn, deed, too_old=too_old)
        await conn.execute(END_REQUEST, deed.request_id)
        return 1

    async def _answer(self, conn: Connection, deed: Deed, *, too_old: bool) -> None:
        """Do the deed, or log why not; what fails for no transient reason is not tried again."""
        now = self._clock.now()
        try:
            if too_old:
                raise RequestTooOld
            async with conn.transaction():
                await carry_out(conn, self._actions[deed.action], deed, now)
        except Refusal as refusal:
            said = {"code": refusal.code, "detail": refusal.detail, **refusal.facts}
            await record(conn, deed, "refused", said, now)
        except Exception as error:
            if is_transient(error) or isinstance(error, asyncpg.InterfaceError):
                raise
            _log.exception("deed_failed", action=deed.action, error=type(error).__name__)
            await record(conn, deed, "failed", {"error": type(error).__name__}, now)
