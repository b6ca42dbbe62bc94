"""What the web client remembers of a browser: one encrypted cookie that no script can read.

The cookie is a JWE (RFC 7516, direct encryption with A256GCM), so that it can be neither read nor
altered. It exists before anybody signs in too: the secret that forms carry against forged requests
is bound to it.
"""

from __future__ import annotations

import secrets

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, Field, ValidationError

from shared.clock import system_now, to_epoch_seconds

COOKIE_SECONDS = 30 * 24 * 3600
COOKIE_LONGEST = 4096
"""The length browsers are sure to keep (RFC 6265 §6.1)."""
REFRESH_AHEAD_SECONDS = 20
_HEADER = {"alg": "dir", "enc": "A256GCM"}
_SECRET_BYTES = 24


class Person(BaseModel):
    """Who is signed in, with the tokens that prove it to the services."""

    person_id: str
    name: str = ""
    zone: str = "UTC"
    roles: list[str]
    access_token: str
    refresh_token: str
    expires_at: int
    """Epoch seconds of the system clock at which the access token ends."""

    def is_a(self, role: str) -> bool:
        """Return whether the person has a role."""
        return role in self.roles

    def needs_refresh(self) -> bool:
        """Return whether the access token is over, or so nearly that it may not arrive in time."""
        return to_epoch_seconds(system_now()) >= self.expires_at - REFRESH_AHEAD_SECONDS


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


class Session(BaseModel):
    """Everything in the cookie."""

    csrf: str = Field(default_factory=_new_secret)
    person: Person | None = None
    notice: str | None = None
    """A sentence for the next page, shown once."""
    ends_at: int = 0

    def sign_in(self, person: Person) -> None:
        """Begin anew as this person: what forms carried before is worth nothing any more."""
        self.csrf = _new_secret()
        self.person = person

    def sign_out(self) -> None:
        """Forget the person."""
        self.csrf = _new_secret()
        self.person = None


class CookieSealer:
    """Turns sessions into cookie values and back."""

    def __init__(self, key: bytes, *, good_for_seconds: int = COOKIE_SECONDS) -> None:
        self._key = OctKey.import_key(key)
        self._good_for_seconds = good_for_seconds

    def seal(self, session: Session) -> str:
        """Return the encrypted cookie value, good for a limited system time."""
        ends_at = to_epoch_seconds(system_now()) + self._good_for_seconds
        content = session.model_copy(update={"ends_at": ends_at}).model_dump_json()
        return jwe.encrypt_compact(_HEADER, content, self._key)

    def open(self, value: str | None) -> Session | None:
        """Return the session, or nothing when the value is not ours, altered, or over."""
        if not value or len(value) > COOKIE_LONGEST:
            return None
        try:
            opened = jwe.decrypt_compact(value, self._key, algorithms=list(_HEADER.values()))
            session = Session.model_validate_json(opened.plaintext or b"")
        except (JoseError, ValidationError, ValueError):
            return None
        return session if session.ends_at > to_epoch_seconds(system_now()) else None
