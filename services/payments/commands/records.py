"""What booking tells about sessions is kept, so that a dispute can be answered with it."""

from __future__ import annotations

from datetime import datetime

from services.payments.domain.evidence import Case, End, Visit
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Refund
from services.payments.store import credits as credit_store
from services.payments.store import outcomes as outcome_store
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


async def case_of(conn: Connection, order: Order) -> Case:
    """Return what is known of a purchase's payment, to answer a dispute of it with."""
    records = await store.records_paid_by(conn, order.order_id)
    known = await outcome_store.refunds_of_order(conn, order.order_id)
    refunds = [each for each in known if _is_of_payment(order, each)]
    if order.sessions:
        return Case(order, records, refunds)
    for record in records:
        refunds += await outcome_store.refunds_of(conn, record.session_id)
    lots = await credit_store.lots_of_purchases(conn, [order.order_id])
    since = await store.subscribed_at(conn, order.order_id)
    return Case(order, records, refunds, lots, since)


def _is_of_payment(order: Order, refund: Refund) -> bool:
    """Return whether a refund is of what the purchase's payment paid, and not of a credit."""
    session = order.named(refund.session_id)
    return session is None or session.lot_id is None


def _end(ended: Ended, at: datetime) -> End:
    if isinstance(ended, BookingCancelled):
        return End("cancelled", ended.by, at)
    visits = tuple(Visit(each.side, each.joined_at, each.left_at) for each in ended.visits)
    if isinstance(ended, SessionMissed):
        return End("missed", ended.missed_by, ended.missed_at, visits)
    return End("completed", ended.by, ended.completed_at, visits)
