"""When mentors are free next: who has to be looked at, and what was told."""

from __future__ import annotations

from shared.db import Connection
from shared.ids import PersonId

MARK = """
INSERT INTO openings_to_do (mentor_id)
SELECT DISTINCT marked.person_id FROM unnest($1::uuid[]) AS marked (person_id)
WHERE EXISTS (SELECT 1 FROM offerings AS o WHERE o.mentor_id = marked.person_id)
"""


async def mark_openings(conn: Connection, *person_ids: PersonId) -> None:
    """Note that the time of people changed; a worker finds their next free start soon after.

    Whoever offers nothing is passed over, so that both sides of a session can be named: a mentor's
    time is also sold where they are somebody's mentee.
    """
    await conn.execute(MARK, list(person_ids))
