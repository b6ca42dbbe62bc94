"""Credits pay for sessions in place of the card, and come back when nothing comes of them.

Whoever changes a lot holds the lock of the purchase it is about first: that of the sessions which
it pays for, or its own. Locks are taken in one order everywhere, so that nobody waits in a ring:
the purchase, the mentor's debt, lots by their ids, the promotion code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands.plans import announcer
from services.payments.domain import credits as rules
from services.payments.domain import orders as order_rules
from services.payments.domain.credits import Lot, Wanted
from services.payments.domain.orders import Order, Session
from services.payments.store import credits as store
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store.transfers import lock_debt
from shared.contracts.booking import BookingHeld
from shared.contracts.prepaid import CreditsBought, CreditsReturned, SponsoredSessionCompleted
from shared.db import Connection


async def use_credits(conn: Connection, order: Order, held: BookingHeld, now: datetime) -> Order:
    """Let credits pay for the sessions of a new purchase as far as they reach.

    Such a session costs what its credit was bought for, on the terms of that purchase.
    """
    lots = await store.lock_usable(conn, order.mentee_id, order.mentor_id, now)
    paid = rules.pay_with(_wanted(order, held), lots, now) if lots else []
    for session, lot in paid:
        await store.save_lot(conn, lot)
        order = order_rules.change(order, session)
        part = order.part(session.session_id)
        entry = ledger.prepaid.used(lot.purchase_id, lot.account, part, lot.unit, now)
        await books.post(conn, entry)
    return await _on_terms_of(conn, order, [lot for _, lot in paid]) if paid else order


def _wanted(order: Order, held: BookingHeld) -> list[Wanted]:
    spans = {each.session_id: each for each in held.sessions} or {held.session_id: held}
    return [
        Wanted(
            each,
            held.offering_id,
            _minutes(spans[each.session_id].starts_at, spans[each.session_id].ends_at),
        )
        for each in order.sessions
    ]


def _minutes(starts_at: datetime, ends_at: datetime) -> int:
    return round((ends_at - starts_at).total_seconds() / 60)


async def _on_terms_of(conn: Connection, order: Order, lots: Sequence[Lot]) -> Order:
    """Return the purchase at the prices of its credits, on the terms under which they were bought.

    Where the card pays for one session or more, the terms are those of today for all of them.
    """
    total = sum((each.price.minor for each in order.sessions), 0)
    order = replace(order, price=replace(order.price, minor=total))
    bought = await order_store.load_order(conn, lots[0].purchase_id)
    one = {lot.purchase_id for lot in lots}
    if bought is None or len(one) > 1 or order.to_pay.minor:
        return order
    return replace(
        order,
        platform_share_basis_points=bought.platform_share_basis_points,
        minimum_fee_minor=bought.minimum_fee_minor,
        fee_rule=bought.fee_rule,
    )


async def free_credits(conn: Connection, order: Order, now: datetime) -> Order:
    """Free the credits of a purchase whose rest was not paid in time; it is locked."""
    locked = await store.lock_lots(conn, _lot_ids(order))
    for session in order.sessions:
        if session.lot_id is None:
            continue
        lot = locked[session.lot_id] = rules.put_back(locked[session.lot_id], now)
        await store.save_lot(conn, lot)
        part = order.part(session.session_id)
        entry = ledger.prepaid.freed(lot.purchase_id, lot.account, part, lot.unit, now)
        await books.post(conn, entry)
        order = order_rules.change(order, replace(session, lot_id=None))
    await store.free_sessions(conn, order.order_id)
    return order


async def lock_before_return(conn: Connection, order: Order, now: datetime) -> None:
    """Lock what giving several sessions back may change, in order; the purchase is locked."""
    if lot_ids := _lot_ids(order):
        await lock_debt(conn, order.mentor_id, order.price.currency, now)
        await store.lock_lots(conn, lot_ids)


def _lot_ids(order: Order) -> list[UUID]:
    return [each.lot_id for each in order.sessions if each.lot_id is not None]


async def lot_of(conn: Connection, session: Session) -> Lot:
    """Return the lot whose credit paid for a session, as it stands."""
    assert session.lot_id is not None  # noqa: S101  A credit paid for it.
    lot = await store.load_lot(conn, session.lot_id)
    assert lot is not None  # noqa: S101  Lots are never deleted.
    return lot


async def return_credit(conn: Connection, order: Order, session: Session, now: datetime) -> Order:
    """Make the credit usable again that paid for a session, and tell; its purchase is locked."""
    assert session.lot_id is not None  # noqa: S101  A credit paid for it.
    lot = await store.lock_lot(conn, session.lot_id)
    assert lot is not None  # noqa: S101  Lots are never deleted.
    lot = rules.put_back(lot, now)
    await store.save_lot(conn, lot)
    told = replace(order, version=order.version + 1)
    await order_store.save_order(conn, told)
    fact = CreditsReturned(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        session_id=session.session_id,
        lot_id=lot.lot_id,
        expires_at=lot.expires_at or now,
    )
    await announcer.announce(conn, fact, at=now)
    return told


async def thaw(conn: Connection, purchase: Order, since: datetime, now: datetime) -> None:
    """Give time to book with what a bank froze then and gave back; the purchase is locked."""
    for lot in await store.lock_lots_of(conn, purchase.order_id):
        if lot.remaining:
            await store.save_lot(conn, rules.thaw(lot, since, now))


async def thank_sponsor(conn: Connection, order: Order, session: Session, now: datetime) -> None:
    """Tell a sponsor that a session took place which they had paid; its purchase is locked."""
    lot = await store.load_lot(conn, session.lot_id) if session.lot_id else None
    if lot is None or lot.kind != "sponsorship":
        return
    told = replace(order, version=order.version + 1)
    await order_store.save_order(conn, told)
    fact = SponsoredSessionCompleted(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        session_id=session.session_id,
        sponsor_id=lot.buyer_id,
    )
    await announcer.announce(conn, fact, at=now)


async def fill_lots(
    conn: Connection,
    order: Order,
    paid_at: datetime,
    now: datetime,
    expires_at: datetime | None = None,
) -> None:
    """Make the credits of a purchase good that was just paid; it is locked."""
    for lot in await store.lock_lots_of(conn, order.order_id):
        filled = rules.fill(lot, paid_at, expires_at)
        await store.save_lot(conn, filled)
        entry = ledger.prepaid.bought(order.order_id, lot.account, filled.price, paid_at)
        await books.post(conn, entry.shown_by(order.charge_id))
        assert filled.expires_at is not None  # noqa: S101  It was filled.
        fact = CreditsBought(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=order.version,
            kind=lot.kind,
            offering_id=lot.offering_id,
            sessions=lot.sessions,
            amount_minor=filled.price.minor,
            currency=filled.price.currency,
            expires_at=filled.expires_at,
        )
        await announcer.announce(conn, fact, at=now)
