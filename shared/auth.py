"""Who is asking: access tokens signed by `profiles` (ES256), verified from its published key set.

Keys are fetched over HTTP, cached, refreshed when an unknown key id turns up, and used when stale:
no service needs `profiles` to start or to go on (RFC 7517, RFC 7519). Known keys are renewed behind
the requests' backs; only a token whose key is unknown waits, and one fetch serves all who wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import cast
from uuid import UUID

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, KeySetSerialization
from joserfc.jws import extract_compact

from shared.clock import monotonic_seconds, system_now, to_epoch_seconds
from shared.errors import Kind, Refusal
from shared.ids import PersonId
from shared.log import logger

ALGORITHM = "ES256"
ISSUER = "mentorium"
AUDIENCE = "mentorium"
ACCESS_SECONDS = 10 * 60
LEEWAY_SECONDS = 30
KEYS_FRESH_SECONDS = 5 * 60
KEYS_REFETCH_SECONDS = 5.0
"""The shortest time from one fetch to the next, so that made-up key ids cause no storm of them."""
KEYS_MISSING_SECONDS = 0.5
"""The same while there are no keys at all and everybody waits for them."""
FETCH_SECONDS = 3.0
TOKEN_LONGEST = 4096
TOKENS_REMEMBERED = 4_096

_log = logger("auth")


class Role(Enum):
    """What a person may be; somebody may be both mentee and mentor."""

    MENTEE = "mentee"
    MENTOR = "mentor"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Principal:
    """The person a request is made for."""

    person_id: PersonId
    roles: frozenset[Role]
    sign_in_id: UUID

    def is_a(self, role: Role) -> bool:
        """Return whether the person has a role."""
        return role in self.roles


class TokenMissing(Refusal):
    """The route needs a signed-in person."""

    code = "token_missing"
    kind = Kind.UNAUTHENTICATED
    detail = "Send an access token: Authorization: Bearer …"


class TokenInvalid(Refusal):
    """The token is not ours, was altered, or is over."""

    code = "token_invalid"
    kind = Kind.UNAUTHENTICATED
    detail = "Refresh the access token or sign in again."


class RoleMissing(Refusal):
    """The person does not have the role the route is for."""

    code = "role_missing"
    kind = Kind.FORBIDDEN
    detail = "Your account does not have the role that may do this."


class KeysUnavailable(Refusal):
    """No key set has been fetched yet, so nobody can be recognised for the moment."""

    code = "keys_unavailable"
    kind = Kind.UNAVAILABLE
    detail = "Try again in a moment."


KeySource = Callable[[], Awaitable[KeySet]]


def sign_access_token(key: ECKey, principal: Principal) -> str:
    """Return an access token that is good for `ACCESS_SECONDS` of system time."""
    issued = to_epoch_seconds(system_now())
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(principal.person_id),
        "sid": str(principal.sign_in_id),
        "roles": sorted(role.value for role in principal.roles),
        "iat": issued,
        "exp": issued + ACCESS_SECONDS,
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "at+jwt"}, claims, key)


@dataclass(frozen=True)
class _Good:
    """Whom a verified token stands for, until which second since 1970."""

    principal: Principal
    until: int


class Verifier:
    """Recognises people by their tokens, with keys from any source."""

    def __init__(self, source: KeySource, clock: Callable[[], float] = monotonic_seconds) -> None:
        self._source = source
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._read_before: OrderedDict[str, _Good] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Return whom a token stands for; raises `TokenInvalid` or `KeysUnavailable`."""
        if len(token) > TOKEN_LONGEST:
            raise TokenInvalid
        if self._clock() - self._fetched_at > KEYS_FRESH_SECONDS:
            self._fetch_soon()
        if known := self._remembered(token):
            return known
        try:
            return self._read(token)
        except UnknownKey:
            # The signer may have rotated its key since we last asked.
            await self._fetched()
        try:
            return self._read(token)
        except UnknownKey:
            raise TokenInvalid if self._keys else KeysUnavailable from None

    def _remembered(self, token: str) -> Principal | None:
        """Return whom a token stands for that was verified with these keys and is not over yet.

        A person sends the same token with every request, and verifying costs more than most reads.
        """
        found = self._read_before.get(token)
        if found is None or found.until <= to_epoch_seconds(system_now()):
            return None
        self._read_before.move_to_end(token)
        return found.principal

    def _remember(self, token: str, good: _Good) -> None:
        self._read_before[token] = good
        while len(self._read_before) > TOKENS_REMEMBERED:
            self._read_before.popitem(last=False)

    def _read(self, token: str) -> Principal:
        if self._keys is None:
            raise UnknownKey
        try:
            read = jwt.decode(token, _pick(self._keys, token), algorithms=[ALGORITHM])
            _CLAIMS.validate(read.claims)
            principal = Principal(
                PersonId(UUID(str(read.claims["sub"]))),
                frozenset(Role(role) for role in cast("list[str]", read.claims["roles"])),
                UUID(str(read.claims["sid"])),
            )
            self._remember(token, _Good(principal, int(read.claims["exp"]) + LEEWAY_SECONDS))
            return principal
        except (JoseError, ValueError, KeyError, TypeError):
            raise TokenInvalid from None

    def _fetch_soon(self) -> None:
        """Begin a fetch unless one is under way or was made a moment ago."""
        if self._fetching and not self._fetching.done():
            return
        pause = KEYS_REFETCH_SECONDS if self._keys else KEYS_MISSING_SECONDS
        if self._clock() - self._tried_at >= pause:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch(), name="fetch_keys")

    async def _fetched(self) -> None:
        """Wait for a fetch, a new one if it may be made; whoever stops waiting stops nobody's."""
        self._fetch_soon()
        if self._fetching and not self._fetching.done():
            await asyncio.wait({self._fetching})

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = await self._source()
            # A key may have been taken out.
            self._read_before.clear()
            self._fetched_at = self._clock()
        except Exception as error:
            # Whatever it was, the keys we have are as good as before.
            _log.warning("keys_not_fetched", error=type(error).__name__)


class UnknownKey(Exception):
    """The token names a key that the cached set does not have."""


_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=LEEWAY_SECONDS,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
)


def _pick(keys: KeySet, token: str) -> ECKey:
    kid = extract_compact(token.encode()).headers().get("kid")
    for key in keys.keys:
        if key.kid == kid and isinstance(key, ECKey):
            return key
    raise UnknownKey


def keys_from(url: str, client: aiohttp.ClientSession) -> KeySource:
    """Return a source that fetches the key set from the address `profiles` publishes it at."""

    async def fetch() -> KeySet:
        async with client.get(url) as answer:
            answer.raise_for_status()
            return KeySet.import_key_set(cast("KeySetSerialization", await answer.json()))

    return fetch
