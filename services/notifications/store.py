"""Every SQL statement of `notifications`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notifications.domain.messages import (
    Contact,
    Message,
    Plan,
    Session,
    SessionState,
    Situation,
)
from shared.db import Connection
from shared.ids import new_id
from shared.telemetry import Measure

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
SKIP_PLANNED_OF_PERSON = """
UPDATE messages SET state = 'skipped', reason = $2, sealed = NULL, acted_at = $3
WHERE person_id = $1 AND state = 'planned'
"""

KNOW_MENTOR = "INSERT INTO mentors (person_id) VALUES ($1) ON CONFLICT DO NOTHING"
SAVE_MENTOR_STATE = """
UPDATE mentors SET mentor_state = $3, people_version = $2
WHERE person_id = $1 AND people_version < $2
RETURNING person_id
"""
ACCOUNT_OF = "SELECT can_receive, account_version FROM mentors WHERE person_id = $1 FOR UPDATE"
SAVE_ACCOUNT = "UPDATE mentors SET can_receive = $3, account_version = $2 WHERE person_id = $1"

_SESSION_COLUMNS = """order_id, session_id, mentor_id, mentee_id, title, starts_at, ends_at, state,
    calendar_sequence, cancelled_by, cancel_reason, refund_basis_points, mentor_reviewed,
    mentee_reviewed, version"""
ADD_SESSION = """
INSERT INTO sessions (order_id, session_id, mentor_id, mentee_id, title, starts_at, ends_at, state,
                      calendar_sequence, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (order_id) DO NOTHING
"""
SESSION = f"SELECT {_SESSION_COLUMNS} FROM sessions WHERE order_id = $1 FOR UPDATE"  # noqa: S608
SAVE_SESSION = """
UPDATE sessions SET
    title = $2, starts_at = $3, ends_at = $4, state = $5, calendar_sequence = $6,
    cancelled_by = $7, cancel_reason = $8, refund_basis_points = $9, mentor_reviewed = $10,
    mentee_reviewed = $11, version = $12
WHERE order_id = $1
"""

PLAN = """
INSERT INTO messages (message_id, person_id, channel, kind, cause, order_id, details, sealed,
                      planned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT ON CONSTRAINT messages_once DO NOTHING
"""
TAKE_DUE = """
SELECT m.message_id, m.channel, m.sealed
FROM messages AS m
WHERE m.state IN ('planned', 'sending') AND m.planned_at <= $1 AND m.next_try_at <= now()
  AND (
      m.channel = 'feed'
      OR m.sealed IS NOT NULL
      OR EXISTS (SELECT 1 FROM contacts AS c WHERE c.person_id = m.person_id)
  )
ORDER BY m.planned_at, m.message_id
LIMIT $2
FOR UPDATE OF m SKIP LOCKED
"""
CLAIM = """
UPDATE messages SET
    state = 'sending', attempts = attempts + 1, claimed_at = now(),
    next_try_at = now() + make_interval(secs => $2)
WHERE message_id = ANY($1::uuid[])
"""
FINISH = """
UPDATE messages SET state = $3, reason = $4, acted_at = $5, sealed = NULL
WHERE message_id = $1 AND state = 'sending' AND attempts = $2
RETURNING message_id
"""
POSTPONE = """
UPDATE messages SET
    state = 'planned', reason = $3, next_try_at = now() + make_interval(secs => $4)
WHERE message_id = $1 AND state = 'sending' AND attempts = $2
"""
_SITUATION = """
SELECT m.message_id, m.person_id, m.channel, m.kind, m.order_id AS message_order_id, m.details,
       m.attempts, m.acted_at, m.read_at,
       r.name AS reader_name, r.email AS reader_email, r.locale AS reader_locale,
       r.zone AS reader_zone, COALESCE(r.erased, false) AS erased,
       o.name AS other_name,
       COALESCE(t.mentor_state, 'none') AS mentor_state,
       COALESCE(t.can_receive, false) AS can_receive,
       s.order_id, s.session_id, s.mentor_id, s.mentee_id, s.title, s.starts_at, s.ends_at,
       s.state, s.calendar_sequence, s.cancelled_by, s.cancel_reason, s.refund_basis_points,
       s.mentor_reviewed, s.mentee_reviewed, s.version
FROM messages AS m
LEFT JOIN contacts AS r ON r.person_id = m.person_id
LEFT JOIN mentors AS t ON t.person_id = m.person_id
LEFT JOIN sessions AS s ON s.order_id = m.order_id
LEFT JOIN contacts AS o
    ON o.person_id = CASE WHEN m.person_id = s.mentor_id THEN s.mentee_id ELSE s.mentor_id END
"""
SITUATIONS = (
    f"{_SITUATION} WHERE m.message_id = ANY($1::uuid[]) ORDER BY m.planned_at, m.message_id"
)
FEED = f"""{_SITUATION}
WHERE m.person_id = $1 AND m.channel = 'feed' AND m.state = 'sent'
  AND ($2::timestamptz IS NULL OR (m.acted_at, m.message_id) < ($2, $3::uuid))
ORDER BY m.acted_at DESC, m.message_id DESC
LIMIT $4
"""
READ_FEED = """
UPDATE messages SET read_at = $3
WHERE person_id = $1 AND channel = 'feed' AND state = 'sent' AND acted_at <= $2
  AND read_at IS NULL
"""
UNREAD = """
SELECT count(*) FROM messages
WHERE person_id = $1 AND channel = 'feed' AND state = 'sent' AND read_at IS NULL
"""
WITHOUT_CONTACT = """
SELECT count(*) AS value FROM messages AS m
WHERE m.state = 'planned' AND m.planned_at <= $1 AND m.channel = 'mail' AND m.sealed IS NULL
  AND NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.person_id = m.person_id)
"""

GAUGES = (
    Measure(
        "mentorium_notifications_without_contact",
        "Mails that are due and whose reader's contact has not arrived.",
        WITHOUT_CONTACT,
    ),
)
"""What operators watch; the worker shows it."""


@dataclass(frozen=True)
class Due:
    """A message whose time has come; `sealed` is its secret part, if it has one."""

    message_id: UUID
    channel: str
    sealed: str | None


@dataclass(frozen=True)
class FeedItem:
    """A message that shows in the feed, and the present state it is put into words from."""

    situation: Situation
    at: datetime
    read: bool


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


async def skip_planned_of(conn: Connection, person_id: UUID, *, reason: str, now: datetime) -> None:
    """Skip everything that a person is still owed."""
    await conn.execute(SKIP_PLANNED_OF_PERSON, person_id, reason, now)


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


async def add_session(conn: Connection, session: Session) -> None:
    """Add a purchase unless it is known."""
    await conn.execute(
        ADD_SESSION,
        session.order_id,
        session.session_id,
        session.mentor_id,
        session.mentee_id,
        session.title,
        session.starts_at,
        session.ends_at,
        session.state,
        session.calendar_sequence,
        session.version,
    )


async def find_session(conn: Connection, order_id: UUID) -> Session | None:
    """Return a purchase and lock it."""
    row = await conn.fetchrow(SESSION, order_id)
    return _session(row) if row else None


async def save_session(conn: Connection, session: Session) -> None:
    """Write back a purchase that `find_session` locked."""
    await conn.execute(
        SAVE_SESSION,
        session.order_id,
        session.title,
        session.starts_at,
        session.ends_at,
        session.state,
        session.calendar_sequence,
        session.cancelled_by,
        session.cancel_reason,
        session.refund_basis_points,
        session.mentor_reviewed,
        session.mentee_reviewed,
        session.version,
    )


async def add_plans(conn: Connection, plans: Sequence[Plan]) -> None:
    """Add the messages that are not there yet."""
    rows: list[tuple[Any, ...]] = [
        (
            new_id(),
            plan.person_id,
            channel,
            plan.kind,
            plan.cause,
            plan.order_id,
            dict(plan.details),
            plan.sealed,
            plan.at,
        )
        for plan in plans
        for channel in plan.channels
    ]
    await conn.executemany(PLAN, rows)


async def claim_due(
    conn: Connection, *, now: datetime, limit: int, lease_seconds: float
) -> list[Due]:
    """Claim the oldest messages that are due, for `lease_seconds` of system time."""
    rows = await conn.fetch(TAKE_DUE, now, limit)
    await conn.execute(CLAIM, [row["message_id"] for row in rows], lease_seconds)
    return [Due(row["message_id"], row["channel"], row["sealed"]) for row in rows]


async def load_situations(
    conn: Connection, message_ids: Sequence[UUID], *, now: datetime
) -> list[Situation]:
    """Return the present state around messages, in the order of their due times."""
    return [_situation(row, now) for row in await conn.fetch(SITUATIONS, list(message_ids))]


async def finish(
    conn: Connection, message: Message, state: str, *, reason: str | None = None, now: datetime
) -> bool:
    """End a message of ours; False when the claim was lost to somebody else meanwhile."""
    done = await conn.fetchval(FINISH, message.message_id, message.attempt, state, reason, now)
    return done is not None


async def postpone(conn: Connection, message: Message, *, reason: str, seconds: float) -> None:
    """Give a message back, to be tried again after `seconds` of system time."""
    await conn.execute(POSTPONE, message.message_id, message.attempt, reason, seconds)


async def feed_page(
    conn: Connection,
    person_id: UUID,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
    now: datetime,
) -> list[FeedItem]:
    """Return a person's feed, latest first, after an item seen before."""
    at, message_id = after or (None, None)
    rows = await conn.fetch(FEED, person_id, at, message_id, limit)
    return [
        FeedItem(_situation(row, now), row["acted_at"], row["read_at"] is not None) for row in rows
    ]


async def read_feed(conn: Connection, person_id: UUID, *, up_to: datetime, now: datetime) -> None:
    """Mark a person's feed as read up to an instant."""
    await conn.execute(READ_FEED, person_id, up_to, now)


async def count_unread(conn: Connection, person_id: UUID) -> int:
    """Return how many items of a person's feed are unread."""
    return int(await conn.fetchval(UNREAD, person_id))


def _situation(row: asyncpg.Record, now: datetime) -> Situation:
    known = row["reader_email"] is not None
    return Situation(
        message=Message(
            row["message_id"],
            row["person_id"],
            row["channel"],
            row["kind"],
            row["message_order_id"],
            row["details"],
            row["attempts"],
        ),
        now=now,
        reader=_reader(row) if known else None,
        erased=row["erased"],
        session=_session(row) if row["order_id"] else None,
        other_name=row["other_name"],
        mentor_state=row["mentor_state"],
        can_receive=row["can_receive"],
    )


def _reader(row: asyncpg.Record) -> Contact:
    return Contact(
        row["person_id"],
        row["reader_name"],
        row["reader_email"],
        row["reader_locale"],
        row["reader_zone"],
    )


def _session(row: asyncpg.Record) -> Session:
    state: SessionState = row["state"]
    return Session(
        order_id=row["order_id"],
        session_id=row["session_id"],
        mentor_id=row["mentor_id"],
        mentee_id=row["mentee_id"],
        title=row["title"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        state=state,
        calendar_sequence=row["calendar_sequence"],
        version=row["version"],
        cancelled_by=row["cancelled_by"],
        cancel_reason=row["cancel_reason"],
        refund_basis_points=row["refund_basis_points"],
        mentor_reviewed=row["mentor_reviewed"],
        mentee_reviewed=row["mentee_reviewed"],
    )
