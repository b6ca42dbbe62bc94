"""Recognising people: keys are fetched, kept, renewed, and used when `profiles` is away."""

from __future__ import annotations

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from shared.auth import (
    ALGORITHM,
    KeysUnavailable,
    Principal,
    Role,
    TokenInvalid,
    Verifier,
    sign_access_token,
)
from shared.clock import system_now, to_epoch_seconds
from shared.ids import PersonId, new_id

WHO = Principal(PersonId(new_id()), frozenset({Role.MENTEE, Role.MENTOR}), new_id())


def _key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


class Publisher:
    """Whoever publishes the key set; may be away."""

    def __init__(self, *keys: ECKey) -> None:
        self.keys = list(keys)
        self.away = False
        self.asked = 0

    async def __call__(self) -> KeySet:
        """Return the key set, or fail like a server that is away."""
        self.asked += 1
        if self.away:
            raise OSError("away")
        return KeySet(list(self.keys))


async def test_a_person_is_recognised_with_their_roles() -> None:
    """What was signed is what is read."""
    key = _key("a")
    assert await Verifier(Publisher(key)).principal(sign_access_token(key, WHO)) == WHO


async def test_keys_are_used_when_their_publisher_is_away() -> None:
    """A service that once knew the keys goes on without `profiles`."""
    key = _key("a")
    publisher = Publisher(key)
    verifier = Verifier(publisher)
    await verifier.principal(sign_access_token(key, WHO))
    publisher.away = True
    assert await verifier.principal(sign_access_token(key, WHO)) == WHO


async def test_a_service_that_never_saw_a_key_says_try_again() -> None:
    """Nobody is let in and nobody is called a forger."""
    publisher = Publisher(_key("a"))
    publisher.away = True
    with pytest.raises(KeysUnavailable):
        await Verifier(publisher).principal(sign_access_token(publisher.keys[0], WHO))


async def test_unknown_keys_do_not_make_us_a_flood() -> None:
    """A stranger's made-up key ids ask the publisher at most once in a while."""
    publisher = Publisher(_key("a"))
    verifier = Verifier(publisher)
    for number in range(20):
        with pytest.raises(TokenInvalid):
            await verifier.principal(sign_access_token(_key(f"made-up-{number}"), WHO))
    assert publisher.asked == 1


async def test_tokens_of_another_kind_are_refused() -> None:
    """No algorithm of the sender's choice, no other audience, nothing that is over."""
    key = _key("a")
    verifier = Verifier(Publisher(key))
    issued = to_epoch_seconds(system_now())
    good = {
        "iss": "mentorium", "aud": "mentorium", "sub": str(WHO.person_id),
        "sid": str(WHO.sign_in_id), "roles": ["operator"], "exp": issued + 60,
    }  # fmt: skip
    header = {"alg": ALGORITHM, "kid": "a"}
    for change in (
        {"aud": "elsewhere"}, {"iss": "elsewhere"}, {"exp": issued - 3600}, {"sub": "x"},
        {"roles": ["king"]}, {"roles": None}, {"exp": None},
    ):  # fmt: skip
        with pytest.raises(TokenInvalid):
            await verifier.principal(jwt.encode(header, {**good, **change}, key))
    secret = OctKey.generate_key(256)
    confused = jwt.encode({"alg": "HS256", "kid": "a"}, good, secret)
    with pytest.raises(TokenInvalid):
        await verifier.principal(confused)
