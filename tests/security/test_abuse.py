"""Limits under abuse: what is too much is refused with a word, and others are served meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from shared.limits import SIGN_IN_FAILURES, SIGN_IN_PER_ADDRESS
from shared.web.server import IDLE_SECONDS, MAX_BODY_BYTES, observe, runner
from tests.profiles.conftest import OPERATOR, PASSWORD, Marketplace, Person
from tests.security.conftest import ANSWER_SECONDS, Wire, connect

IDLERS = 300
GUESSES_AT_ONCE = 12
IMPATIENT_SECONDS = 1.0
SIGN_IN = "/v1/sign-ins"


async def wire(market: Marketplace) -> Wire:
    """Open a connection to profiles."""
    return await connect(market.client.host, market.client.port or 0)


async def still_there(market: Marketplace) -> bool:
    """Return whether an ordinary request is answered."""
    return (await market.call("GET", "/v1/expertise"))[0] == 200


async def test_bodies_too_large_are_refused_before_they_are_read(market: Marketplace) -> None:
    """Declared, it is refused without its body; in chunks, as soon as it is too much."""
    head = f"POST {SIGN_IN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    declared = await wire(market)
    await declared.send(f"{head}Content-Length: {10**9}\r\n\r\n".encode() + b"[" * 1000)
    assert await declared.status() == 413
    chunked = await wire(market)
    await chunked.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(MAX_BODY_BYTES // 0x10000 + 1):
        await chunked.send(chunk)
    assert await chunked.status() == 413
    declared.close()
    chunked.close()
    assert await still_there(market)


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"email":' * 20_000, b'{"email": ' + b"9" * 200_000 + b"}",
     b'{"email": "\xff\xfe"}', b'{"email": "\\ud800"}', b'{"email": "a", "email": "b"}'],
    ids=["deep list", "deep object", "long number", "no text", "half a character", "twice"],
)  # fmt: skip
async def test_strange_json_is_refused_with_a_word(market: Marketplace, body: bytes) -> None:
    """Depth, length and broken characters are the sender's mistake, quickly found."""
    json = {"Content-Type": "application/json"}
    status, refused = await market.call("POST", SIGN_IN, data=body, headers=json)
    assert status in (400, 422), refused
    assert refused["code"] in ("json_invalid", "shape_invalid", "text_unusable")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v1/expertise HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /v1/expertise HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"X-%d: a\r\n" % n for n in range(5_000))
        + b"\r\n",
        b"GET /v1/mentors?" + b"&".join(b"q%d=1" % n for n in range(20_000)) + b" HTTP/1.1\r\n\r\n",
        b"GET /v1/expertise HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/sign-ins HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["long header", "many headers", "many parameters", "two lengths", "negative length"],
)
async def test_heads_that_are_bombs_or_smuggle_are_refused(
    market: Marketplace, sent: bytes
) -> None:
    """No head is taken that is too large, or whose body two servers could read differently."""
    bomb = await wire(market)
    await bomb.send(sent)
    assert await bomb.status() == 400
    bomb.close()
    assert await still_there(market)


async def test_many_parameters_are_refused_without_effort(market: Marketplace) -> None:
    """What just fits into a head is looked at once."""
    query = "&".join(f"q{number}=1" for number in range(800))
    status, refused = await market.call("GET", f"/v1/mentors?{query}")
    assert (status, refused["code"]) == (422, "shape_invalid")


async def test_who_only_connects_is_sent_away() -> None:
    """Hundreds of connections that send no head, or a letter of it, end by themselves.

    Meanwhile others are served. Every process of ours serves by this runner.
    """

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application(middlewares=[observe])
    app.router.add_get("/", hello)
    serving = runner(app, drain_seconds=1, idle_seconds=IMPATIENT_SECONDS)
    await serving.setup()
    await web.TCPSite(serving, "127.0.0.1", 0).start()
    host, port = serving.addresses[0][:2]
    idlers = [await connect(host, port) for _ in range(IDLERS)]
    for number, idler in enumerate(idlers):
        await idler.send(b"GET / HTTP/1.1\r\nX-Slow: "[: number % 26])
    served = await connect(host, port)
    await served.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await served.status() == 200
    assert all(await asyncio.gather(*(idler.ended() for idler in idlers)))
    assert IMPATIENT_SECONDS < IDLE_SECONDS < ANSWER_SECONDS * 2
    await serving.cleanup()


EMPTY = "UPDATE rate_buckets SET tokens = 0, filled_at = now() + interval '1 h' WHERE name LIKE $1"
"""The future keeps a bucket from filling while the test goes on."""
FULL = "UPDATE rate_buckets SET filled_at = now() - interval '1 h' WHERE name LIKE $1"
ONE_LEFT = """
UPDATE rate_buckets SET tokens = 1, filled_at = now() WHERE name LIKE 'sign_in_failures:%'
"""
LEFT = "SELECT tokens FROM rate_buckets WHERE name LIKE 'sign_in_failures:%'"


async def test_guessing_at_one_account_is_slowed_from_wherever_it_comes(
    market: Marketplace,
) -> None:
    """Once its wrong passwords are used up, even the right one must wait; other accounts go on.

    An address nobody has is treated the same, and no bucket says whose it is.
    """
    ada, bob = [await market.person(f"{name}@mentorium.test") for name in ("ada", "bob")]
    for email in (ada.email, "nobody@mentorium.test"):
        await market.pool.execute("DELETE FROM rate_buckets")
        assert await guess(market, email) == 401
        assert await market.pool.fetchval(LEFT) == SIGN_IN_FAILURES.burst - 1
        await market.pool.execute(EMPTY, "sign_in_failures:%")
        assert await guess(market, email) == 429
        assert await guess(market, email.upper(), PASSWORD) == 429
        assert await guess(market, bob.email, PASSWORD) == 201
        await market.pool.execute(FULL, "sign_in_failures:%")
    assert await guess(market, "nobody@mentorium.test") == 401
    names = [row["name"] for row in await market.pool.fetch("SELECT name FROM rate_buckets")]
    assert not [name for name in names if "nobody" in name]


async def test_guesses_made_at_once_are_counted_before_any_is_looked_at(
    market: Marketplace,
) -> None:
    """Behind one token a right password among many wrong ones helps nobody; alone it is free."""
    ada = await market.person("ada@mentorium.test")
    await market.pool.execute("DELETE FROM rate_buckets")
    for _ in range(2):
        assert await guess(market, ada.email, PASSWORD) == 201
        assert await market.pool.fetchval(LEFT) == SIGN_IN_FAILURES.burst
    await market.pool.execute(ONE_LEFT)
    wrong = [guess(market, ada.email) for _ in range(GUESSES_AT_ONCE)]
    *refused, right = await asyncio.gather(*wrong, guess(market, ada.email, PASSWORD))
    assert set(refused) == {401, 429}
    assert right == 429


async def guess(market: Marketplace, email: str, password: str = "wrong") -> int:  # noqa: S107
    """Try to sign in; return the status."""
    status, _ = await market.call("POST", SIGN_IN, json={"email": email, "password": password})
    return status


async def test_a_flood_of_sign_ins_from_one_address_is_slowed(market: Marketplace) -> None:
    """Whatever accounts it tries, the next answer is to wait, with the seconds to wait."""
    assert await guess(market, "0@b.test") == 401
    await market.pool.execute(EMPTY, "sign_in:%")
    for number in range(1, 5):
        body = {"email": f"{number}@b.test", "password": "x"}
        async with market.client.post(SIGN_IN, json=body) as answer:
            assert answer.status == 429
            assert int(answer.headers["Retry-After"]) >= 1 / SIGN_IN_PER_ADDRESS.per_second


NAMES = ["Ada\u202eadA", "Ada\u2066", "Ada\u200bL", "Ada\u0085L", "Ada\u2028L", "\ufeffAda", "A\rB"]
GOOD_NAMES = ["Ádá Ångström", "नेहा क्‍ष", "محمد‌رضا", "王小明", "Jean-Luc O’Neil", "🦊 Fox"]


async def test_names_turn_no_text_around(market: Marketplace) -> None:
    """Unseen characters that end lines or turn the order are refused; no script of people's is."""
    for name in NAMES:
        status, refused = await market.sign_up("ada@mentorium.test", name=name)
        assert (status, refused["errors"][0]["pointer"]) == (422, "/name"), ascii(name)
    for number, name in enumerate(GOOD_NAMES):
        assert (await market.sign_up(f"p{number}@mentorium.test", name=name))[0] == 202, name


async def test_an_address_that_looks_like_the_operators_is_not_the_operators(
    market: Marketplace, operator: Person
) -> None:
    """Case makes no other account, and a look-alike letter no operator."""
    status, told = await market.sign_up(OPERATOR.upper())
    assert (status, told) == (202, {"status": "check_your_mail"})
    assert await market.pool.fetchval("SELECT count(*) FROM people") == 1
    for looks in ("\u043eperator@mentorium.test", "operat\u03bfr@mentorium.test"):
        made = await market.person(looks)
        assert made.person_id != operator.person_id
        assert made.roles == ["mentee"]
    for twisted in ("operator@mentorium.test\u202e", "operator@mentorium.test\r\nBcc: a@b.de"):
        status, refused = await market.sign_up(twisted)
        assert (status, refused["code"]) == (422, "email_unusable")


async def test_a_key_of_one_person_is_another_persons_own(market: Marketplace) -> None:
    """The same Idempotency-Key never shows an answer that somebody else got."""
    ada, bob = [await market.person(f"{name}@mentorium.test") for name in ("ada", "bob")]
    answers: list[tuple[int, Any]] = []
    for who, headline in ((ada, "Ada's"), (bob, "Bob's")):
        await market.call(
            "PUT", "/v1/me/mentor-profile", as_=who, version=0, json={"headline": headline}
        )
        answers.append(
            await market.call(
                "POST", "/v1/me/mentor-profile/submit", as_=who, headers={"Idempotency-Key": "same"}
            )
        )
    assert [status for status, _ in answers] == [409, 409]
    kept = await market.pool.fetchval("SELECT count(*) FROM idempotency")
    assert kept == 0, "only committed outcomes are kept"
