"""The topics of the contracts on the broker: made when absent, compared when present.

What exists is never changed here: fewer partitions are impossible, more of them break the order
per key, and a shorter retention throws facts away. A difference is named, for a person to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ops.config import CannotOperate
from shared.bus import Broker
from shared.contracts.topics import TOPICS, Topic

BROKER_WAIT_SECONDS = 60.0
BROKER_POLL_SECONDS = 0.3
ADMIN_SECONDS = 20.0
REQUEST_MS = 10_000

# Answers of aiokafka's administrator are untyped tuples in the order of Kafka's protocol.
_Described = tuple[int, str, int, str, list[tuple[object, ...]]]
_Made = tuple[str, int, str | None]


@dataclass(frozen=True)
class TopicState:
    """One topic as it is on the broker; `differs` says what is not as the contracts want it."""

    topic: Topic
    exists: bool
    differs: tuple[str, ...] = ()


def wanted_configs(topic: Topic, replication: int) -> dict[str, str]:
    """Return the settings a topic must have on the broker.

    A compacted topic keeps the last word of every key; its tombstones stay as long as facts of
    other topics do, so that a reader that was away for that long still hears of an erasure.
    """
    kept = str(topic.retention_ms)
    rules = (
        {"cleanup.policy": "compact", "delete.retention.ms": kept}
        if topic.compacted
        else {"cleanup.policy": "delete", "retention.ms": kept}
    )
    return rules | {"min.insync.replicas": str(max(1, replication - 1))}


async def create_topics(
    broker: Broker, replication: int, topics: Sequence[Topic] = TOPICS
) -> list[str]:
    """Make the topics that are absent and return their names on the broker.

    Waits for a broker that is away. Raises `CannotOperate` naming every topic that exists and is
    not as the contracts want it, after having made the others.
    """
    async with administering(broker) as admin:
        states = await _states(admin, broker, replication, topics)
        absent = [state.topic for state in states if not state.exists]
        if absent:
            await _make(admin, broker, replication, absent)
        # A broker answers before its own metadata shows the topic, so we look until it does.
        while not all(state.exists for state in states):
            await asyncio.sleep(BROKER_POLL_SECONDS)
            states = await _states(admin, broker, replication, topics)
    if wrong := [_difference(state) for state in states if state.differs]:
        raise CannotOperate("topics differ from shared/contracts/topics.py:\n" + "\n".join(wrong))
    return [broker.full_name(topic.name) for topic in absent]


async def topic_states(
    broker: Broker, replication: int, topics: Sequence[Topic] = TOPICS
) -> list[TopicState]:
    """Return how each topic is on the broker."""
    async with administering(broker) as admin:
        return await _states(admin, broker, replication, topics)


@asynccontextmanager
async def administering(broker: Broker) -> AsyncGenerator[AIOKafkaAdminClient]:
    """Lend an administrator's client; raises `CannotOperate` when the broker stays away."""
    admin = await _connected(broker)
    try:
        async with asyncio.timeout(ADMIN_SECONDS):
            yield admin
    except (KafkaError, TimeoutError) as error:
        raise CannotOperate(f"Kafka at {broker.servers}: {type(error).__name__} {error}") from error
    finally:
        with suppress(Exception):
            await asyncio.wait_for(admin.close(), ADMIN_SECONDS)


async def _connected(broker: Broker) -> AIOKafkaAdminClient:
    try:
        async with asyncio.timeout(BROKER_WAIT_SECONDS):
            while True:
                admin = AIOKafkaAdminClient(
                    bootstrap_servers=broker.servers,
                    client_id="ops",
                    request_timeout_ms=REQUEST_MS,
                )
                try:
                    await admin.start()
                    return admin
                except (KafkaError, OSError):
                    await admin.close()
                    await asyncio.sleep(BROKER_POLL_SECONDS)
    except TimeoutError:
        raise CannotOperate(f"Kafka at {broker.servers} does not answer") from None


async def _states(
    admin: AIOKafkaAdminClient, broker: Broker, replication: int, topics: Sequence[Topic]
) -> list[TopicState]:
    names = [broker.full_name(topic.name) for topic in topics]
    described = {each["topic"]: each for each in await admin.describe_topics(names)}
    there = {name for name, each in described.items() if each["error_code"] == 0}
    configs = await _configs(admin, sorted(there))
    states: list[TopicState] = []
    for topic, name in zip(topics, names, strict=True):
        if name not in there:
            states.append(TopicState(topic, exists=False))
            continue
        found = {"partitions": str(len(described[name]["partitions"]))} | configs[name]
        wanted = {"partitions": str(topic.partitions)} | wanted_configs(topic, replication)
        differs = tuple(
            f"{setting} is {found.get(setting)}, wanted {value}"
            for setting, value in wanted.items()
            if found.get(setting) != value
        )
        states.append(TopicState(topic, exists=True, differs=differs))
    return states


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in cast("list[_Described]", cast("Any", response).resources):
            found[name] = {str(entry[0]): str(entry[1]) for entry in entries}
    return found


async def _make(
    admin: AIOKafkaAdminClient, broker: Broker, replication: int, topics: Sequence[Topic]
) -> None:
    wanted = [
        NewTopic(
            broker.full_name(topic.name),
            topic.partitions,
            replication,
            topic_configs=wanted_configs(topic, replication),
        )
        for topic in topics
    ]
    response = await admin.create_topics(wanted)
    for name, code, message in cast("list[_Made]", cast("Any", response).topic_errors):
        # Another runner may have made it since we looked.
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise CannotOperate(f"cannot create {name}: {for_code(code).__name__} {message}")


def _difference(state: TopicState) -> str:
    return f"  {state.topic.name}: {'; '.join(state.differs)}"
