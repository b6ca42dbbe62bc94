"""Requests per second: a read, a write and a hold over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from bench import holds
from bench.bare_api import PERSON
from bench.load import fire, request
from bench.rounds import Work
from bench.servers import Api
from bench.world import MENTEE, ORDER, World, numbered
from shared.ids import PersonId, new_id

READ, CREATED = 200, 201
REQUESTS_PER_PERSON = 50
"""Few enough for nobody to meet a limit."""
COUNT_GOALS = "SELECT count(*) FROM goals"


async def read_ours(world: World, api: Api, count: int) -> Work:
    """Read orders as the people who bought them."""
    return await _read(api.url, _reads(world, api, count))


async def read_bare(world: World, api: Api, url: str, count: int) -> Work:
    """Read the same orders, with the same bytes, from the control."""
    return await _read(url, _reads(world, api, count))


async def _read(url: str, requests: Sequence[bytes]) -> Work:
    answers = await fire(url, requests)
    return Work(answers.statuses.get(READ, 0), answers.seconds)


def _reads(world: World, api: Api, count: int) -> list[bytes]:
    people = max(1, count // REQUESTS_PER_PERSON)
    made: list[bytes] = []
    for number in range(people):
        order = number * (world.stored // people)
        mentee = PersonId(numbered(MENTEE, order % world.mentees))
        head = {"Authorization": f"Bearer {api.token(mentee)}"}
        made.append(request("GET", f"/v1/orders/{numbered(ORDER, order)}", head))
    return made * (count // people)


async def write_ours(world: World, api: Api, count: int) -> Work:
    """Set goals as many people."""
    return await _write(world, api.url, _writes(api, count))


async def write_bare(world: World, api: Api, url: str, count: int) -> Work:
    """Send the same requests to the control."""
    return await _write(world, url, _writes(api, count))


async def _write(world: World, url: str, requests: Sequence[bytes]) -> Work:
    before = await world.count(COUNT_GOALS)
    answers = await fire(url, requests)
    return Work(await world.count(COUNT_GOALS) - before, answers.seconds)


def _writes(api: Api, count: int) -> list[bytes]:
    people = max(1, count // REQUESTS_PER_PERSON)
    ids = [PersonId(new_id()) for _ in range(people)]
    tokens = {person: f"Bearer {api.token(person)}" for person in ids}
    return [
        request(
            "POST", "/v1/goals",
            {
                "Authorization": tokens[ids[number % people]],
                "Idempotency-Key": str(number), PERSON: str(ids[number % people]),
            },
            {"title": "Lead my first team by autumn"},
        )
        for number in range(count)
    ]  # fmt: skip


async def hold_ours(world: World, api: Api, count: int) -> Work:
    """Hold slots over HTTP, each as somebody else."""
    requests = [_hold(world, api, number) for number in world.reserve_holds(count)]
    before = await world.count(holds.COUNT)
    answers = await fire(api.url, requests)
    return Work(await world.count(holds.COUNT) - before, answers.seconds)


def _hold(world: World, api: Api, number: int) -> bytes:
    wish = world.wish(number)
    return request(
        "POST", "/v1/orders",
        {
            "Authorization": f"Bearer {api.token(wish.mentee_id)}",
            "Idempotency-Key": str(number),
        },
        {
            "offering_id": str(world.offering(number)),
            "starts_at": wish.starts[0].starts_at.isoformat(),
            "accepted_policy": wish.accepted_policy.model_dump(),
        },
    )  # fmt: skip
