"""Two tiny worlds on the engines that all tests share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from bench.engines import Engines
from bench.suites import Sizes, Worlds, worlds
from tests.engines import Databases, KafkaServer

TINY = Sizes(
    rounds=1,
    holds=8,
    events=20,
    handled=12,
    requests=8,
    few=40,
    many=60,
    of_mentor=(200,),
    clients=(1, 3),
    notices=40,
    postings=16,
    entries=(30, 60),
)


def silently(_text: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="session")
async def both(databases: Databases, kafka: KafkaServer) -> AsyncGenerator[Worlds]:
    """Give two worlds with a few stored sessions each."""
    made: list[str] = []

    async def new_database(service: str) -> str:
        database = await databases.create(service)
        made.append(database.name)
        return database.app_url(service)

    async with worlds(Engines(kafka.bootstrap, new_database), TINY, silently) as both:
        yield both
    for name in made:
        await databases.drop(name)
