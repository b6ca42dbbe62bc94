"""The rules of sign-ins: a family of refresh tokens in which a stolen one gives itself away.

Each token is used once. Within the grace it gives the same successor again, because a page makes
parallel requests; later it can only be somebody who should not have it, and the family ends
(RFC 9700 §4.14.2). A successor is computed from its predecessor, so it need not be kept readable.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from shared.clock import SystemInstant
from shared.errors import Kind, Refusal
from shared.ids import PersonId

GRACE = timedelta(seconds=10)
TOKEN_LIVES = timedelta(days=30)
"""How long a sign-in may rest before one must sign in again."""
SIGN_IN_LIVES = timedelta(days=180)
"""How long a sign-in lasts however often it is used."""
_SUCCESSOR = b"refresh-successor:"


class SignInRefused(Refusal):
    """The address or the password is wrong; which of them is not said."""

    code = "sign_in_refused"
    kind = Kind.UNAUTHENTICATED
    detail = "Check the e-mail address and the password."


class SignInEnded(Refusal):
    """The refresh token is unknown, over, or was used by somebody else."""

    code = "sign_in_ended"
    kind = Kind.UNAUTHENTICATED
    detail = "Sign in again."


class Use(Enum):
    """What presenting a refresh token means."""

    FIRST = "first"
    AGAIN_IN_GRACE = "again_in_grace"
    REUSED = "reused"
    OVER = "over"


@dataclass(frozen=True)
class Presented:
    """A refresh token that somebody presents, with its family; instants are system time."""

    sign_in_id: UUID
    person_id: PersonId
    token_expires_at: datetime
    used_at: datetime | None
    sign_in_expires_at: datetime
    ended_at: datetime | None

    def use(self, now: SystemInstant) -> Use:
        """Return what presenting it now means."""
        if self.ended_at or now >= self.sign_in_expires_at:
            return Use.OVER
        if self.used_at is None:
            return Use.FIRST if now < self.token_expires_at else Use.OVER
        return Use.AGAIN_IN_GRACE if now < self.used_at + GRACE else Use.REUSED


def guessed_at(email: str) -> str:
    """Return the name under which failures are counted; it says nobody's address."""
    return hashlib.sha256(email.encode()).hexdigest()


def successor_of(token: str, secret: bytes) -> str:
    """Return the token that follows: always the same, and only we can compute it."""
    digest = hmac.digest(secret, _SUCCESSOR + token.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
