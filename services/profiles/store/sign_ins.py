"""SQL of sign-ins and their refresh tokens; every instant here is system time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.profiles.domain.sign_ins import Presented
from shared.clock import SystemInstant
from shared.db import Connection
from shared.ids import PersonId

ADD_SIGN_IN = """
INSERT INTO sign_ins (sign_in_id, person_id, started_at, expires_at) VALUES ($1, $2, $3, $4)
"""
ADD_REFRESH = """
INSERT INTO refresh_tokens (token_hash, sign_in_id, expires_at) VALUES ($1, $2, $3)
"""
LOCK_FAMILY_OF = """
SELECT s.sign_in_id FROM sign_ins AS s
WHERE s.sign_in_id = (SELECT t.sign_in_id FROM refresh_tokens AS t WHERE t.token_hash = $1)
FOR UPDATE
"""
PRESENTED = """
SELECT s.sign_in_id, s.person_id, t.expires_at AS token_expires_at, t.used_at,
       s.expires_at AS sign_in_expires_at, s.ended_at
FROM refresh_tokens AS t JOIN sign_ins AS s USING (sign_in_id)
WHERE t.token_hash = $1
"""
USE_REFRESH = "UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1"
END_SIGN_IN = """
UPDATE sign_ins SET ended_at = $2, end_reason = $3 WHERE sign_in_id = $1 AND ended_at IS NULL
"""
END_SIGN_INS_OF = """
UPDATE sign_ins SET ended_at = $2, end_reason = $3 WHERE person_id = $1 AND ended_at IS NULL
"""
PRUNE_SIGN_INS = """
DELETE FROM sign_ins WHERE sign_in_id IN (
    SELECT sign_in_id FROM sign_ins WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""
PRUNE_REFRESH = """
DELETE FROM refresh_tokens WHERE token_hash IN (
    SELECT token_hash FROM refresh_tokens WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


async def add_sign_in(
    conn: Connection,
    sign_in_id: UUID,
    person_id: PersonId,
    started_at: SystemInstant,
    expires_at: datetime,
) -> None:
    """Begin a family of refresh tokens."""
    await conn.execute(ADD_SIGN_IN, sign_in_id, person_id, started_at, expires_at)


async def add_token(
    conn: Connection, token_hash: bytes, sign_in_id: UUID, expires_at: datetime
) -> None:
    """Add a token to its family."""
    await conn.execute(ADD_REFRESH, token_hash, sign_in_id, expires_at)


async def present(conn: Connection, token_hash: bytes) -> Presented | None:
    """Return a token with its family, which is locked before the token is read."""
    if await conn.fetchval(LOCK_FAMILY_OF, token_hash) is None:
        return None
    row = await conn.fetchrow(PRESENTED, token_hash)
    return Presented(**dict(row)) if row else None


async def use_token(conn: Connection, token_hash: bytes, at: SystemInstant) -> None:
    """Mark a token as used."""
    await conn.execute(USE_REFRESH, token_hash, at)


async def end_sign_in(conn: Connection, sign_in_id: UUID, at: SystemInstant, reason: str) -> None:
    """End one family."""
    await conn.execute(END_SIGN_IN, sign_in_id, at, reason)


async def end_sign_ins_of(
    conn: Connection, person_id: PersonId, at: SystemInstant, reason: str
) -> None:
    """End every family of a person."""
    await conn.execute(END_SIGN_INS_OF, person_id, at, reason)
