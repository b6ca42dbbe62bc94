"""Codes and amends: used when a purchase begins, redeemed when it is paid, or given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.payments.commands.plans import announcer
from services.payments.domain import amends
from services.payments.domain import promotions as rules
from services.payments.domain.freezing import take_off
from services.payments.domain.orders import Order, Session
from services.payments.domain.promotions import (
    Attempt,
    Discount,
    Promotion,
    PromotionCodeTaken,
    Why,
    apply,
    check_shape,
)
from services.payments.store import orders as order_store
from services.payments.store import promotions as store
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import new_id
from shared.money import Money


async def create(conn: Connection, promotion: Promotion) -> Promotion:
    """Make a code; raises `PromotionShape` or `PromotionCodeTaken`."""
    check_shape(promotion)
    if not await store.add_promotion(conn, promotion):
        raise PromotionCodeTaken
    return promotion


async def pause(
    conn: Connection, promotion_id: UUID, mentor_id: UUID | None, now: datetime
) -> Promotion:
    """Stop a code; raises `NotFound` unless it is the mentor's.

    Without a mentor an operator stops any code. Purchases that began with it keep what it takes
    off.
    """
    found = await _need(conn, promotion_id, mentor_id)
    paused = rules.pause(found, "mentor" if mentor_id else "operator", now)
    await store.save_pause(conn, paused)
    return paused


async def resume(conn: Connection, promotion_id: UUID, mentor_id: UUID | None) -> Promotion:
    """Let a code be used again, as `pause` stops it; raises `NotFound` or `PausedByOperators`."""
    found = await _need(conn, promotion_id, mentor_id)
    resumed = rules.resume(found, "mentor" if mentor_id else "operator")
    await store.save_pause(conn, resumed)
    return resumed


async def _need(conn: Connection, promotion_id: UUID, mentor_id: UUID | None) -> Promotion:
    found = await store.lock(conn, promotion_id)
    theirs = found is not None and found.mentor_id == mentor_id and found.paid_by == "mentor"
    if found is None or not (mentor_id is None or theirs):
        raise NotFound
    return found


async def grant_amends(
    conn: Connection,
    order: Order,
    session: Session,
    credit_basis_points: int,
    back_basis_points: int,
    now: datetime,
) -> None:
    """Make amends to a mentee who was let down, once per session, and tell; the order is locked."""
    amount = amends.due(order, session, credit_basis_points, back_basis_points)
    if not amount.minor:
        return
    told, promotion, fact = amends.grant(order, session, amount, new_id(), now)
    if await store.add_promotion(conn, promotion):
        await order_store.save_order(conn, told)
        await announcer.announce(conn, fact, at=now)


async def remind_of_next_amends(conn: Connection, now: datetime) -> bool:
    """Remind of the amends that end first, if something is left; return whether some are due."""
    found = await store.next_to_remind(conn, now)
    if found is None:
        return False
    promotion_id, mentee_id, order_id = found
    order = await order_store.lock_order(conn, order_id)
    good = await store.amends_of(conn, mentee_id, now)
    left = next((each for each in good if each.promotion_id == promotion_id), None)
    if await store.note_reminded(conn, promotion_id) and order and left:
        told, fact = amends.remind(order, left)
        await order_store.save_order(conn, told)
        await announcer.announce(conn, fact, at=now)
    return True


async def look_up(
    conn: Connection,
    code: str | None,
    mentee_id: UUID,
    offering: tuple[UUID, UUID],
    prices: Sequence[Money],
    now: datetime,
) -> Discount | Why | None:
    """Return what a code would take off a purchase that began now, without using it.

    `offering` is the mentor and what is offered. Without a code it is what the mentee's oldest
    amends take off that take anything off, if there are any.
    """
    if code is None:
        return await _by_amends(conn, mentee_id, offering, prices, now)
    found = await store.by_code(conn, code)
    return await _apply(conn, found, mentee_id, offering, prices, now)


async def use(
    conn: Connection, order: Order, code: str | None, offering_id: UUID, now: datetime
) -> tuple[Order, Discount | None]:
    """Return a purchase that begins with what a code takes off, or with why it takes nothing.

    Until the transaction ends nobody else uses the code, nor this person another one or amends: so
    a limit holds however many try at once. Whoever has no amends waits for nobody.
    """
    if code is None and not await store.amends_of(conn, order.mentee_id, now):
        return order, None
    await store.take_turn(conn, order.mentee_id)
    if code is not None:
        await store.lock_by_code(conn, code)
    offering = (order.mentor_id, offering_id)
    prices = [each.price for each in order.sessions if each.lot_id is None]
    result = await look_up(conn, code, order.mentee_id, offering, prices, now)
    return take_off(order, code, result), result if isinstance(result, Discount) else None


async def reserve(conn: Connection, order: Order, discount: Discount, now: datetime) -> None:
    """Count a use of a code by a purchase that is stored now; the code is locked."""
    await store.add_use(
        conn,
        order.order_id,
        discount.promotion.promotion_id,
        order.mentee_id,
        discount.whole,
        now,
    )


async def redeem(conn: Connection, order: Order, now: datetime) -> None:
    """Note that a purchase with a code was paid, also when that is later than its page closed."""
    found = await store.use_of(conn, order.order_id)
    if found is None or found[1] == "redeemed":
        return
    promotion_id, state = found
    counts = 1 if state == "given_back" else 0
    await store.save_use(conn, order.order_id, promotion_id, "redeemed", now, counts)


async def give_back(conn: Connection, order: Order, now: datetime) -> None:
    """Let somebody else use the code of a purchase that came to nothing."""
    found = await store.use_of(conn, order.order_id)
    if found is None or found[1] == "given_back":
        return
    await store.save_use(conn, order.order_id, found[0], "given_back", now, -1)


async def _by_amends(
    conn: Connection,
    mentee_id: UUID,
    offering: tuple[UUID, UUID],
    prices: Sequence[Money],
    now: datetime,
) -> Discount | None:
    for each in await store.amends_of(conn, mentee_id, now):
        found = await _apply(conn, each, mentee_id, offering, prices, now)
        if isinstance(found, Discount):
            return found
    return None


async def _apply(
    conn: Connection,
    promotion: Promotion | None,
    mentee_id: UUID,
    offering: tuple[UUID, UUID],
    prices: Sequence[Money],
    now: datetime,
) -> Discount | Why:
    if promotion is None:
        return "unknown"
    if not prices:
        return "paid_by_credits"
    mentor_id, offering_id = offering
    attempt = Attempt(
        mentor_id,
        offering_id,
        prices,
        await store.used_before(conn, promotion.promotion_id, mentee_id),
        promotion.first_purchase_only and await store.bought_before(conn, mentee_id),
    )
    return apply(promotion, attempt, now)
