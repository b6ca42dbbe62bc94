"""A change of clocks before a session: who might come an hour early or late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.notifications.domain.orders import Order, Session

LOOK_BACK = timedelta(days=7)
"""A weekly habit is as old as the last week."""

Change = Literal["here", "there"]


def clock_change(order: Order, session: Session, zone: ZoneInfo) -> Change | None:
    """Return whose clocks change in the week before a session, if that matters to its reader.

    The reader's own (`here`), or only the other side's (`there`), which moves a weekly session to
    another hour of the reader's day.
    """
    if _offset(session.starts_at, zone) != _offset(session.starts_at - LOOK_BACK, zone):
        return "here"
    last = order.before(session)
    # Who was moved knows of another hour already.
    if last is None or last.calendar_sequence or session.calendar_sequence:
        return None
    return "there" if _hour(last.starts_at, zone) != _hour(session.starts_at, zone) else None


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _hour(instant: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = instant.astimezone(zone)
    return local.hour, local.minute
