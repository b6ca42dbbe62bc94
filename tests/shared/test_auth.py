"""Recognising people: keys are fetched, kept, renewed, and used when `profiles` is away."""

from __future__ import annotations

import asyncio

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from shared.auth import (
    ALGORITHM,
    FETCH_SECONDS,
    KEYS_FRESH_SECONDS,
    KEYS_REFETCH_SECONDS,
    KeysUnavailable,
    Principal,
    Role,
    TokenInvalid,
    Verifier,
    sign_access_token,
)
from shared.clock import system_now, to_epoch_seconds
from shared.ids import PersonId, new_id

DEADLINE_SECONDS = 10
WHO = Principal(PersonId(new_id()), frozenset({Role.MENTEE, Role.MENTOR}), new_id())


def _key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


class Publisher:
    """Whoever publishes the key set; may be away."""

    def __init__(self, *keys: ECKey) -> None:
        self.keys = list(keys)
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = 0
        self.answering = 0

    async def __call__(self) -> KeySet:
        """Return the key set, or fail like a server that is away."""
        self.asked += 1
        if self.away:
            raise OSError("away")
        self.answering += 1
        await self.answers.wait()
        self.answering -= 1
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


class Steady:
    """A steady clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return where it stands."""
        return self.seconds


async def fetched(publisher: Publisher, times: int) -> None:
    """Wait until the key set was asked for this often, and the answers have come."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while publisher.asked < times or publisher.answering:
            await asyncio.sleep(0)


async def test_a_publisher_that_hangs_holds_nobody_up() -> None:
    """Old keys are renewed behind the request, and the new ones take over when they come."""
    old, new, clock = _key("old"), _key("new"), Steady()
    publisher = Publisher(old)
    verifier = Verifier(publisher, clock)
    token = sign_access_token(old, WHO)
    await verifier.principal(token)
    clock.seconds += KEYS_FRESH_SECONDS + 1
    publisher.answers.clear()
    publisher.keys = [old, new]
    for _ in range(3):
        # Would it wait for the publisher, it would wait until the deadline of a fetch.
        assert await asyncio.wait_for(verifier.principal(token), FETCH_SECONDS / 2) == WHO
    assert (publisher.asked, publisher.answering) == (2, 1)
    publisher.answers.set()
    await fetched(publisher, 2)
    assert await verifier.principal(sign_access_token(new, WHO)) == WHO
    assert publisher.asked == 2


async def test_all_who_wait_for_the_first_keys_wait_for_one_fetch() -> None:
    """A crowd at the start asks the publisher once, and nobody waits for another's turn."""
    key = _key("a")
    publisher = Publisher(key)
    publisher.answers.clear()
    verifier = Verifier(publisher)
    crowd = [asyncio.create_task(verifier.principal(sign_access_token(key, WHO))) for _ in range(9)]
    await fetched_begins(publisher)
    crowd[0].cancel()
    publisher.answers.set()
    assert await asyncio.gather(*crowd[1:]) == [WHO] * 8
    assert publisher.asked == 1


async def fetched_begins(publisher: Publisher) -> None:
    """Wait until somebody asks for the key set."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not publisher.asked:
            await asyncio.sleep(0)


async def test_a_new_key_is_looked_for_once_the_pause_is_over() -> None:
    """The limit against made-up keys delays a key that was rotated out of turn, no longer."""
    old, new, clock = _key("old"), _key("new"), Steady()
    publisher = Publisher(old)
    verifier = Verifier(publisher, clock)
    await verifier.principal(sign_access_token(old, WHO))
    publisher.keys = [new]
    with pytest.raises(TokenInvalid):
        await verifier.principal(sign_access_token(new, WHO))
    clock.seconds += KEYS_REFETCH_SECONDS
    assert await verifier.principal(sign_access_token(new, WHO)) == WHO
    assert publisher.asked == 2
