"""What holds for every endpoint: keys, idempotency, pages, expansion, metadata, errors, faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal, get_args

import aiohttp
import pytest
import stripe

from simulators.stripe.api import ROUTES
from simulators.stripe.params import Shape
from tests.simulators.stripe.conftest import API_KEY, World, open_client
from tests.simulators.stripe.schema import accepted_parameters, check, description

HEADERS = {"Authorization": f"Bearer {API_KEY}"}


async def _post(world: World, path: str, data: Any, key: str | None = None) -> Any:
    headers = {**HEADERS, **({"Idempotency-Key": key} if key else {})}
    async with world.http.post(path, data=data, headers=headers) as answer:
        body = await answer.json()
        check(body)
        return answer.status, body, answer.headers


async def _customers(world: World) -> int:
    return len((await world.api.customers.list_async({"limit": 100})).data)


@pytest.mark.parametrize("secret", [None, "sk_live_1", "nonsense"])
async def test_only_test_keys_are_let_in(world: World, secret: str | None) -> None:
    """https://docs.stripe.com/api/authentication."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with world.http.get("/v1/customers", headers=headers) as answer:
        assert answer.status == 401
        check(await answer.json())


async def test_a_key_replays_its_answer(world: World) -> None:
    """https://docs.stripe.com/api/idempotent_requests."""
    _, first, head = await _post(world, "/v1/customers", {"name": "A"}, "k1")
    assert "Idempotent-Replayed" not in head
    status, second, again = await _post(world, "/v1/customers", {"name": "A"}, "k1")
    assert (status, second) == (200, first)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Original-Request"] == head["Request-Id"] != again["Request-Id"]
    assert await _customers(world) == 1


async def test_a_key_with_other_parameters_is_refused(world: World) -> None:
    """https://docs.stripe.com/error-low-level#idempotency."""
    await _post(world, "/v1/customers", {"name": "A"}, "k1")
    for path, data in (("/v1/customers", {"name": "B"}), ("/v1/accounts", {"type": "express"})):
        status, body, _ = await _post(world, path, data, "k1")
        assert (status, body["error"]["type"]) == (400, "idempotency_error")


async def test_a_key_is_forgotten_after_a_day_of_the_business_clock(world: World) -> None:
    """https://docs.stripe.com/api/idempotent_requests: pruned after at least 24 hours."""
    await _post(world, "/v1/customers", {"name": "A"}, "k1")
    await world.advance(hours=23.9)
    await _post(world, "/v1/customers", {"name": "A"}, "k1")
    assert await _customers(world) == 1
    await world.advance(hours=0.2)
    await _post(world, "/v1/customers", {"name": "A"}, "k1")
    assert await _customers(world) == 2


async def test_a_validation_error_is_not_stored_but_a_refusal_is(world: World) -> None:
    """https://docs.stripe.com/api/idempotent_requests: only what began to execute is kept."""
    assert (await _post(world, "/v1/customers", {"nonsense": "1"}, "k1"))[0] == 400
    assert (await _post(world, "/v1/customers", {"name": "A"}, "k1"))[0] == 200
    mentor = await world.mentor()
    given = {"amount": 1_000, "currency": "usd", "destination": mentor.id}
    assert (await _post(world, "/v1/transfers", given, "k2"))[0] == 400
    await world.paid("4000000000000077")
    status, body, head = await _post(world, "/v1/transfers", given, "k2")
    assert (status, body["error"]["code"]) == (400, "balance_insufficient")
    assert head["Idempotent-Replayed"] == "true"


async def test_a_twin_in_flight_is_refused(world: World) -> None:
    """https://docs.stripe.com/error-codes#idempotency-key-in-use."""
    await world.sim("POST", "/faults", {"kind": "slow", "seconds": 0.5})
    slow = asyncio.create_task(_post(world, "/v1/customers", {"name": "A"}, "k1"))

    async def refused() -> bool:
        return (await _post(world, "/v1/customers", {"name": "A"}, "k1"))[0] == 409

    async with asyncio.timeout(5):
        while (await world.sim("GET", "/faults"))["faults"]:
            await asyncio.sleep(0.01)
        assert await refused()
    assert (await slow)[0] == 200
    assert await _customers(world) == 1


@pytest.mark.parametrize(("kind", "made"), [("500_before", 0), ("500_after", 1)])
async def test_a_500_is_stored_and_replayed(world: World, kind: str, made: int) -> None:
    """https://docs.stripe.com/error-low-level#server-errors: indeterminate; the key replays it."""
    await world.sim("POST", "/faults", {"kind": kind, "path": "/v1/customers"})
    assert (await _post(world, "/v1/customers", {"name": "A"}, "k1"))[0] == 500
    status, _, head = await _post(world, "/v1/customers", {"name": "A"}, "k1")
    assert (status, head["Idempotent-Replayed"], head["Stripe-Should-Retry"]) == (
        500,
        "true",
        "false",
    )
    assert await _customers(world) == made


async def test_rate_limits_are_not_stored(world: World) -> None:
    """https://docs.stripe.com/rate-limits."""
    await world.sim("POST", "/faults", {"kind": "429", "method": "POST"})
    with pytest.raises(stripe.RateLimitError):
        await world.api.customers.create_async({"name": "A"}, {"idempotency_key": "k1"})
    await world.api.customers.create_async({"name": "A"}, {"idempotency_key": "k1"})
    assert await _customers(world) == 1


@pytest.mark.parametrize(("kind", "made"), [("timeout_before", 0), ("timeout_after", 1)])
async def test_timeouts_come_before_or_after_the_effect(world: World, kind: str, made: int) -> None:
    """https://docs.stripe.com/error-low-level#network-failures: the effect is unknown."""
    await world.sim("POST", "/faults", {"kind": kind, "method": "POST"})
    with pytest.raises(TimeoutError):
        async with world.http.post(
            "/v1/customers",
            data={"name": "A"},
            headers={**HEADERS, "Idempotency-Key": "k1"},
            timeout=aiohttp.ClientTimeout(total=0.3),
        ):
            pass
    assert await _customers(world) == made
    assert (await _post(world, "/v1/customers", {"name": "A"}, "k1"))[0] == 200
    assert await _customers(world) == 1


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
async def test_the_sdk_retries_a_broken_connection_to_one_effect(world: World, kind: str) -> None:
    """https://docs.stripe.com/error-low-level#network-failures: retry with the same key."""
    await world.sim("POST", "/faults", {"kind": kind, "method": "POST"})
    async with open_client(world.url, retries=2) as client:
        await client.v1.customers.create_async({"name": "A"})
    assert await _customers(world) == 1


async def test_faults_follow_their_seed(world: World) -> None:
    """https://docs.stripe.com/rate-limits, by dice: the same seed gives the same trouble."""
    runs: list[list[int]] = []
    for _ in range(2):
        fault = {"kind": "429", "count": None, "probability": 0.5, "seed": 7}
        await world.sim("POST", "/faults", fault)
        runs.append([(await _post(world, "/v1/customers", {}))[0] for _ in range(12)])
        await world.sim("DELETE", "/faults")
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 429}


async def test_pages_go_both_ways(world: World) -> None:
    """https://docs.stripe.com/api/pagination."""
    made = [(await world.api.customers.create_async({"name": str(n)})).id for n in range(5)]
    newest_first = made[::-1]
    first = await world.api.customers.list_async({"limit": 2})
    assert [each.id for each in first.data] == newest_first[:2]
    assert first.has_more
    rest = await world.api.customers.list_async({"limit": 3, "starting_after": newest_first[1]})
    assert [each.id for each in rest.data] == newest_first[2:]
    assert not rest.has_more
    back = await world.api.customers.list_async({"limit": 2, "ending_before": newest_first[3]})
    assert [each.id for each in back.data] == newest_first[1:3]
    assert back.has_more
    every = [each.id async for each in first.auto_paging_iter()]
    assert every == newest_first
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.customers.list_async({"limit": 101})


async def test_lists_filter_by_time(world: World) -> None:
    """https://docs.stripe.com/api/customers/list#list_customers-created."""
    old = await world.api.customers.create_async({"name": "old"})
    await world.advance(hours=1)
    new = await world.api.customers.create_async({"name": "new"})
    found = await world.api.customers.list_async({"created": {"gt": old.created}})
    assert [each.id for each in found.data] == [new.id]
    found = await world.api.customers.list_async({"created": {"lte": old.created}})
    assert [each.id for each in found.data] == [old.id]


async def test_lists_and_objects_expand(world: World) -> None:
    """https://docs.stripe.com/api/expanding_objects."""
    await world.paid()
    listed = await world.api.charges.list_async(
        {"expand": ["data.balance_transaction", "data.payment_intent.customer"]}
    )
    assert listed.data[0].balance_transaction.net == 11_622
    assert listed.data[0].payment_intent.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await world.api.charges.list_async({"expand": ["data.amount"]})


@pytest.mark.parametrize(
    "metadata",
    [{str(n): "x" for n in range(51)}, {"k" * 41: "x"}, {"k": "x" * 501}],
)
async def test_metadata_has_limits(world: World, metadata: dict[str, str]) -> None:
    """https://docs.stripe.com/metadata#considerations."""
    with pytest.raises(stripe.InvalidRequestError):
        await world.api.customers.create_async({"metadata": metadata})


async def test_unknown_paths_and_objects_are_404(world: World) -> None:
    """https://docs.stripe.com/error-codes#resource-missing."""
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await world.api.transfers.retrieve_async("tr_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    async with world.http.get("/v1/nonsense", headers=HEADERS) as answer:
        assert answer.status == 404
        assert "Unrecognized request URL" in (await answer.json())["error"]["message"]


async def test_versions_and_request_ids_are_answered(world: World) -> None:
    """https://docs.stripe.com/api/versioning, https://docs.stripe.com/api/request_ids."""
    headers = {**HEADERS, "Stripe-Version": "2026-08-26.dahlia"}
    async with world.http.get("/v1/customers", headers=headers) as answer:
        assert answer.headers["Stripe-Version"] == "2026-08-26.dahlia"
        assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    "body", [b"\xff\xfe=\xff", b"a[b]=1&a=2", b"a=1&a[b]=2", b"[]=1&&==", b"%"]
)
async def test_mangled_bodies_are_refused(world: World, body: bytes) -> None:
    """https://docs.stripe.com/api/errors: a 400, never a 500."""
    headers = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    async with world.http.post("/v1/customers", data=body, headers=headers) as answer:
        assert answer.status == 400
        check(json.loads(await answer.text()))


def test_every_route_and_parameter_is_one_of_stripes() -> None:
    """https://github.com/stripe/openapi: nothing here is invented."""
    paths = description()["paths"]
    for route in ROUTES:
        known = next(path for path in paths if _same(path, route.path))
        accepted = set(accepted_parameters(route.method, known))
        mine = set(route.params.model_fields) - {"expand"}
        assert mine <= accepted, f"{route.method} {route.path}: {mine - accepted}"
        assert issubclass(route.params, Shape)


def _same(theirs: str, mine: str) -> bool:
    pairs = zip(theirs.split("/"), mine.split("/"), strict=False)
    alike = all(a == b or (a[:1] == "{" and b[:1] == "{") for a, b in pairs)
    return alike and theirs.count("/") == mine.count("/")


Broken = Literal["missing", "invented", "mistyped", "invented inside", "invented in a list"]


@pytest.mark.parametrize("how", get_args(Broken))
async def test_the_schema_check_can_fail(world: World, how: Broken) -> None:
    """The control of every other test here: a wrong answer does not pass, however deep it errs."""
    expand = ["balance_transaction"]
    charge = await world.api.charges.retrieve_async((await world.paid()).id, {"expand": expand})
    bad = json.loads(str(charge))
    check(bad)
    match how:
        case "missing":
            del bad["amount"]
        case "mistyped":
            bad["amount"] = "12000"
        case "invented":
            bad["colour"] = "red"
        case "invented inside":
            bad["payment_method_details"]["card"]["colour"] = "red"
        case "invented in a list":
            bad["balance_transaction"]["fee_details"][0]["colour"] = "red"
    with pytest.raises(AssertionError):
        check(bad)


async def test_a_list_has_no_field_of_its_own(world: World) -> None:
    """The control of the lists: an invented field beside `data` does not pass."""
    listed = json.loads(str(await world.api.customers.list_async()))
    check(listed)
    with pytest.raises(AssertionError, match="colour"):
        check({**listed, "colour": "red"})
