"""When mentors work, and where they meet."""

from __future__ import annotations

from datetime import date
from typing import Any

import asyncpg

from services.booking.domain.availability import NOTHING_SET, Availability
from services.booking.slots import Hours, Override, Rules, Travel, WeeklyHours
from shared.db import Connection
from shared.ids import PersonId

READ_AVAILABILITY = """
SELECT zone, weekly, travels, overrides, room_url, version FROM availability WHERE mentor_id = $1
"""
FIRST_AVAILABILITY = """
INSERT INTO availability (mentor_id, zone, weekly, travels, overrides, room_url, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (mentor_id) DO NOTHING
RETURNING version
"""
NEXT_AVAILABILITY = """
UPDATE availability SET
    zone = $2, weekly = $3, travels = $4, overrides = $5, room_url = $6, version = $7
WHERE mentor_id = $1 AND version = $7 - 1
RETURNING version
"""


async def read_availability(conn: Connection, mentor_id: PersonId) -> Availability:
    """Return a mentor's rules and room, or those of somebody who set none."""
    row = await conn.fetchrow(READ_AVAILABILITY, mentor_id)
    if row is None:
        return NOTHING_SET
    return Availability(_rules(row), row["room_url"], row["version"])


async def save_availability(
    conn: Connection, mentor_id: PersonId, availability: Availability
) -> bool:
    """Keep a mentor's rules if the version before is the one kept; return whether it was."""
    rules = availability.rules
    statement = FIRST_AVAILABILITY if availability.version == 1 else NEXT_AVAILABILITY
    saved = await conn.fetchval(
        statement,
        mentor_id,
        rules.zone,
        [[each.weekday, each.starts_minute, each.ends_minute] for each in rules.weekly],
        [[t.zone, t.from_on.isoformat(), t.until_on.isoformat()] for t in rules.travels],
        [_override_as_json(override) for override in rules.overrides],
        availability.room_url,
        availability.version,
    )
    return saved is not None


def _override_as_json(override: Override) -> list[Any]:
    hours = [[each.starts_minute, each.ends_minute] for each in override.hours]
    return [override.on.isoformat(), hours, override.name]


def _rules(row: asyncpg.Record) -> Rules:
    return Rules(
        zone=row["zone"],
        weekly=tuple(WeeklyHours(*hours) for hours in row["weekly"]),
        travels=tuple(
            Travel(zone, date.fromisoformat(from_on), date.fromisoformat(until_on))
            for zone, from_on, until_on in row["travels"]
        ),
        overrides=tuple(
            Override(date.fromisoformat(on), tuple(Hours(*each) for each in hours), name)
            for on, hours, name in row["overrides"]
        ),
    )
