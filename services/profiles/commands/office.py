"""What the commands of this service have at hand; made once, by `app`."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.profiles.domain.accounts import Person
from services.profiles.domain.keys import Rotation
from services.profiles.store import accounts as store
from shared.clock import BusinessInstant
from shared.contracts.envelope import Fact
from shared.db import Connection
from shared.outbox import Announcer


@dataclass(frozen=True)
class Office:
    """Secrets, addresses and the announcer; `secret` seals keys and computes successors."""

    announcer: Announcer
    seal_public_key: str
    web_url: str
    secret: bytes = field(repr=False)
    operator_emails: frozenset[str]
    rotation: Rotation
    allow_test_addresses: bool = False

    async def save(
        self, conn: Connection, person: Person, *facts: Fact, now: BusinessInstant
    ) -> None:
        """Write a locked person back and announce what happened, together."""
        await store.save_person(conn, person)
        await self.announcer.announce(conn, *facts, at=now)
