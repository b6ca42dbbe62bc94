"""The table of topics: who writes, who reads, how long a record is kept."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import booking, notifications, payments, prepaid, profiles
from shared.contracts.envelope import Fact
from shared.contracts.readers import READERS, SERVICES, Service

__all__ = ["FACTS", "TOPICS", "Service", "Topic", "facts_by_type", "read_by"]

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
    partitions: int = PARTITIONS
    retention_ms: int = KEEP_FACTS_MS
    compacted: bool = False
    retold: bool = False

    @property
    def facts(self) -> tuple[type[Fact], ...]:
        """The kinds of facts that travel on it."""
        return tuple(fact for fact in FACTS if fact.topic == self.name)

    @property
    def readers(self) -> tuple[Service, ...]:
        """Who listens to at least one of its facts."""
        heard = [READERS.get(fact, {}) for fact in self.facts]
        return tuple(each for each in SERVICES if any(each in who for who in heard))

    @property
    def kept(self) -> str:
        """How long a record is kept, in words."""
        return "last of each key" if self.compacted else f"{self.retention_ms // DAY_MS} d"


TOPICS: tuple[Topic, ...] = (
    Topic("profiles.people", "person_id", "profiles", retold=True),
    Topic("profiles.reviews", "session_id", "profiles"),
    Topic("profiles.contacts", "person_id", "profiles", compacted=True, retold=True),
    Topic("profiles.messages", "person_id", "profiles", retention_ms=KEEP_SECRETS_MS),
    Topic("booking.offerings", "offering_id", "booking", retold=True),
    Topic("booking.orders", "order_id", "booking"),
    Topic("booking.openings", "mentor_id", "booking", retold=True),
    Topic("payments.orders", "order_id", "payments"),
    Topic("payments.plans", "subscription_id", "payments"),
    Topic("payments.accounts", "mentor_id", "payments", retold=True),
    Topic("payments.payouts", "mentor_id", "payments"),
    Topic("payments.statements", "mentor_id", "payments"),
    Topic("payments.debts", "write_off_id", "payments"),
    Topic("notifications.messages", "message_id", "notifications"),
)

FACTS: tuple[type[Fact], ...] = (
    *profiles.FACTS,
    *booking.FACTS,
    *payments.FACTS,
    *prepaid.FACTS,
    *notifications.FACTS,
)


def read_by(service: Service) -> tuple[Topic, ...]:
    """Return the topics a service listens to."""
    return tuple(topic for topic in TOPICS if service in topic.readers)


def facts_by_type() -> dict[str, type[Fact]]:
    """Return every kind of fact by its CloudEvents type."""
    return {fact.type_name(): fact for fact in FACTS}
