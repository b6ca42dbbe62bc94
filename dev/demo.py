"""The demonstration: a fresh marketplace, one journey, its facts as they happen, the check."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from dev.home import REPOSITORY, Home
from dev.marketplace import Marketplace, Say, started
from shared.contracts.topics import TOPICS

Journey = Callable[[Marketplace, Say], Awaitable[None]]
"""Drives a marketplace through its public addresses and says what it does."""

Record = ConsumerRecord[bytes | None, bytes | None]
Batches = dict[TopicPartition, list[Record]]
Ends = dict[TopicPartition, int]

_VERIFY_SECONDS = 180.0
_LAST_FACTS_SECONDS = 10.0
_POLL_MS = 200
_TIME, _TYPE = "ce_time", "ce_type"


async def demonstrate(journey: Journey, say: Say) -> int:
    """Run `journey` on a marketplace of its own and return the exit status of the check after it.

    Raises what starting raises, and what the journey raises; nothing is left running, and the
    marketplace is deleted unless something failed.
    """
    home = Home(Path(tempfile.mkdtemp(prefix="mentorium-demo-")))
    say("Starting the marketplace …")
    try:
        async with started(home, quiet=True, say=say) as marketplace:
            async with _facts_shown(marketplace, say):
                await journey(marketplace, say)
                await marketplace.rest()
            status = await verify(marketplace)
    except BaseException:
        say(f"The logs are kept in {home.logs}")
        raise
    home.remove()
    return status


async def verify(marketplace: Marketplace) -> int:
    """Run the operator's check of everything, its output on ours; return its exit status."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops", "verify", "--settled",
        env=marketplace.site.environment("ops"), cwd=REPOSITORY,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_VERIFY_SECONDS):
            return await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()


@asynccontextmanager
async def _facts_shown(marketplace: Marketplace, say: Say) -> AsyncGenerator[None]:
    """Say each fact of every topic as it is published, until all that was published is said."""
    consumer = AIOKafkaConsumer(
        *(marketplace.watched.topic_prefix + topic.name for topic in TOPICS),
        bootstrap_servers=marketplace.watched.kafka_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    showing = asyncio.create_task(_show_facts(consumer, say))
    try:
        yield
        await _until_all_are_read(consumer)
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        await consumer.stop()


async def _show_facts(consumer: AIOKafkaConsumer, say: Say) -> None:
    while True:
        batches = cast("Batches", await consumer.getmany(timeout_ms=_POLL_MS))
        records = [record for batch in batches.values() for record in batch]
        for record in sorted(records, key=lambda each: each.timestamp):
            say(_in_words(record))


def _in_words(record: Record) -> str:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    key = record.key.decode(errors="replace") if record.key else ""
    moment = headers.get(_TIME, "")[:19].replace("T", " ")
    return f"  {moment}  {record.topic:<24} {headers.get(_TYPE, '?'):<44} {key}"


async def _until_all_are_read(consumer: AIOKafkaConsumer) -> None:
    async with asyncio.timeout(_LAST_FACTS_SECONDS):
        ends = cast("Ends", await consumer.end_offsets(list(consumer.assignment())))
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            await asyncio.sleep(_POLL_MS / 1000)
