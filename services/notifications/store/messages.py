"""Messages: planned, claimed, finished, and shown in the feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notifications.domain.messages import Contact, Message, Plan, Situation
from services.notifications.domain.orders import Order
from services.notifications.store.orders import read_orders
from shared.db import Connection
from shared.ids import new_id

PLAN = """
INSERT INTO messages (message_id, person_id, channel, kind, cause, order_id, session_id, details,
                      sealed, planned_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT ON CONSTRAINT messages_once DO NOTHING
"""
SKIP_PLANNED_OF_PERSON = """
UPDATE messages SET state = 'skipped', reason = $2, sealed = NULL, acted_at = $3
WHERE person_id = $1 AND state = 'planned'
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
SELECT m.message_id, m.person_id, m.channel, m.kind, m.order_id, m.session_id, m.details,
       m.attempts, m.planned_at, m.acted_at, m.read_at,
       r.name AS reader_name, r.email AS reader_email, r.locale AS reader_locale,
       r.zone AS reader_zone, COALESCE(r.erased, false) AS erased,
       x.name AS other_name,
       COALESCE(t.mentor_state, 'none') AS mentor_state,
       COALESCE(t.can_receive, false) AS can_receive
FROM messages AS m
LEFT JOIN contacts AS r ON r.person_id = m.person_id
LEFT JOIN mentors AS t ON t.person_id = m.person_id
LEFT JOIN orders AS o ON o.order_id = m.order_id
LEFT JOIN contacts AS x
    ON x.person_id = CASE
        WHEN m.details ? 'other_id' THEN (m.details ->> 'other_id')::uuid
        WHEN m.person_id = o.mentor_id THEN o.mentee_id
        ELSE o.mentor_id
    END
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
            plan.session_id,
            dict(plan.details),
            plan.sealed,
            plan.at,
        )
        for plan in plans
        for channel in plan.channels
    ]
    await conn.executemany(PLAN, rows)


async def skip_planned_of(conn: Connection, person_id: UUID, *, reason: str, now: datetime) -> None:
    """Skip everything that a person is still owed."""
    await conn.execute(SKIP_PLANNED_OF_PERSON, person_id, reason, now)


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
    rows = await conn.fetch(SITUATIONS, list(message_ids))
    return await _situations(conn, rows, now)


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
    situations = await _situations(conn, rows, now)
    return [
        FeedItem(situation, row["acted_at"], row["read_at"] is not None)
        for situation, row in zip(situations, rows, strict=True)
    ]


async def read_feed(conn: Connection, person_id: UUID, *, up_to: datetime, now: datetime) -> None:
    """Mark a person's feed as read up to an instant."""
    await conn.execute(READ_FEED, person_id, up_to, now)


async def count_unread(conn: Connection, person_id: UUID) -> int:
    """Return how many items of a person's feed are unread."""
    return int(await conn.fetchval(UNREAD, person_id))


async def _situations(
    conn: Connection, rows: Sequence[asyncpg.Record], now: datetime
) -> list[Situation]:
    orders = await read_orders(conn, [row["order_id"] for row in rows if row["order_id"]])
    return [_situation(row, orders, now) for row in rows]


def _situation(row: asyncpg.Record, orders: Mapping[UUID, Order], now: datetime) -> Situation:
    known = row["reader_email"] is not None
    return Situation(
        message=Message(
            row["message_id"],
            row["person_id"],
            row["channel"],
            row["kind"],
            row["order_id"],
            row["details"],
            row["attempts"],
            row["planned_at"],
            row["session_id"],
        ),
        now=now,
        reader=_reader(row) if known else None,
        erased=row["erased"],
        order=orders.get(row["order_id"]),
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
