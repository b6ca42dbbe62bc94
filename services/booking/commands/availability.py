"""What a mentor says about their time."""

from __future__ import annotations

from services.booking.domain.availability import Availability, check_rules
from services.booking.slots import Rules
from services.booking.store import availability as store
from services.booking.store import calendars
from services.booking.store.openings import mark_openings
from shared.clock import system_now
from shared.db import Connection
from shared.ids import PersonId
from shared.web.api import VersionOutdated


async def set_availability(
    conn: Connection, mentor_id: PersonId, rules: Rules, room_url: str, *, version: int
) -> Availability:
    """Replace one's rules and room as of the version seen.

    Raises `VersionOutdated` and what `check_rules` raises.
    """
    check_rules(rules)
    availability = Availability(rules, room_url, version + 1)
    if not await store.save_availability(conn, mentor_id, availability):
        raise VersionOutdated
    await mark_openings(conn, mentor_id)
    # Dates and floating times of imported calendars are read on the clocks of the mentor's zone.
    await calendars.fetch_soon(conn, mentor_id, now=system_now())
    return availability
