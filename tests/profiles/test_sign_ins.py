"""Refresh tokens that rotate, and signing keys that do, over HTTP and against the clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from joserfc.jwk import KeySet

from services.profiles.commands.keys import Keyring, published_keys, rotate_keys
from services.profiles.domain.keys import Rotation, key_set, make_key, signing
from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.clock import SystemInstant, system_now
from shared.db import transaction
from shared.ids import PersonId, new_id
from tests.profiles.conftest import PASSWORD, Marketplace, Person

ROTATION = Rotation(timedelta(days=30), timedelta(days=1), timedelta(hours=1))


async def refresh(market: Marketplace, token: str) -> tuple[int, Any]:
    return await market.call("POST", "/v1/sign-ins/refresh", json={"refresh_token": token})


async def let_grace_pass(market: Marketplace) -> None:
    """Let the uses so far lie more than ten seconds back."""
    await market.pool.execute("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")


async def test_parallel_refreshes_get_the_same_successor(market: Marketplace) -> None:
    """A page that refreshes many times at once stays signed in: one successor, one row."""
    ada = await market.person("ada@mentorium.test")
    answers = await asyncio.gather(*(refresh(market, ada.refresh) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    successors = {answer["refresh_token"] for _, answer in answers}
    assert len(successors) == 1
    assert ada.refresh not in successors
    status, again = await refresh(market, successors.pop())
    assert status == 200
    assert await market.pool.fetchval("SELECT count(*) FROM refresh_tokens") == 3
    status, _ = await market.call(
        "GET", "/v1/me", headers={"Authorization": f"Bearer {again['access_token']}"}
    )
    assert status == 200


async def test_a_token_used_again_after_the_grace_ends_the_family(market: Marketplace) -> None:
    """The thief and the owner are both signed out, and other sign-ins are not."""
    ada = await market.person("ada@mentorium.test")
    elsewhere = await market.sign_in(ada.email)
    _, answer = await refresh(market, ada.refresh)
    await let_grace_pass(market)
    status, refused = await refresh(market, ada.refresh)
    assert (status, refused["code"]) == (401, "sign_in_ended")
    status, _ = await refresh(market, answer["refresh_token"])
    assert status == 401
    reasons = await market.pool.fetch("SELECT end_reason FROM sign_ins WHERE ended_at IS NOT NULL")
    assert [row["end_reason"] for row in reasons] == ["token_reused"]
    status, _ = await refresh(market, elsewhere.refresh)
    assert status == 200


WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
END_ALL = "UPDATE sign_ins SET ended_at = now(), end_reason = 'password_reset'"
DEADLINE_SECONDS = 20


async def test_no_sign_in_begins_with_a_password_that_a_reset_overtook(
    market: Marketplace,
) -> None:
    """The password was right when it was checked, and is not any more when the sign-in begins."""
    ada = await market.person("ada@mentorium.test")
    async with transaction(market.pool) as conn:
        await conn.execute("SELECT FROM people FOR UPDATE")
        late = asyncio.create_task(
            market.call("POST", "/v1/sign-ins", json={"email": ada.email, "password": PASSWORD})
        )
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await market.pool.fetchval(WAITING):
                await asyncio.sleep(0.01)
        await conn.execute("UPDATE people SET password_hash = 'another'")
        await conn.execute(END_ALL)
    status, refused = await late
    assert (status, refused["code"]) == (401, "sign_in_refused")
    assert await market.pool.fetchval("SELECT count(*) FROM sign_ins WHERE ended_at IS NULL") == 0


async def test_signing_out_ends_the_family(market: Marketplace) -> None:
    """The refresh token is worth nothing any more; signing out twice is no error."""
    ada = await market.person("ada@mentorium.test")
    for _ in range(2):
        assert await market.call("DELETE", "/v1/sign-ins/current", as_=ada) == (204, None)
    status, _ = await refresh(market, ada.refresh)
    assert status == 401


async def test_tokens_end_by_the_system_clock(market: Marketplace) -> None:
    """A rested token is over, and so is a sign-in however often it was used."""
    for column in ("refresh_tokens SET expires_at", "sign_ins SET expires_at"):
        ada = await market.sign_in((await market.person(f"{new_id().hex}@mentorium.test")).email)
        await market.pool.execute(f"UPDATE {column} = now() - interval '1 second'")
        status, _ = await refresh(market, ada.refresh)
        assert status == 401
    assert await market.turn("forget_what_is_over") > 0
    assert await market.pool.fetchval("SELECT count(*) FROM sign_ins") == 0


async def test_tokens_are_stored_hashed(market: Marketplace) -> None:
    """Who reads the table cannot sign in with what is there."""
    ada = await market.person("ada@mentorium.test")
    _, answer = await refresh(market, ada.refresh)
    rows = await market.pool.fetch("SELECT t::text AS line FROM refresh_tokens AS t")
    assert len(rows) == 2
    for row in rows:
        assert ada.refresh not in row["line"]
        assert answer["refresh_token"] not in row["line"]


async def test_a_made_up_token_is_refused(market: Marketplace) -> None:
    """Nothing is said about why."""
    status, refused = await refresh(market, "made up")
    assert (status, refused["code"]) == (401, "sign_in_ended")


async def test_a_becoming_mentor_gets_the_role_with_the_next_token(market: Marketplace) -> None:
    """Roles are what somebody may act as when the token is made."""
    ada = await market.person("ada@mentorium.test")
    assert ada.roles == ["mentee"]
    await market.call("PUT", "/v1/me/mentor-profile", as_=ada, version=0, json={"headline": "Hi"})
    _, answer = await refresh(market, ada.refresh)
    assert answer["roles"] == ["mentee", "mentor"]


async def test_the_first_key_is_made_once(market: Marketplace) -> None:
    """However many processes need it at the same moment."""

    async def first() -> str:
        async with transaction(market.pool) as conn:
            return (await published_keys(conn, market.secret, ROTATION))[0].kid

    made = await asyncio.gather(*(first() for _ in range(6)))
    assert len(set(made)) == 1
    assert await market.pool.fetchval("SELECT count(*) FROM signing_keys") == 1


async def test_rotation_keeps_tokens_valid(market: Marketplace) -> None:
    """The next key is published before it signs, the old one until its last token is over."""
    person = Principal(PersonId(new_id()), frozenset({Role.MENTEE}), new_id())

    async def rotate(after: timedelta) -> int:
        async with transaction(market.pool) as conn:
            at = SystemInstant(system_now() + after)
            return await rotate_keys(conn, market.secret, ROTATION, at)

    async def published() -> KeySet:
        async with transaction(market.pool) as conn:
            return key_set(await published_keys(conn, market.secret, ROTATION))

    assert await rotate(timedelta(0)) == 1
    async with transaction(market.pool) as conn:
        first = await Keyring(market.secret, ROTATION).signer(conn)
    token = sign_access_token(first, person)
    assert await rotate(timedelta(days=28)) == 0
    assert await rotate(timedelta(days=29, hours=1)) == 1
    seen = await published()
    assert seen.keys[0].kid == first.kid
    assert len(seen.keys) == 2
    async with transaction(market.pool) as conn:
        # Published, but not yet used: everybody has the time to see it.
        assert (await Keyring(market.secret, ROTATION).signer(conn)).kid == first.kid
    assert await rotate(timedelta(days=30, hours=1, minutes=59)) == 0
    assert (await Verifier(published).principal(token)) == person
    assert await rotate(timedelta(days=30, hours=2, minutes=1)) == 0
    assert [key.kid for key in (await published()).keys] == [seen.keys[1].kid]


async def test_private_keys_are_sealed(market: Marketplace) -> None:
    """Neither the table nor the published set shows them, and another secret cannot open them."""
    await market.person("ada@mentorium.test")
    status, shown = await market.call("GET", "/.well-known/jwks.json")
    assert status == 200
    assert [set(key) & {"d", "p", "q"} for key in shown["keys"]] == [set()]
    assert shown["keys"][0]["alg"] == "ES256"
    row = await market.pool.fetchrow("SELECT public_key, private_sealed FROM signing_keys")
    assert row
    assert "d" not in row["public_key"]
    assert row["private_sealed"].count(".") == 4


async def test_keys_are_shown_to_caches(market: Marketplace) -> None:
    """Verifiers may keep the set for as long as a key is published ahead of its use, and less."""
    async with market.client.get("/.well-known/jwks.json") as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=300"


def test_the_last_active_key_signs() -> None:
    """A key that is not active yet does not."""
    now = system_now()
    secret = b"s" * 32
    keys = [make_key(secret, now + timedelta(hours=hours)) for hours in (-2, -1, 1)]
    assert signing(keys, now) is keys[1]
    assert signing(keys[2:], now) is None


async def test_other_tokens_are_refused(market: Marketplace, operator: Person) -> None:
    """Signed by a stranger's key under our key id, or altered."""
    stolen = make_key(b"x" * 32, system_now()).open(b"x" * 32)
    kid = (await market.call("GET", "/.well-known/jwks.json"))[1]["keys"][0]["kid"]
    forged = stolen.import_key({**stolen.as_dict(private=True), "kid": kid})
    someone = Principal(PersonId(operator.person_id), frozenset(Role), new_id())
    for token in (sign_access_token(forged, someone), operator.access[:-4] + "AAAA"):
        headers = {"Authorization": f"Bearer {token}"}
        status, refused = await market.call("GET", "/v1/me", headers=headers)
        assert (status, refused["code"]) == (401, "token_invalid")
