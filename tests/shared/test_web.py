"""The HTTP layer: strict input, stable codes, one effect per intent, no peeking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from joserfc.jwk import ECKey, KeySet
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field

from shared.auth import Principal, Role, Verifier, sign_access_token
from shared.clock import FixedClock
from shared.db import Connection, Pool
from shared.errors import Kind, Refusal
from shared.ids import PersonId, new_id
from shared.limits import FORGET_AFTER, Limit, Limiter, prune_buckets
from shared.web import (
    ANYONE,
    Api,
    Body,
    Call,
    Page,
    PageQuery,
    Text,
    Versioned,
    View,
    WholeNumber,
)
from shared.web.api import VersionOutdated
from shared.web.openapi import document
from shared.web.server import MAX_BODY_BYTES, Surroundings, build
from tests.shared.conftest import COUNT, INSTANT

KEY = ECKey.generate_key("P-256", {"kid": "test"})
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "test"})
api = Api("test")
Client = TestClient[Request, Application]


class CounterFull(Refusal):
    """The counter takes no more."""

    code = "counter_full"
    kind = Kind.CONFLICT
    detail = "Take another counter."


class Raise(Body):
    """How much to add."""

    amount: Annotated[WholeNumber, Field(ge=1, le=100)]
    note: Text = "none"


class Counter(View):
    """A counter."""

    key: str
    total: int


@api.post("/v1/counters/{key}/raises", idempotent=True, refusals=(CounterFull,))
async def raise_by(call: Call, conn: Connection, key: UUID, body: Raise) -> Counter:
    """Raise a counter."""
    await conn.execute(COUNT, f"{call.person_id}:{key}", 1, body.amount)
    if body.amount == 100:
        raise CounterFull
    total = await conn.fetchval(
        "SELECT total FROM counters WHERE key = $1", f"{call.person_id}:{key}"
    )
    return Counter(key=str(key), total=total)


@api.put("/v1/counters/{key}", versioned=True, refusals=(VersionOutdated,))
async def set_counter(call: Call, key: str, body: Raise) -> Annotated[Versioned, Counter]:
    """Set a counter that two people may edit."""
    if call.expected_version() != 3:
        raise VersionOutdated
    return Versioned(Counter(key=key, total=body.amount), version=4)


@api.get("/v1/counters", may=ANYONE)
async def list_counters(call: Call, query: PageQuery) -> Page[Counter]:
    """List counters."""
    after = int((query.after() or ["0"])[0])
    items = [Counter(key=str(n), total=n) for n in range(after + 1, after + 1 + query.limit)]
    return Page[Counter](items=items, next_cursor=Page.cursor(items[-1].key))


@api.get("/v1/operator", may=Role.OPERATOR)
async def only_operators(call: Call) -> Counter:
    """Show what only operators see."""
    return Counter(key="o", total=1)


@api.get("/v1/broken", may=ANYONE)
async def broken(call: Call) -> Counter:
    """Fail by our own mistake."""
    raise RuntimeError("the password is hunter2")


@api.get("/v1/away", may=ANYONE)
async def away(call: Call) -> Counter:
    """Fail because the database is away."""
    raise ConnectionResetError


@api.post("/v1/limited", may=ANYONE, limit=Limit("test", burst=3, per_second=0.01))
async def limited(call: Call) -> Counter:
    """Answer three times."""
    return Counter(key="l", total=1)


@pytest.fixture
async def client(pool: Pool) -> AsyncGenerator[Client]:
    """Give a client of a server with these routes."""

    async def keys() -> KeySet:
        return KeySet([KEY])

    limiter = Limiter(pool)
    around = Surroundings(lambda: pool, FixedClock(INSTANT), Verifier(keys), lambda: limiter)
    async with TestClient(TestServer(build(api, around))) as made:
        yield made


def bearer(*roles: Role, key: ECKey = KEY, person: UUID | None = None) -> dict[str, str]:
    """Return the header of a signed-in person."""
    principal = Principal(
        PersonId(person or new_id()), frozenset(roles or (Role.MENTEE,)), new_id()
    )
    return {"Authorization": f"Bearer {sign_access_token(key, principal)}"}


async def _problem(response: aiohttp.ClientResponse, status: int) -> str:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    read = await response.json()
    assert read["status"] == status
    assert read["detail"]
    assert read["trace_id"] == response.headers["X-Trace-Id"]
    return str(read["code"])


PATH = f"/v1/counters/{new_id()}/raises"
BAD_BODIES = [
    (b"", 400, "json_invalid"),
    (b"{", 400, "json_invalid"),
    (b"\xff\xfe", 400, "json_invalid"),
    (b"[]", 422, "shape_invalid"),
    (b'{"amount": 0}', 422, "shape_invalid"),
    (b'{"amount": "1"}', 422, "shape_invalid"),
    (b'{"amount": 1.5}', 422, "shape_invalid"),
    (b'{"amount": 1, "extra": 1}', 422, "shape_invalid"),
    (b'{"amount": 1, "note": "a\\u0000b"}', 422, "text_unusable"),
    (b'{"amount": 1, "note": "\\ud800"}', 400, "json_invalid"),
    (b'{"amount": 1e400}', 422, "shape_invalid"),
    (b'{"amount": NaN}', 422, "shape_invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES)
async def test_a_bad_body_gets_a_stable_code_and_changes_nothing(
    client: Client, pool: Pool, body: bytes, status: int, code: str
) -> None:
    """Every malformed body is explained, and no row is written."""
    headers = {**bearer(), "Idempotency-Key": "k", "Content-Type": "application/json"}
    assert await _problem(await client.post(PATH, data=body, headers=headers), status) == code
    assert await pool.fetchval("SELECT count(*) FROM counters") == 0
    assert await pool.fetchval("SELECT count(*) FROM idempotency") == 0


async def test_302_point_0_is_a_whole_number(client: Client) -> None:
    """JSON has one kind of number: 3.0 is an integer to JSON Schema, so it is one here."""
    headers = {**bearer(), "Idempotency-Key": "k", "Content-Type": "application/json"}
    response = await client.post(PATH, data=b'{"amount": 3.0}', headers=headers)
    assert (await response.json())["total"] == 3


async def test_what_the_server_itself_refuses_is_a_problem_document_too(client: Client) -> None:
    """Unknown routes, methods, types and sizes speak the same language."""
    assert await _problem(await client.get("/nothing"), 404) == "route_not_found"
    response = await client.delete("/v1/counters")
    assert await _problem(response, 405) == "method_not_allowed"
    assert "GET" in response.headers["Allow"]
    headers = {**bearer(), "Idempotency-Key": "k"}
    response = await client.post(PATH, data=b"amount=1", headers=headers)
    assert await _problem(response, 415) == "content_type_unsupported"
    response = await client.post(PATH, data=b" " * (MAX_BODY_BYTES + 1), headers=headers)
    assert await _problem(response, 413) == "body_too_large"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "colour=red", "limit=%00"]
)
async def test_a_bad_query_is_refused(client: Client, query: str) -> None:
    """Ranges, types, repeats and unknown parameters are looked at."""
    response = await client.get(f"/v1/counters?{query}")
    assert await _problem(response, 422) in ("shape_invalid", "text_unusable")


@pytest.mark.parametrize("cursor", ["x", "////", "W10=", "WzFd", "eyJhIjoxfQ=="])
async def test_a_made_up_cursor_is_refused_or_begins_anew(client: Client, cursor: str) -> None:
    """A cursor is opaque; one that no page gave is not an error of ours."""
    response = await client.get("/v1/counters", params={"cursor": cursor})
    assert response.status in (200, 422)


async def test_a_cursor_with_text_that_no_database_holds_is_refused(client: Client) -> None:
    """U+0000 is hidden from the look at the query, inside the cursor."""
    cursor = {"cursor": Page.cursor("a\0b")}
    response = await client.get("/v1/counters", params=cursor)
    assert await _problem(response, 422) == "cursor_invalid"


async def test_pages_continue_where_they_ended(client: Client) -> None:
    """The cursor of a page leads to the next one."""
    first = await (await client.get("/v1/counters?limit=2")).json()
    second = await (
        await client.get("/v1/counters", params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()
    assert [item["total"] for item in first["items"] + second["items"]] == [1, 2, 3, 4]


async def test_one_intent_acts_once(client: Client, pool: Pool) -> None:
    """The same key and body twenty times at once: one effect, one answer, given to all."""
    headers = {**bearer(), "Idempotency-Key": "pay-once"}
    responses = await asyncio.gather(
        *(client.post(PATH, json={"amount": 5}, headers=headers) for _ in range(20))
    )
    assert {response.status for response in responses} == {201}
    assert {await response.text() for response in responses} == {
        json.dumps({"key": PATH.split("/")[3], "total": 5}, separators=(",", ":"))
    }
    replayed = [r.headers.get("Idempotency-Replayed") for r in responses]
    assert replayed.count(None) == 1
    assert await pool.fetchval("SELECT total FROM counters") == 5


async def test_a_key_belongs_to_one_body_and_one_person(client: Client) -> None:
    """Another body with the key is refused; another person's same key is another intent."""
    mine = {**bearer(), "Idempotency-Key": "k"}
    await client.post(PATH, json={"amount": 1}, headers=mine)
    response = await client.post(PATH, json={"amount": 2}, headers=mine)
    assert await _problem(response, 409) == "idempotency_key_reused"
    theirs = {**bearer(), "Idempotency-Key": "k"}
    assert (await client.post(PATH, json={"amount": 2}, headers=theirs)).status == 201


async def test_only_committed_outcomes_are_kept(client: Client, pool: Pool) -> None:
    """A refused request leaves nothing: corrected, it may come again under its key."""
    headers = {**bearer(), "Idempotency-Key": "k"}
    response = await client.post(PATH, json={"amount": 100}, headers=headers)
    assert await _problem(response, 409) == "counter_full"
    assert await pool.fetchval("SELECT count(*) FROM counters") == 0
    assert (await client.post(PATH, json={"amount": 99}, headers=headers)).status == 201


async def test_a_request_that_creates_needs_a_key(client: Client) -> None:
    """Without Idempotency-Key nothing is created."""
    response = await client.post(PATH, json={"amount": 1}, headers=bearer())
    assert await _problem(response, 428) == "idempotency_key_missing"


async def test_two_editors_do_not_overwrite_each_other(client: Client) -> None:
    """If-Match is asked for, compared, and the new version comes back."""
    send = {"json": {"amount": 1}}
    who = bearer()
    assert await _problem(await client.put("/v1/counters/a", **send, headers=who), 428) == (
        "version_missing"
    )
    for old in ('"2"', "x", '"99999999999999999999"'):
        response = await client.put("/v1/counters/a", **send, headers={**who, "If-Match": old})
        assert await _problem(response, 412) == "version_outdated"
    response = await client.put("/v1/counters/a", **send, headers={**who, "If-Match": '"3"'})
    assert response.headers["ETag"] == '"4"'


async def test_nobody_gets_in_with_a_bad_token(client: Client) -> None:
    """Missing, foreign, altered and nonsense tokens are told apart from missing roles."""
    get = client.get
    assert await _problem(await get("/v1/operator"), 401) == "token_missing"
    for sent in ("Basic x", "Bearer", "Bearer x.y.z", "Bearer " + "a" * 5000):
        response = await get("/v1/operator", headers={"Authorization": sent})
        assert await _problem(response, 401) == "token_invalid"
    forged = bearer(Role.OPERATOR, key=OTHER_KEY)
    assert await _problem(await get("/v1/operator", headers=forged), 401) == "token_invalid"
    assert await _problem(await get("/v1/operator", headers=bearer()), 403) == "role_missing"
    assert (await get("/v1/operator", headers=bearer(Role.OPERATOR))).status == 200


async def test_our_mistakes_show_nothing_and_outages_say_try_again(client: Client) -> None:
    """500 carries no detail of the error; 503 says when to come again."""
    response = await client.get("/v1/broken")
    assert "hunter2" not in await response.text()
    assert await _problem(response, 500) == "internal_error"
    response = await client.get("/v1/away")
    assert await _problem(response, 503) == "try_again"
    assert response.headers["Retry-After"]


async def test_a_flood_is_slowed(client: Client) -> None:
    """After the burst the answer is 429 with the time to wait."""
    answers = [await client.post("/v1/limited") for _ in range(4)]
    assert [answer.status for answer in answers] == [201, 201, 201, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


async def test_who_stayed_away_is_forgotten(pool: Pool) -> None:
    """Buckets are made by whoever comes by, so they must go again; a recent one counts on."""
    limiter = Limiter(pool)
    for subject in ("gone", "here"):
        await limiter.spend(Limit("test", burst=1, per_second=0.01), subject)
    await pool.execute(
        "UPDATE rate_buckets SET filled_at = filled_at - $1::interval WHERE name = 'test:gone'",
        FORGET_AFTER,
    )
    assert await prune_buckets(pool) == 1
    assert await pool.fetchval("SELECT array_agg(name) FROM rate_buckets") == ["test:here"]


async def test_ids_have_one_spelling(client: Client) -> None:
    """A path that is no id of ours is 404, not 500."""
    headers = {**bearer(), "Idempotency-Key": "k"}
    for name in ("x", "%00", "{12345678-1234-5678-1234-567812345678}", "1" * 32):
        response = await client.post(
            f"/v1/counters/{name}/raises", json={"amount": 1}, headers=headers
        )
        assert await _problem(response, 404) in ("not_found", "route_not_found")


async def test_every_answer_carries_the_security_headers(client: Client) -> None:
    """Good and bad answers alike."""
    for path in ("/v1/counters", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]


async def test_a_trace_that_comes_in_goes_on(client: Client) -> None:
    """The caller's trace id is kept (W3C Trace Context)."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    response = await client.get("/v1/counters", headers={"traceparent": parent})
    assert response.headers["X-Trace-Id"] == "0af7651916cd43dd8448eb211c80319c"


def test_the_document_is_valid_openapi_31() -> None:
    """What /openapi.json says validates against OpenAPI 3.1 and names every refusal."""
    described = document(api, version="1")
    OpenAPIV31SpecValidator(described).validate()
    conflict = described["paths"]["/v1/counters/{key}/raises"]["post"]["responses"]["409"]
    refusal = described["components"]["responses"][conflict["$ref"].rsplit("/", 1)[1]]
    assert "counter_full" in refusal["description"]
