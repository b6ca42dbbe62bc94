"""The real process: from a record on Kafka to a mail, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.ports import free_ports
from shared.contracts.envelope import enclose
from shared.contracts.topics import read_by
from shared.ids import new_id
from tests.engines import Database, KafkaServer
from tests.notifications.conftest import HOST, NOW, SEAL_KEY, Mailbox, eventually, one_time

STOP_SECONDS = 20.0
ROOT = Path(__file__).parents[2]
LINK = "https://mentorium.test/verify?token=s3cr3t"


def environment(own: Database, kafka: KafkaServer, mailbox: Mailbox, prefix: str) -> dict[str, str]:
    """Return what the launcher would tell the process."""
    return os.environ | {
        "NOTIFICATIONS_DATABASE_URL": own.app_url("notifications"),
        "NOTIFICATIONS_MIGRATE_DATABASE_URL": own.owner_url("notifications"),
        "NOTIFICATIONS_SEAL_PRIVATE_KEY": SEAL_KEY,
        "NOTIFICATIONS_SMTP_HOST": HOST,
        "NOTIFICATIONS_SMTP_PORT": str(mailbox.port),
        "NOTIFICATIONS_WEB_URL": "https://mentorium.test",
        "PROFILES_JWKS_URL": "http://127.0.0.1:9/never-answers",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "KAFKA_TOPIC_PREFIX": prefix,
    }


@asynccontextmanager
async def running(settings: dict[str, str], *arguments: str, log: Path) -> AsyncGenerator[int]:
    """Run the service; give its pid, and expect that it ends with 0 when told to."""
    command = (sys.executable, "-m", "services.notifications", *arguments)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=settings, stdout=output, stderr=output
        )
    try:
        yield process.pid
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            assert await process.wait() == 0, f"see {log}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_sealed_message_on_kafka_becomes_a_mail(
    database: Callable[..., Awaitable[Database]],
    kafka: KafkaServer,
    topic_prefix: str,
    mailbox: Mailbox,
    tmp_path: Path,
):
    """The process hears, sends, announces, answers its health, drains, and logs no secret."""
    own = await database("notifications")
    settings = environment(own, kafka, mailbox, topic_prefix)
    await make_topics(kafka, topic_prefix)
    await say(kafka, topic_prefix)
    (port,) = free_ports(1)
    log = tmp_path / "log"
    async with running(settings, "all", "--port", str(port), log=log):

        async def mailed() -> bool:
            return len(mailbox.mails) > 0

        await eventually(mailed, "the mail")
        async with aiohttp.ClientSession(f"http://{HOST}:{port}") as client:
            assert (await client.get("/readyz")).status == 200
            assert (await client.get("/openapi.json")).status == 200
            assert (await client.get("/v1/me/feed")).status == 401
    assert len(mailbox.mails) == 1
    assert "s3cr3t" not in log.read_text()
    assert "ann@example.test" not in log.read_text()


async def make_topics(kafka: KafkaServer, prefix: str) -> None:
    """Create the topics that the service reads, and the one it writes."""
    names = [topic.name for topic in read_by("notifications")] + ["notifications.messages"]
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(prefix + name, 1, 1) for name in names])
    await admin.close()


async def say(kafka: KafkaServer, prefix: str) -> None:
    """Publish a one-time message as profiles does, twice."""
    fact = one_time(new_id(), LINK)
    event = enclose(fact, event_id=new_id(), source="/services/profiles", time=NOW)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for _ in range(2):
        await producer.send_and_wait(
            prefix + fact.topic, event.value(), key=fact.key.encode(), headers=event.headers()
        )
    await producer.stop()
