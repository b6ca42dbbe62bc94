"""The views others rest on, and the real process from `migrate` to an orderly end."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from openapi_spec_validator import OpenAPIV31SpecValidator

from dev.ports import LOOPBACK, free_ports
from shared.contracts.envelope import open_envelope
from shared.contracts.topics import TOPICS
from shared.seal import new_seal_key, public_half
from tests.engines import Database, KafkaServer
from tests.profiles.conftest import PASSWORD, Marketplace

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60.0
POLL_SECONDS = 0.1
STOP_SECONDS = 30.0
EMAIL = "ada.lovelace@mentorium.test"
VIEWS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'profiles' AND table_name = $1
"""


@pytest.mark.parametrize(("view", "instant"), [("due", "due_at"), ("in_flight", "since")])
async def test_the_views_others_rest_on_have_their_columns(
    market: Marketplace, view: str, instant: str
) -> None:
    """The launcher's clock, ops and metrics read them in every schema."""
    rows = await market.pool.fetch(VIEWS, view)
    assert {row["column_name"]: row["data_type"] for row in rows} == {
        "kind": "text", "subject": "text", instant: "timestamp with time zone",
    }  # fmt: skip


@asynccontextmanager
async def process(
    settings: dict[str, str], *arguments: str, log: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run the service; it is gone when the block ends."""
    with log.open("ab") as output:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.profiles", *arguments,
            cwd=ROOT, env=settings, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def answers(client: aiohttp.ClientSession) -> None:
    """Wait until the process is ready."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                async with client.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(POLL_SECONDS)


def environment(own: Database, kafka: KafkaServer, prefix: str) -> dict[str, str]:
    """Return what the launcher would tell the process."""
    return os.environ | {
        "MENTORIUM_ENV": "development",
        "PROFILES_DATABASE_URL": own.app_url("profiles"),
        "PROFILES_MIGRATE_DATABASE_URL": own.owner_url("profiles"),
        "PROFILES_KEY_SECRET": base64.b64encode(secrets.token_bytes(32)).decode(),
        "PROFILES_OPERATOR_EMAILS": "one@mentorium.test, two@mentorium.test",
        "PROFILES_WEB_URL": "https://mentorium.test",
        "SEAL_PUBLIC_KEY": public_half(new_seal_key()),
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": prefix,
    }


async def test_a_sign_up_becomes_facts_on_kafka(
    database: Callable[..., Awaitable[Database]],
    kafka: KafkaServer,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    """The process migrates, serves, announces in order, drains, and logs nothing personal."""
    own, log = await database("profiles", migrated=False), tmp_path / "log"
    settings = environment(own, kafka, topic_prefix)
    await make_topics(kafka, topic_prefix)
    async with process(settings, "migrate", log=log) as migrating, asyncio.timeout(READY_SECONDS):
        assert await migrating.wait() == 0, log.read_text()
    (port,) = free_ports(1)
    async with (
        process(settings, "all", "--port", str(port), log=log) as running,
        aiohttp.ClientSession(f"http://{LOOPBACK}:{port}") as client,
    ):
        await answers(client)
        async with client.get("/openapi.json") as answer:
            OpenAPIV31SpecValidator(await answer.json()).validate()
        body = {"email": EMAIL, "password": PASSWORD, "name": "Augusta Byron", "zone": "UTC"}
        async with client.post("/v1/accounts", json=body) as answer:
            assert answer.status == 202
        told = await listen(kafka, topic_prefix, 3)
        running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            assert await running.wait() == 0, log.read_text()
    assert {kind for kind, _ in told} == {"PersonRegistered", "ContactSealed", "MessageSealed"}
    for personal in (EMAIL, "lovelace", "Augusta", PASSWORD):
        assert personal not in log.read_text()
        assert not [data for _, data in told if personal.encode() in data]


async def make_topics(kafka: KafkaServer, prefix: str) -> None:
    """Create every topic of the marketplace, under this test's prefix."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(prefix + topic.name, 1, 1) for topic in TOPICS])
    await admin.close()


async def listen(kafka: KafkaServer, prefix: str, wanted: int) -> list[tuple[str, bytes]]:
    """Return the kinds and data of the first records on the topics of `profiles`."""
    names = [prefix + topic.name for topic in TOPICS if topic.writer == "profiles"]
    consumer = AIOKafkaConsumer(
        *names, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: list[tuple[str, bytes]] = []
    try:
        async with asyncio.timeout(READY_SECONDS):
            while len(found) < wanted:
                record = await consumer.getone()
                event = open_envelope(record.headers, record.value)
                found.append((event.type.rsplit(".", 1)[1], event.data))
    finally:
        await consumer.stop()
    return found
