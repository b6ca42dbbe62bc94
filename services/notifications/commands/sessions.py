"""The sessions of a purchase are followed one by one: moves, ends, absences, objections."""

from __future__ import annotations

from datetime import datetime

from services.notifications.commands.orders import newer
from services.notifications.commands.planning import plan
from services.notifications.domain.messages import Details, notices, plan_reminders
from services.notifications.domain.orders import Order, other_side, session_changed
from services.notifications.store import orders
from shared.contracts.booking import (
    BookingCancelled,
    MoveDeclined,
    MoveProposed,
    ObjectionRaised,
    ObjectionSettled,
    OrderFact,
    SessionCompleted,
    SessionMissed,
    SessionMoved,
)
from shared.db import Connection

_NO_PROPOSAL = {"proposed_by": None, "proposal": None}


async def propose_move(conn: Connection, fact: MoveProposed, *, at: datetime) -> None:
    """Tell the other side which time is asked for, and until when an answer is awaited."""
    order = await _follow(conn, fact, proposed_by=fact.by, proposal=fact.version)
    if order is None:
        return
    details: Details = {
        "proposal": fact.version,
        "until": fact.answer_by.isoformat(),
        "proposed_starts_at": fact.proposed_starts_at.isoformat(),
        "proposed_ends_at": fact.proposed_ends_at.isoformat(),
        "reason_given": int(fact.reason_given),
    }
    await _tell(conn, order, fact, "move_proposed", at, but=fact.by, details=details)


async def decline_move(conn: Connection, fact: MoveDeclined, *, at: datetime) -> None:
    """Tell who asked that the session stays; who withdraws a proposal is not told, the other is."""
    known = await newer(conn, fact)
    if known is None:
        return
    order = session_changed(known, fact, **_NO_PROPOSAL)
    await orders.save_order(conn, order)
    asked = known.session(fact.session_id).proposed_by
    details: Details = {"by": fact.by, **({"asked": asked} if asked else {})}
    said_no = fact.by if fact.by in ("mentor", "mentee") or not asked else other_side(asked)
    await _tell(conn, order, fact, "move_declined", at, but=said_no, details=details)


async def move_session(conn: Connection, fact: SessionMoved, *, at: datetime) -> None:
    """Invite both sides to the new time; the reminders of the old one find it moved."""
    order = await _follow(conn, fact, **_NO_PROPOSAL)
    if order is None:
        return
    details: Details = {
        "by": fact.by,
        "sequence": fact.calendar_sequence,
        "was_starts_at": fact.was_starts_at.isoformat(),
        "was_ends_at": fact.was_ends_at.isoformat(),
        "refundable": int(fact.refundable),
    }
    await _tell(conn, order, fact, "session_moved", at, details=details)
    await plan(conn, *plan_reminders(order, order.session(fact.session_id), now=at))


async def cancel_session(conn: Connection, fact: BookingCancelled, *, at: datetime) -> None:
    """Take the session out of both calendars; its reminders find it cancelled."""
    order = await _follow(
        conn,
        fact,
        state="cancelled",
        cancelled_by=fact.by,
        refund_basis_points=fact.refund_basis_points,
    )
    if order:
        details = {"reason_given": int(fact.reason_given)}
        await _tell(conn, order, fact, "session_cancelled", at, details=details)


async def complete_session(conn: Connection, fact: SessionCompleted, *, at: datetime) -> None:
    """Ask both sides for a review."""
    if order := await _follow(conn, fact, state="completed"):
        await _tell(conn, order, fact, "review_wanted", at)


async def miss_session(conn: Connection, fact: SessionMissed, *, at: datetime) -> None:
    """Tell both who did not come, and what becomes of the price."""
    order = await _follow(
        conn,
        fact,
        state="no_show",
        missed_by=fact.missed_by,
        refund_basis_points=fact.refund_basis_points,
    )
    if order:
        await _tell(conn, order, fact, "session_missed", at)


async def raise_objection(conn: Connection, fact: ObjectionRaised, *, at: datetime) -> None:
    """Tell the other side, and nobody else, that there is an objection."""
    if order := await _follow(conn, fact, objected=True):
        await _tell(conn, order, fact, "objection_raised", at, but=fact.by)


async def settle_objection(conn: Connection, fact: ObjectionSettled, *, at: datetime) -> None:
    """Tell both what was decided."""
    settled = {"objected": False, "refund_basis_points": fact.refund_basis_points}
    if order := await _follow(conn, fact, **settled):
        await _tell(conn, order, fact, "objection_settled", at)


async def _follow(conn: Connection, fact: OrderFact, **fields: object) -> Order | None:
    """Return the purchase after something that concerns one session; nothing when known already."""
    known = await newer(conn, fact)
    if known is None:
        return None
    order = session_changed(known, fact, **fields)
    await orders.save_order(conn, order)
    return order


async def _tell(
    conn: Connection,
    order: Order,
    fact: OrderFact,
    kind: str,
    at: datetime,
    *,
    but: str | None = None,
    details: Details | None = None,
) -> None:
    """Owe a message about the fact's session to both sides, or to all but one."""
    about, people = order.session(fact.session_id), order.all_but(but)
    await plan(conn, *notices(order, kind, fact, at, to=people, session=about, details=details))
