"""Hashing of passwords: argon2id in a thread, a few at a time, and as slow for nobody.

Parameters follow the OWASP Password Storage Cheat Sheet (19 MiB, two passes, one lane). Never call
this while holding a connection: a hash takes as long as a hundred statements.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.profiles.domain.accounts import check_password
from shared.errors import Kind, Refusal

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
AT_ONCE = 2
WAITING_AT_MOST = 100
"""At some 40 ms each the last of them waits about two seconds."""

Result = TypeVar("Result")


class TooBusy(Refusal):
    """More people sign in at this moment than passwords can be checked."""

    code = "too_busy"
    kind = Kind.UNAVAILABLE
    detail = "Try again in a moment."


class Passwords:
    """Hashes and checks passwords for one process."""

    def __init__(self, waiting_at_most: int = WAITING_AT_MOST) -> None:
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._waiting_at_most = waiting_at_most
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, known_words: tuple[str, ...] = ()) -> str:
        """Return the hash of a new password; raises `PasswordWeak` and `TooBusy`."""
        await self._in_turn(lambda: check_password(password, known_words))
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Return whether a password is the one; without a hash it is not, after the same work."""
        right = await self._in_turn(lambda: self._verify(hashed or self._nobody, password))
        return right and hashed is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= self._waiting_at_most:
            raise TooBusy
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
