"""Every record that the journeys left on a topic, compared with the AsyncAPI document."""

from __future__ import annotations

from dev.marketplace import Marketplace
from shared.contracts.topics import TOPICS
from tests.contracts.records import problems_of
from tests.journeys.leaks import published

_OURS = {topic.name for topic in TOPICS}


async def undocumented(market: Marketplace) -> list[str]:
    """Return what is not as the document says, by topic and place; a topic of others is theirs."""
    return [
        f"{record.topic} {record.partition}:{record.offset}: {problem}"
        async for record in published(market)
        if record.topic in _OURS
        for problem in problems_of(record.topic, record.headers, record.value)
    ]
