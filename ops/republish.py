"""Asking a service to tell the present state of its topics again; its worker does it."""

from __future__ import annotations

from shared.contracts.topics import TOPICS, Service
from shared.db import Connection

REQUEST = """
INSERT INTO republish_requests (topic) VALUES ($1)
ON CONFLICT (topic) WHERE done_at IS NULL DO NOTHING
"""


def retold_by(service: Service) -> list[str]:
    """Return the topics of a service that can be told again."""
    return [topic.name for topic in TOPICS if topic.writer == service and topic.retold]


async def request_republish(conn: Connection, service: Service) -> list[str]:
    """File a request for each such topic, unless one is open; return their names."""
    topics = retold_by(service)
    await conn.executemany(REQUEST, [(topic,) for topic in topics])
    return topics
