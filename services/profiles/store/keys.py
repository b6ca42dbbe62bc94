"""SQL of the signing keys; every instant here is system time."""

from __future__ import annotations

from collections.abc import Sequence

from services.profiles.domain.keys import SigningKey
from shared.db import Connection

KEYS_TURN = "profiles:signing-keys"
LOCK_KEYS = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
KEYS = """
SELECT kid, public_key, private_sealed, active_from FROM signing_keys ORDER BY active_from, kid
"""
ADD_KEY = """
INSERT INTO signing_keys (kid, public_key, private_sealed, active_from) VALUES ($1, $2, $3, $4)
"""
DROP_KEYS = "DELETE FROM signing_keys WHERE kid = ANY($1::text[])"


async def lock_keys(conn: Connection) -> None:
    """Let nobody else make or drop keys until this transaction ends."""
    await conn.execute(LOCK_KEYS, KEYS_TURN)


async def keys(conn: Connection) -> Sequence[SigningKey]:
    """Return every key there is."""
    return [SigningKey(**dict(row)) for row in await conn.fetch(KEYS)]


async def add_key(conn: Connection, key: SigningKey) -> None:
    """Publish a key."""
    await conn.execute(ADD_KEY, key.kid, key.public_key, key.private_sealed, key.active_from)


async def drop_keys(conn: Connection, kids: Sequence[str]) -> None:
    """Forget keys."""
    await conn.execute(DROP_KEYS, kids)
