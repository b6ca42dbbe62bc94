"""What booking tells about sessions is kept, so that a dispute can be answered with it."""

from __future__ import annotations

from datetime import datetime

from services.payments.domain.evidence import End, Visit
from services.payments.store import records as store
from shared.contracts.booking import (
    BookingCancelled,
    BookingHeld,
    BookingLost,
    ObjectionSettled,
    SessionCompleted,
    SessionMissed,
)
from shared.db import Connection
from shared.money import WHOLE_BASIS_POINTS

Ended = SessionCompleted | SessionMissed | BookingCancelled


async def begin_records(conn: Connection, held: BookingHeld) -> None:
    """Keep when the sessions of a purchase are, and which policy was accepted with it."""
    policy = f"{held.policy.preset}, version {held.policy.policy_version}"
    sold = [(each.session_id, each.starts_at, each.ends_at) for each in held.sessions]
    only = (held.session_id, held.starts_at, held.ends_at)
    for session_id, starts_at, ends_at in sold or [only]:
        await store.begin_record(conn, session_id, starts_at, ends_at, policy)


async def end_record(conn: Connection, ended: Ended, at: datetime) -> None:
    """Keep how a session ended, at which time it was at last, and who was in the room when."""
    await store.end_record(conn, ended.session_id, ended.starts_at, ended.ends_at, _end(ended, at))
    if not isinstance(ended, SessionCompleted):
        await store.owe(conn, ended.session_id, ended.refund_basis_points)


async def note_settled(conn: Connection, settled: ObjectionSettled) -> None:
    """Keep what an operator gave back of a session."""
    await store.owe(conn, settled.session_id, settled.refund_basis_points)


async def note_lost(conn: Connection, lost: BookingLost) -> None:
    """Keep that all of a purchase goes back."""
    for record in await store.records_of(conn, lost.order_id):
        await store.owe(conn, record.session_id, WHOLE_BASIS_POINTS)


def _end(ended: Ended, at: datetime) -> End:
    if isinstance(ended, BookingCancelled):
        return End("cancelled", ended.by, at)
    visits = tuple(Visit(each.side, each.joined_at, each.left_at) for each in ended.visits)
    if isinstance(ended, SessionMissed):
        return End("missed", ended.missed_by, ended.missed_at, visits)
    return End("completed", ended.by, ended.completed_at, visits)
