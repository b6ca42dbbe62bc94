"""The table of topics: who writes, who reads, how long a record is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.contracts import booking, notifications, payments, profiles
from shared.contracts.envelope import Fact

Service = Literal["profiles", "booking", "payments", "notifications"]

DAY_MS = 24 * 60 * 60 * 1000
KEEP_FACTS_MS = 30 * DAY_MS
KEEP_SECRETS_MS = 1 * DAY_MS
PARTITIONS = 6


@dataclass(frozen=True)
class Topic:
    """One Kafka topic; `key` says what the record key is.

    What is `retold` can be told again as it is now (`ops republish`).
    """

    name: str
    key: str
    writer: Service
    readers: tuple[Service, ...]
    partitions: int = PARTITIONS
    retention_ms: int = KEEP_FACTS_MS
    compacted: bool = False
    retold: bool = False

    @property
    def kept(self) -> str:
        """How long a record is kept, in words."""
        return "last of each key" if self.compacted else f"{self.retention_ms // DAY_MS} d"


TOPICS: tuple[Topic, ...] = (
    Topic(
        "profiles.people",
        "person_id",
        "profiles",
        ("booking", "notifications"),
        retold=True,
    ),
    Topic("profiles.reviews", "session_id", "profiles", ("notifications",)),
    Topic(
        "profiles.contacts",
        "person_id",
        "profiles",
        ("notifications",),
        compacted=True,
        retold=True,
    ),
    Topic(
        "profiles.messages",
        "person_id",
        "profiles",
        ("notifications",),
        retention_ms=KEEP_SECRETS_MS,
    ),
    Topic("booking.offerings", "offering_id", "booking", ("profiles",), retold=True),
    Topic("booking.orders", "order_id", "booking", ("profiles", "payments", "notifications")),
    Topic("payments.orders", "order_id", "payments", ("booking", "notifications")),
    Topic("payments.accounts", "mentor_id", "payments", ("booking", "notifications"), retold=True),
    Topic("payments.payouts", "mentor_id", "payments", ("notifications",)),
    Topic("notifications.messages", "message_id", "notifications", ()),
)

FACTS: tuple[type[Fact], ...] = (
    *profiles.FACTS,
    *booking.FACTS,
    *payments.FACTS,
    *notifications.FACTS,
)


def read_by(service: Service) -> tuple[Topic, ...]:
    """Return the topics a service listens to."""
    return tuple(topic for topic in TOPICS if service in topic.readers)


def facts_by_type() -> dict[str, type[Fact]]:
    """Return every kind of fact by its CloudEvents type."""
    return {fact.type_name(): fact for fact in FACTS}
