"""P16: nothing personal and no secret stands in the clear; the look for it sees what is planted.

The marketplace of all journeys is looked through once more when they are over (`conftest.py`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.marketplace import Marketplace
from tests.journeys.leaks import Known, leaks

pytestmark = pytest.mark.journey

NORA = Known("nora.planted@example.com", "Nora Planted", "Antarctica/Troll")
"""Somebody who has no account, so that what is planted of her is nobody's."""
TOPIC = "planted"
PLANT_ANSWER = """
INSERT INTO idempotency (principal, route, key, body_hash, status, headers, answer)
VALUES ('nobody', 'POST /v1/planted', 'planted', '', 200, '{}', $1)
"""
UPROOT_ANSWER = "DELETE FROM idempotency WHERE key = 'planted'"


@pytest.fixture
async def planted(market: Marketplace) -> AsyncGenerator[None]:
    """Leave what is personal about Nora in a log, on a topic and in an answer that is kept."""
    log = market.site.home.log("planted")
    log.write_text(f"somebody moved to {NORA.zone.upper()}\n")
    await _plant_record(market.site.kafka_bootstrap)
    conn = await asyncpg.connect(market.site.database_url("profiles_app"))
    await conn.execute(PLANT_ANSWER, f'{{"email": "{NORA.email}"}}'.encode())
    yield
    await conn.execute(UPROOT_ANSWER)
    await conn.close()
    log.unlink()


async def _plant_record(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait(TOPIC, b"{}", headers=[("who", NORA.name.encode())])
    await producer.stop()


@pytest.mark.usefixtures("planted")
async def test_what_is_planted_is_found(market: Marketplace) -> None:
    """The control: in each kind of place, in capitals, in a header and among bytes."""
    found = await leaks(market, NORA)
    assert [line.split(":")[0] for line in found] == [
        "a name in the topic planted",
        "a zone in the log planted.log",
        "an address in the table profiles.idempotency",
    ]
    assert not any(word in "".join(found) for word in (NORA.email, NORA.name, NORA.zone))
