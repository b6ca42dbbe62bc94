"""Purchases are followed: their requests, offers, confirmations, ends and reviews."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.notifications.commands.planning import plan
from services.notifications.domain.messages import (
    Details,
    Plan,
    cause_of,
    notices,
    plan_reminders,
)
from services.notifications.domain.orders import (
    Opening,
    Order,
    SessionState,
    confirmed,
    opened,
    whole_changed,
)
from services.notifications.store import orders
from shared.contracts.booking import (
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingRequested,
    OrderFact,
    RequestDeclined,
    RequestLapsed,
    WaitlistOffered,
    WaitlistOfferEnded,
)
from shared.contracts.payments import MoneyFact
from shared.contracts.profiles import ReviewFact
from shared.db import Connection
from shared.errors import Missing
from shared.inbox import arrived


async def open_request(conn: Connection, fact: BookingRequested, *, at: datetime) -> None:
    """Tell the mentor who asks for what, and the mentee that we asked."""
    order = await _open(conn, fact, "requested")
    if order is None:
        return
    details = _until(fact, fact.answer_by)
    await plan(
        conn,
        *notices(order, "request_received", fact, at, to=[order.mentor_id], details=details),
        *notices(order, "request_sent", fact, at, to=[order.mentee_id], details=details),
    )


async def decline_request(conn: Connection, fact: RequestDeclined, *, at: datetime) -> None:
    """Tell the other side that a request was declined, or withdrawn."""
    order = await _follow(conn, fact, state="declined", cancelled_by=fact.by)
    if order:
        await plan(conn, *_ended(order, "request_declined", fact, at))


async def lapse_request(conn: Connection, fact: RequestLapsed, *, at: datetime) -> None:
    """Tell both that nobody answered, and the mentee who else has time."""
    order = await _follow(conn, fact, state="lapsed")
    if order is None:
        return
    details: Details = {}
    if best := fact.next_best:
        details = {
            "next_mentor_id": str(best.mentor_id),
            "next_starts_at": best.starts_at.isoformat(),
        }
    await plan(
        conn,
        *notices(order, "request_lapsed", fact, at, to=[order.mentee_id], details=details),
        *notices(order, "request_lapsed", fact, at, to=[order.mentor_id]),
    )


async def offer_slot(conn: Connection, fact: WaitlistOffered, *, at: datetime) -> None:
    """Tell the mentee that a slot is kept for them, and until when."""
    if order := await _open(conn, fact, "offered"):
        details = _until(fact, fact.answer_by)
        offers = notices(order, "waitlist_offered", fact, at, to=[order.mentee_id], details=details)
        await plan(conn, *offers)


async def end_offer(conn: Connection, fact: WaitlistOfferEnded, *, at: datetime) -> None:
    """Tell the mentee that an offered slot is gone, unless they said so themselves."""
    order = await _follow(conn, fact, state="lapsed", cancelled_by=fact.by)
    if order and fact.by != "mentee":
        await plan(conn, *notices(order, "waitlist_ended", fact, at, to=[order.mentee_id]))


async def hold_order(conn: Connection, fact: BookingHeld, *, at: datetime) -> None:
    """Begin to follow a purchase; when it was asked for, tell the mentee that it is accepted."""
    order = await _open(conn, fact, "held")
    if order and order.requested:
        details = _until(fact, fact.hold_until)
        accepted = notices(
            order, "request_accepted", fact, at, to=[order.mentee_id], details=details
        )
        await plan(conn, *accepted)


async def confirm_order(conn: Connection, fact: BookingConfirmed, *, at: datetime) -> None:
    """Invite both sides to all sessions in one message, and plan the reminders of each."""
    known = await newer(conn, fact)
    if known is None:
        return
    order = confirmed(known, fact)
    await orders.save_order(conn, order)
    reminders = [
        each for session in order.sessions for each in plan_reminders(order, session, now=at)
    ]
    confirmations = notices(order, "session_confirmed", fact, at, to=order.people)
    await plan(conn, *confirmations, *reminders)


async def expire_order(conn: Connection, fact: BookingExpired, *, at: datetime) -> None:
    """Note that a hold ended; when it had been asked for, tell who does not know it already."""
    order = await _follow(conn, fact, state="expired", cancelled_by=fact.by)
    if order and order.requested:
        kind = "request_unpaid" if fact.by == "system" else "request_declined"
        await plan(conn, *_ended(order, kind, fact, at))


async def lose_order(conn: Connection, fact: OrderFact, *, at: datetime) -> None:
    """Tell the mentee that the payment came too late and goes back."""
    if order := await _follow(conn, fact, state="lost"):
        await plan(conn, *notices(order, "session_lost", fact, at, to=[order.mentee_id]))


async def note_review(conn: Connection, fact: ReviewFact, *, by: str) -> None:
    """Note that one side wrote its review of a session, so that it is not asked again."""
    order = await known_order(conn, fact.order_id)
    if by not in ("mentor", "mentee"):
        return
    written = {f"{by}_reviewed": True}
    sessions = tuple(
        replace(each, **written) if each.session_id == fact.session_id else each
        for each in order.sessions
    )
    await orders.save_order(conn, replace(order, sessions=sessions))


async def tell_of_reviews(conn: Connection, fact: ReviewFact, *, at: datetime) -> None:
    """Tell both sides that the reviews of a session show."""
    order = await known_order(conn, fact.order_id)
    session = order.session(fact.session_id)
    shown = notices(order, "reviews_published", fact, at, to=order.people, session=session)
    await plan(conn, *shown)


async def tell_of_money(
    conn: Connection,
    fact: MoneyFact,
    *,
    kind: str,
    to: UUID,
    session_id: UUID | None,
    details: Details,
    at: datetime,
) -> None:
    """Tell one side of a purchase what happened to its money; raises `Missing`."""
    order = await known_order(conn, fact.order_id)
    about = order.session(session_id).session_id if session_id else None
    await plan(conn, Plan(to, kind, cause_of(fact), at, order.order_id, about, details))


async def known_order(conn: Connection, order_id: UUID) -> Order:
    """Return a purchase and lock it; raises `Missing` until its first fact was heard."""
    order = await orders.find_order(conn, order_id)
    if order is None:
        raise Missing(_named(order_id))
    return order


async def newer(conn: Connection, fact: OrderFact) -> Order | None:
    """Return the purchase as known so far, or nothing when the fact is the older one."""
    order = await known_order(conn, fact.order_id)
    return order if order.version < fact.version else None


async def _open(conn: Connection, fact: Opening, state: SessionState) -> Order | None:
    """Follow a purchase from a fact that tells it in full; what came too early is taken up."""
    known = await orders.find_order(conn, fact.order_id)
    if known and known.version >= fact.version:
        return None
    order = opened(fact, state, known)
    await orders.save_order(conn, order)
    if known is None:
        await arrived(conn, _named(fact.order_id))
    return order


async def _follow(conn: Connection, fact: OrderFact, **fields: object) -> Order | None:
    """Return the purchase after something that concerns all of it; nothing when known already."""
    known = await newer(conn, fact)
    if known is None:
        return None
    order = whole_changed(known, fact, **fields)
    await orders.save_order(conn, order)
    return order


def _ended(
    order: Order, kind: str, fact: RequestDeclined | BookingExpired, at: datetime
) -> list[Plan]:
    details = {"reason_given": int(fact.reason_given)}
    return notices(order, kind, fact, at, to=order.all_but(fact.by), details=details)


def _until(fact: Opening, until: datetime) -> Details:
    return {
        "until": until.isoformat(),
        "amount_minor": fact.price_minor,
        "currency": fact.currency,
    }


def _named(order_id: UUID) -> str:
    return f"order:{order_id}"
