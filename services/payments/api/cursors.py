"""Where the pages of the lists of `payments` go on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.web import PageQuery
from shared.web.shapes import CursorInvalid, instant_in_cursor


def one_uuid(query: PageQuery) -> UUID | None:
    """Return the id the last page ended with; raises `CursorInvalid`."""
    after = query.after()
    if not after:
        return None
    try:
        (text,) = after
        return UUID(text)
    except ValueError:
        raise CursorInvalid from None


def uuid_and_text(query: PageQuery) -> tuple[UUID, str] | None:
    """Return the id and word the last page ended with; raises `CursorInvalid`."""
    after = query.after()
    if not after:
        return None
    try:
        identifier, text = after
        return UUID(identifier), text
    except ValueError:
        raise CursorInvalid from None


def instant_and_text(query: PageQuery) -> tuple[datetime, str] | None:
    """Return the instant and id the last page ended with; raises `CursorInvalid`."""
    after = query.after()
    if not after:
        return None
    try:
        at, text = after
    except ValueError:
        raise CursorInvalid from None
    return instant_in_cursor(at), text
