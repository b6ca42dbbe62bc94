"""Every API does what its document says, to right and wrong requests, one by one and linked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from shared.auth import Role
from shared.limits import Limit, Limiter
from shared.web.openapi import document
from tests.contracts.conversation import People, Talk, talk
from tests.engines import Database
from tests.house.conftest import MakeDatabase, Serve, Served, describe, serve
from tests.house.sources import REPOSITORY, SERVICE_NAMES, present_services

__all__ = ["describe", "serve"]

PLANTED = ("tests/ops/planted.sql", "tests/contracts/open_market.sql")
WHO = {
    "mentor": (UUID(int=0xA), (Role.MENTOR, Role.MENTEE)),
    "mentee": (UUID(int=0xB), (Role.MENTEE,)),
    "operator": (UUID(int=0xC), (Role.OPERATOR, Role.MENTEE)),
}
"""The people who are planted, by the role in which they ask."""
SEED = 20260302
DEADLINE_SECONDS = 600.0
LONG_DEADLINE_SECONDS = 3600.0
HOW: Mapping[str, Any] = {
    "seed": SEED,
    "generation": {"mode": "all", "no-shrink": True, "database": "none", "allow-x00": False},
}
SAMPLE = {
    **HOW,
    "phases": {
        "examples": {"enabled": False},
        # Every boundary of what is right; the boundaries of what is wrong come in the long run.
        "coverage": {"generation": {"mode": "positive"}, "unexpected-methods": ["PATCH"]},
        "fuzzing": {"generation": {"max-examples": 1}},
        "stateful": {"generation": {"max-examples": 8}, "max-steps": 6},
    },
}
ALL = {
    **HOW,
    "phases": {
        "fuzzing": {"generation": {"max-examples": 100}},
        "stateful": {"generation": {"max-examples": 200}, "max-steps": 12},
    },
}
LINKED_AT_LEAST = {"profiles": 1, "booking": 3, "payments": 2, "notifications": 0}
"""Routes with an id in their path that must have answered: none would mean lost links."""
STEPS = "GET /v1/operator/orders/{order_id}/steps"
"""Answers to any id, with nothing."""


class Unhurried(Limiter):
    """Lets everybody in at once: limits have tests of their own."""

    async def spend(self, limit: Limit, subject: str) -> None:
        """Take no token."""


@pytest.mark.parametrize("service", present_services())
async def test_an_api_does_what_its_document_says(
    serve: Serve, database: MakeDatabase, service: str
):
    """A seeded sample: no wrong status, shape, header or content type, nothing unguarded."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        said = await _talk_with(await serve(service, await _market(database), Unhurried), SAMPLE)
    print(f"{service}: {dict(said.kinds)} requests, {dict(said.statuses)}")
    assert said.wrong == []
    linked = {route for route in said.served if "{" in route} - {STEPS}
    assert len(linked) >= LINKED_AT_LEAST[service], sorted(said.served)


@pytest.mark.long
@pytest.mark.parametrize("service", present_services())
async def test_an_api_does_what_its_document_says_for_hours(
    serve: Serve, database: MakeDatabase, service: str
):
    """The same with every boundary of right and wrong, and long ways along the links."""
    async with asyncio.timeout(LONG_DEADLINE_SECONDS):
        said = await _talk_with(await serve(service, await _market(database), Unhurried), ALL)
    assert said.wrong == []


async def _market(database: MakeDatabase) -> Database:
    own = await database(*SERVICE_NAMES)
    conn = await asyncpg.connect(own.superuser_url)
    for planted in PLANTED:
        await conn.execute((REPOSITORY / planted).read_text())
    await conn.close()
    return own


async def _talk_with(served: Served, how: Mapping[str, Any]) -> Talk:
    told = document(served.service.api, version=served.service.version)

    def sign(name: str) -> str:
        person_id, roles = WHO[name]
        return served.token(*roles, person_id=person_id)["Authorization"]

    # Schemathesis waits for each answer: it has a thread of its own, the server this loop.
    return await asyncio.to_thread(
        talk, told, str(served.client.make_url("")), People(sign), dict(how)
    )
