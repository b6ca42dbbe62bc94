"""What becomes of an order after its hold: paid, called off, completed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.booking.commands.holds import take_time
from services.booking.commands.saving import save_order
from services.booking.domain.absence import end_by_itself, tell_visits
from services.booking.domain.orders import NotYourPart, Order, OrderState, Session
from services.booking.domain.sessions import CallOff, ReasonMissing, cancel, complete
from services.booking.domain.settlement import is_settled, obstacle, settle
from services.booking.store import attendance, orders, people
from shared.auth import Principal, Role
from shared.clock import BusinessInstant
from shared.contracts.common import Party
from shared.db import Connection
from shared.deeds import DONE, Actions, Deed, Details, record
from shared.errors import NotFound
from shared.ids import OrderId, PersonId, SessionId


async def settle_payment(conn: Connection, order_id: OrderId, *, now: datetime) -> Order | None:
    """Confirm or lose an order that was paid; nothing for an unknown order.

    An expired one is confirmed only if its time can be sold to it once more.
    """
    order = await orders.lock_order(conn, order_id)
    if order is None or is_settled(order):
        return order
    bookable = await people.is_approved(conn, order.mentor_id)
    lost = obstacle(order, bookable=bookable, now=now)
    revives = order.state is OrderState.EXPIRED and lost is None
    if revives and order.is_series:
        await people.take_turn_for_time(conn, order.mentor_id)
    if revives and not await take_time(conn, order, now):
        lost = "time_sold"
    changed = settle(order, lost, now=now)
    return await save_order(conn, changed, now=now) if changed else order


async def cancel_order(
    conn: Connection,
    order_id: OrderId,
    session_id: SessionId | None,
    who: Principal,
    call_off: CallOff,
    *,
    now: BusinessInstant,
) -> Order:
    """Call a session of an order off, or its hold.

    Raises `NotFound`, `SessionUnnamed`, `ReasonMissing` and what `cancel` raises.
    """
    order = await _locked(conn, order_id)
    side = side_of(order, who)
    session = order.sessions[0] if order.state is OrderState.HELD else order.session(session_id)
    cancelled = await save_order(conn, cancel(order, session, side, call_off, now=now), now=now)
    if side == "operator":
        if call_off.reason is None:
            raise ReasonMissing
        deed = Deed(str(who.person_id), "cancel", str(order_id), call_off.reason, order_id)
        await record(conn, deed, DONE, _said_of(cancelled, session), now)
    return cancelled


async def cancel_as_asked(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Call an order off for an operator on the command line; raises as `cancel_order` does."""
    order = await _locked(conn, OrderId(UUID(deed.subject)))
    named = deed.arguments.get("session_id")
    session = order.session(SessionId(UUID(named)) if named else None)
    call_off = CallOff(deed.reason, chosen=deed.arguments.get("refund_basis_points"))
    changed = cancel(order, session, "operator", call_off, now=now)
    return _said_of(await save_order(conn, changed, now=now), session)


ACTIONS: Actions = {"cancel": cancel_as_asked}
"""What operators can do here, by the name it is logged under."""


async def complete_order(
    conn: Connection,
    order_id: OrderId,
    session_id: SessionId | None,
    mentee_id: PersonId,
    *,
    now: datetime,
) -> Order:
    """Take the mentee's word that a session took place.

    Raises `NotFound`, `SessionUnnamed`, `NotYourPart`, `NotConfirmed` or `NotEnded`.
    """
    order = await orders.lock_order(conn, order_id)
    if order is None or order.party(mentee_id) is None:
        raise NotFound
    if order.mentee_id != mentee_id:
        raise NotYourPart
    session = order.session(session_id)
    visits = tell_visits(await attendance.read_visits(conn, order, session.session_id))
    return await save_order(conn, complete(order, session, "mentee", visits, now=now), now=now)


async def complete_next_session(conn: Connection, *, now: datetime) -> bool:
    """End the session that is due first, as its record shows; return whether there was one."""
    found = await orders.next_to_complete(conn, now)
    if found is None:
        return False
    order_id, session_id = found
    order = await _locked(conn, order_id)
    session = order.session(session_id)
    # Somebody else may have been faster between our look and our lock.
    if session.state is OrderState.CONFIRMED and session.completes_at <= now:
        visits = await attendance.read_visits(conn, order, session_id)
        await save_order(conn, end_by_itself(order, session, visits, now=now), now=now)
    return True


def side_of(order: Order, who: Principal) -> Party:
    """Return what a person is to an order; raises `NotFound` for somebody it is not about."""
    side = order.party(who.person_id)
    if side is None and not who.is_a(Role.OPERATOR):
        raise NotFound
    return side or "operator"


async def _locked(conn: Connection, order_id: OrderId) -> Order:
    order = await orders.lock_order(conn, order_id)
    if order is None:
        raise NotFound
    return order


def _said_of(order: Order, session: Session) -> Details:
    after = order.session(session.session_id)
    return {"refund_basis_points": after.refund_basis_points}
