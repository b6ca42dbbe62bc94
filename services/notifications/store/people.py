"""How to reach people, and what they are as mentors."""

from __future__ import annotations

from uuid import UUID

from services.notifications.domain.messages import Contact
from shared.db import Connection

SAVE_CONTACT = """
INSERT INTO contacts AS c (person_id, version, name, email, locale, zone)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person_id) DO UPDATE SET
    version = excluded.version, name = excluded.name, email = excluded.email,
    locale = excluded.locale, zone = excluded.zone
WHERE NOT c.erased AND c.version < excluded.version
RETURNING c.person_id
"""
ERASE_CONTACT = """
INSERT INTO contacts (person_id, version, erased) VALUES ($1, $2, true)
ON CONFLICT (person_id) DO UPDATE SET
    name = NULL, email = NULL, locale = NULL, zone = NULL, erased = true
"""

KNOW_MENTOR = "INSERT INTO mentors (person_id) VALUES ($1) ON CONFLICT DO NOTHING"
SAVE_MENTOR_STATE = """
UPDATE mentors SET mentor_state = $3, people_version = $2
WHERE person_id = $1 AND people_version < $2
RETURNING person_id
"""
ACCOUNT_OF = "SELECT can_receive, account_version FROM mentors WHERE person_id = $1 FOR UPDATE"
SAVE_ACCOUNT = "UPDATE mentors SET can_receive = $3, account_version = $2 WHERE person_id = $1"


async def save_contact(conn: Connection, contact: Contact, version: int) -> bool:
    """Keep a contact unless a later one is known or the person was erased; say whether kept."""
    kept = await conn.fetchval(
        SAVE_CONTACT,
        contact.person_id,
        version,
        contact.name,
        contact.email,
        contact.locale,
        contact.zone,
    )
    return kept is not None


async def erase_contact(conn: Connection, person_id: UUID, version: int) -> None:
    """Forget how to reach a person, for ever."""
    await conn.execute(ERASE_CONTACT, person_id, version)


async def save_mentor_state(conn: Connection, person_id: UUID, version: int, state: str) -> bool:
    """Keep a person's state as a mentor unless a later one is known; say whether kept."""
    await conn.execute(KNOW_MENTOR, person_id)
    return await conn.fetchval(SAVE_MENTOR_STATE, person_id, version, state) is not None


async def save_account(
    conn: Connection, mentor_id: UUID, version: int, *, can_receive: bool
) -> bool:
    """Keep what an account may do unless a later state is known; say whether it became able."""
    await conn.execute(KNOW_MENTOR, mentor_id)
    known = await conn.fetchrow(ACCOUNT_OF, mentor_id)
    if known is None or known["account_version"] >= version:
        return False
    await conn.execute(SAVE_ACCOUNT, mentor_id, version, can_receive)
    return can_receive and not known["can_receive"]
