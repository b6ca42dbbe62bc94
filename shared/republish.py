"""Telling the present state again, so that a reader can rebuild a projection it lost.

An operator files a request (`ops republish`); a worker of the owner answers it with versioned
snapshot facts through the outbox, one batch per transaction with the cursor, so that a kill in
between repeats nothing and leaves nothing out. A snapshot causes neither mail nor money.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from shared.clock import BusinessClock, BusinessInstant
from shared.db import Connection, Pool, in_transaction
from shared.log import logger

OPEN = """
SELECT id, topic, cursor FROM republish_requests
WHERE done_at IS NULL AND topic = ANY($1::text[])
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED
"""
ADVANCE = "UPDATE republish_requests SET cursor = $2, announced = announced + $3 WHERE id = $1"
FINISH = "UPDATE republish_requests SET done_at = now() WHERE id = $1"

_log = logger("republish")


@dataclass(frozen=True)
class Told:
    """One batch: how many snapshots were announced, and the cursor of the last (None: no more)."""

    snapshots: int
    cursor: str | None


Teller = Callable[[Connection, str | None, BusinessInstant], Awaitable[Told]]
"""Announces the next batch of snapshots after a cursor (None: from the beginning)."""


class Republisher:
    """Answers the republish requests of one service; `tellers` are by topic."""

    def __init__(self, pool: Pool, tellers: Mapping[str, Teller], clock: BusinessClock) -> None:
        self._pool = pool
        self._tellers = tellers
        self._clock = clock

    async def step(self) -> int:
        """Announce one batch of the oldest open request; return whether there was one."""
        return await in_transaction(self._pool, self._tell)

    async def _tell(self, conn: Connection) -> int:
        request = await conn.fetchrow(OPEN, list(self._tellers))
        if request is None:
            return 0
        told = await self._tellers[request["topic"]](conn, request["cursor"], self._clock.now())
        if told.cursor is None:
            await conn.execute(FINISH, request["id"])
            _log.info("republished", topic=request["topic"])
        await conn.execute(ADVANCE, request["id"], told.cursor, told.snapshots)
        return 1
