"""What `notifications` tells the others: that a message went out, never what it said."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.contracts.common import MessageRef, PersonRef
from shared.contracts.envelope import Fact


class MessageSent(Fact):
    """A message to a person was handed to the mail server."""

    topic: ClassVar[str] = "notifications.messages"
    key_field: ClassVar[str] = "message_id"

    message_id: MessageRef
    person_id: PersonRef
    kind: str = Field(description="What the message was about.", examples=["payment_receipt"])


FACTS: tuple[type[Fact], ...] = (MessageSent,)
