"""A token that was verified is remembered, and no longer than it is good."""

from __future__ import annotations

import asyncio

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from shared.auth import (
    ALGORITHM,
    KEYS_FRESH_SECONDS,
    LEEWAY_SECONDS,
    Principal,
    Role,
    TokenInvalid,
    Verifier,
    sign_access_token,
)
from shared.clock import system_now, to_epoch_seconds
from shared.ids import PersonId, new_id

DEADLINE_SECONDS = 10.0
POLL_SECONDS = 0.05
WHO = Principal(PersonId(new_id()), frozenset({Role.MENTEE}), new_id())
KEY = ECKey.generate_key("P-256", {"kid": "a"})


async def keys() -> KeySet:
    return KeySet([KEY])


def token_ending(seconds_from_now: int) -> str:
    """Return a token of `WHO` with that end."""
    claims = {
        "iss": "mentorium", "aud": "mentorium", "sub": str(WHO.person_id),
        "sid": str(WHO.sign_in_id), "roles": ["mentee"],
        "exp": to_epoch_seconds(system_now()) + seconds_from_now,
    }  # fmt: skip
    return jwt.encode({"alg": ALGORITHM, "kid": "a"}, claims, KEY)


async def keep_sending(verifier: Verifier, token: str) -> None:
    """Send a token for as long as it stands for `WHO`."""
    while await verifier.principal(token) == WHO:
        await asyncio.sleep(POLL_SECONDS)


async def test_a_remembered_token_ends_when_it_says() -> None:
    """Sent again and again, it is good until its end and its leeway are over."""
    verifier, token = Verifier(keys), token_ending(2 - LEEWAY_SECONDS)
    assert await verifier.principal(token) == WHO
    with pytest.raises(TokenInvalid):
        await asyncio.wait_for(keep_sending(verifier, token), DEADLINE_SECONDS)


async def test_a_token_changed_by_a_letter_is_not_the_one_remembered() -> None:
    """Nobody profits from a token that somebody else sent before."""
    verifier, token = Verifier(keys), sign_access_token(KEY, WHO)
    assert await verifier.principal(token) == WHO
    head, claims, signature = token.split(".")
    other = "A" if signature[10] != "A" else "B"
    forged = ".".join((head, claims, signature[:10] + other + signature[11:]))
    with pytest.raises(TokenInvalid):
        await verifier.principal(forged)
    assert await verifier.principal(token) == WHO


async def test_a_key_that_is_taken_out_ends_the_tokens_remembered() -> None:
    """Once the key set was renewed without it, what it signed is refused."""
    steady, published = 0.0, [KEY]

    async def published_keys() -> KeySet:
        return KeySet(list(published))

    verifier, token = Verifier(published_keys, lambda: steady), sign_access_token(KEY, WHO)
    assert await verifier.principal(token) == WHO
    published[:] = [ECKey.generate_key("P-256", {"kid": "b"})]
    steady = KEYS_FRESH_SECONDS + 1
    with pytest.raises(TokenInvalid):
        await asyncio.wait_for(keep_sending(verifier, token), DEADLINE_SECONDS)
