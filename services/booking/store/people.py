"""What the other services say about people, and how this service takes turns for one person."""

from __future__ import annotations

from shared.contracts.payments import AccountFact
from shared.contracts.profiles import PersonFact
from shared.db import Connection
from shared.ids import PersonId

NOTE_PERSON = """
INSERT INTO people AS p (person_id, version, verified, mentor_state) VALUES ($1, $2, $3, $4)
ON CONFLICT (person_id) DO UPDATE SET
    version = excluded.version,
    verified = excluded.verified,
    mentor_state = excluded.mentor_state
WHERE p.version < excluded.version
"""
NOTE_ACCOUNT = """
INSERT INTO accounts AS a (mentor_id, version, can_receive) VALUES ($1, $2, $3)
ON CONFLICT (mentor_id) DO UPDATE SET
    version = excluded.version,
    can_receive = excluded.can_receive
WHERE a.version < excluded.version
"""
IS_APPROVED = """
SELECT EXISTS (SELECT 1 FROM people WHERE person_id = $1 AND mentor_state = 'approved')
"""
CAN_RECEIVE = "SELECT EXISTS (SELECT 1 FROM accounts WHERE mentor_id = $1 AND can_receive)"
TAKE_TURN = (
    "SELECT pg_advisory_xact_lock(hashtextextended('booking:holds:' || ($1::uuid)::text, 0))"
)
TAKE_TURN_FOR_TIME = (
    "SELECT pg_advisory_xact_lock(hashtextextended('booking:time:' || ($1::uuid)::text, 0))"
)


async def note_person(conn: Connection, fact: PersonFact) -> None:
    """Keep what profiles says about a person, unless something newer is known."""
    await conn.execute(NOTE_PERSON, fact.person_id, fact.version, fact.verified, fact.mentor_state)


async def note_account(conn: Connection, fact: AccountFact) -> None:
    """Keep what payments says about a mentor's account, unless something newer is known."""
    await conn.execute(NOTE_ACCOUNT, fact.mentor_id, fact.version, fact.can_receive)


async def is_approved(conn: Connection, mentor_id: PersonId) -> bool:
    """Return whether a mentor may take new sessions."""
    return bool(await conn.fetchval(IS_APPROVED, mentor_id))


async def can_receive(conn: Connection, mentor_id: PersonId) -> bool:
    """Return whether a mentor's account takes transfers."""
    return bool(await conn.fetchval(CAN_RECEIVE, mentor_id))


async def take_turn(conn: Connection, person_id: PersonId) -> None:
    """Wait until no other transaction makes a hold for this person."""
    await conn.execute(TAKE_TURN, person_id)


async def take_turn_for_time(conn: Connection, mentor_id: PersonId) -> None:
    """Wait until nobody else gives back a mentor's time for another, or takes several of them."""
    await conn.execute(TAKE_TURN_FOR_TIME, mentor_id)
