"""What `notifications` tells the others: that a message went out, never what it said."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Fact


class MessageSent(Fact):
    """A message to a person was handed to the mail server."""

    topic: ClassVar[str] = "notifications.messages"
    key_field: ClassVar[str] = "message_id"

    message_id: UUID
    person_id: UUID
    kind: str


FACTS: tuple[type[Fact], ...] = (MessageSent,)
