"""`Idempotency-Key`: a request sent again gets the answer of the first, and acts once.

The key is claimed in the transaction of the effect, so that only committed outcomes are kept: a
refused or failed request leaves nothing and may be corrected and sent again. A second request with
the key waits for the first at the database
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta

from shared.clock import system_now
from shared.db import Connection, Pool
from shared.errors import Kind, Refusal

KEY_PATTERN = "^[!-~]{1,200}$"
"""Visible ASCII, which every proxy passes on unchanged."""
KEEP_ANSWERS = timedelta(hours=48)
PRUNE_BATCH = 5_000

CLAIM = """
INSERT INTO idempotency (principal, route, key, body_hash) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING key
"""
KNOWN = """
SELECT body_hash, status, headers, answer FROM idempotency
WHERE principal = $1 AND route = $2 AND key = $3
"""
REMEMBER = """
UPDATE idempotency SET status = $4, headers = $5, answer = $6
WHERE principal = $1 AND route = $2 AND key = $3
"""
PRUNE = """
DELETE FROM idempotency WHERE (principal, route, key) IN (
    SELECT principal, route, key FROM idempotency WHERE recorded_at < $1
    LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


class IdempotencyKeyMissing(Refusal):
    """A request that creates or moves something came without a key."""

    code = "idempotency_key_missing"
    kind = Kind.CONDITION_MISSING
    detail = "Send an Idempotency-Key header: letters and digits, new for each new intent."


class IdempotencyKeyReused(Refusal):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    kind = Kind.CONFLICT
    detail = "This Idempotency-Key belongs to a request with another body; take a new one."


@dataclass(frozen=True)
class Answer:
    """A committed answer, as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Intent:
    """One request as its sender means it: who, which route, which key, which body."""

    principal: str
    route: str
    key: str
    body: bytes

    def __post_init__(self) -> None:
        """Refuse a key that is absent or unusable: raises `IdempotencyKeyMissing`."""
        if not re.fullmatch(KEY_PATTERN, self.key):
            raise IdempotencyKeyMissing

    async def claim(self, conn: Connection) -> Answer | None:
        """Claim the key; return the answer when it was used for the same request before.

        Raises `IdempotencyKeyReused` when it was used for another.
        """
        digest = hashlib.sha256(self.body).digest()
        if await conn.fetchval(CLAIM, self.principal, self.route, self.key, digest):
            return None
        row = await conn.fetchrow(KNOWN, self.principal, self.route, self.key)
        if row is None or row["status"] is None or row["body_hash"] != digest:
            raise IdempotencyKeyReused
        return Answer(row["status"], row["headers"], row["answer"])

    async def remember(self, conn: Connection, answer: Answer) -> None:
        """Keep the answer, to be committed with the effect."""
        await conn.execute(
            REMEMBER,
            self.principal,
            self.route,
            self.key,
            answer.status,
            answer.headers,
            answer.body,
        )


async def prune_answers(pool: Pool) -> int:
    """Forget answers that nobody will ask for again; return how many."""
    done = await pool.execute(PRUNE, system_now() - KEEP_ANSWERS, PRUNE_BATCH)
    return int(done.split()[-1])
