"""The keys that sign access tokens: the first is made once, the next before it is needed."""

from __future__ import annotations

from collections.abc import Sequence

from joserfc.jwk import ECKey

from services.profiles.domain.keys import (
    Rotation,
    SigningKey,
    make_key,
    next_key_from,
    outlived,
    signing,
)
from services.profiles.store import keys as store
from shared.clock import SystemInstant, monotonic_seconds, system_now
from shared.db import Connection

REMEMBERED_SECONDS = 30.0
"""How long a process may sign without looking whether the next key has become active."""


async def rotate_keys(
    conn: Connection, secret: bytes, rotation: Rotation, now: SystemInstant
) -> int:
    """Make the next key when it is time, forget outlived ones; return how many were made."""
    await store.lock_keys(conn)
    keys = await store.keys(conn)
    active_from = next_key_from(keys, rotation, now)
    if active_from:
        await store.add_key(conn, make_key(secret, active_from))
    if gone := outlived(keys, rotation, now):
        await store.drop_keys(conn, gone)
    return 1 if active_from else 0


async def published_keys(
    conn: Connection, secret: bytes, rotation: Rotation
) -> Sequence[SigningKey]:
    """Return every key others may see; makes the first when there is none."""
    keys = await store.keys(conn)
    if not keys:
        await rotate_keys(conn, secret, rotation, system_now())
        keys = await store.keys(conn)
    return keys


class Keyring:
    """The opened key with which one process signs; it is read anew twice a minute."""

    def __init__(self, secret: bytes, rotation: Rotation) -> None:
        self._secret = secret
        self._rotation = rotation
        self._key: ECKey | None = None
        self._kid = ""
        self._read_at = float("-inf")

    async def signer(self, conn: Connection) -> ECKey:
        """Return the key that signs now."""
        if self._key is None or monotonic_seconds() - self._read_at > REMEMBERED_SECONDS:
            keys = await published_keys(conn, self._secret, self._rotation)
            current = signing(keys, system_now())
            if current is None:
                raise RuntimeError("there are signing keys, but none is active")
            if current.kid != self._kid or self._key is None:
                self._key, self._kid = current.open(self._secret), current.kid
            self._read_at = monotonic_seconds()
        return self._key
