"""`ops topics`: what is absent is made, what differs is named, nothing that exists is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ops.config import CannotOperate
from ops.topics import create_topics, topic_states
from shared.bus import Broker
from shared.contracts.topics import TOPICS
from tests.engines import KafkaServer

SOME = tuple(t for t in TOPICS if t.name in ("booking.orders", "profiles.contacts"))


async def test_topics_are_made_once(kafka: KafkaServer, topic_prefix: str):
    """The first run makes every topic as the contracts say, the second finds nothing to do."""
    broker = Broker(kafka.bootstrap, topic_prefix)
    assert await create_topics(broker, 1) == [topic_prefix + topic.name for topic in TOPICS]
    assert await create_topics(broker, 1) == []
    states = await topic_states(broker, 1)
    assert all(state.exists and not state.differs for state in states)


async def test_a_topic_that_differs_is_named_and_the_others_are_made(
    kafka: KafkaServer, topic_prefix: str
):
    """Other partitions or another retention are an error that says both values."""
    broker = Broker(kafka.bootstrap, topic_prefix)
    orders, contacts = SOME if SOME[0].name == "booking.orders" else SOME[::-1]
    await create_topics(broker, 1, [replace(orders, partitions=2, retention_ms=1000)])
    with pytest.raises(CannotOperate, match=r"booking\.orders") as caught:
        await create_topics(broker, 1, SOME)
    assert "partitions is 2, wanted 6" in str(caught.value)
    assert "retention.ms is 1000, wanted 2592000000" in str(caught.value)
    assert [s.exists for s in await topic_states(broker, 1, [contacts])] == [True]


async def test_contacts_are_compacted_and_keep_their_tombstones(
    kafka: KafkaServer, topic_prefix: str
):
    """A compacted topic that was made as an ordinary one is noticed."""
    broker = Broker(kafka.bootstrap, topic_prefix)
    contacts = next(topic for topic in SOME if topic.compacted)
    await create_topics(broker, 1, [replace(contacts, compacted=False)])
    (state,) = await topic_states(broker, 1, [contacts])
    assert any(text.startswith("cleanup.policy is delete") for text in state.differs)
