"""Identifiers: time-ordered UUIDs (RFC 9562, version 7) with a type for each kind of thing."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

PersonId = NewType("PersonId", UUID)
OfferingId = NewType("OfferingId", UUID)
OrderId = NewType("OrderId", UUID)
SessionId = NewType("SessionId", UUID)
EventId = NewType("EventId", UUID)


def new_id() -> UUID:
    """Return a fresh identifier; later ones sort after earlier ones of the same process."""
    return uuid7()


def calendar_uid(session_id: UUID) -> str:
    """Return the UID by which calendars know a session, in invitations and feeds alike."""
    return f"{session_id}@mentorium"
