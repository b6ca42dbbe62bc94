"""Credits are bought, given away, granted, given back as money, and end with their time."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.payments import ledger
from services.payments.commands import fees
from services.payments.commands.decisions import plan_call_for
from services.payments.commands.offered import need_offered
from services.payments.commands.orders import need_order
from services.payments.commands.plans import announcer, plan
from services.payments.domain import credits as rules
from services.payments.domain import orders as order_rules
from services.payments.domain.credits import GivenKind, Lot, Package
from services.payments.domain.offered import check_settled
from services.payments.domain.orders import Order, Terms
from services.payments.domain.outcomes import Refund, RefundReason
from services.payments.store import credits as store
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from shared.clock import BusinessInstant
from shared.contracts.prepaid import (
    CreditsExpired,
    CreditsGranted,
    CreditsReminded,
    GiftRedeemed,
)
from shared.db import Connection
from shared.deeds import Deed, Details
from shared.errors import NotFound
from shared.ids import new_id
from shared.money import Money

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Nothing that looks like something else, and nothing that spells a word."""
CODE_LENGTH = 16
"""78 bits: nobody guesses one, however long they try."""


async def offer_package(
    conn: Connection,
    mentor_id: UUID,
    offering_id: UUID,
    *,
    sessions: int,
    unit_minor: int,
    valid_months: int,
) -> Package:
    """Offer a package of one's own offering; raises what `offer_package` of the rules raises."""
    offered = await need_offered(conn, offering_id)
    if offered.mentor_id != mentor_id:
        raise NotFound
    package = rules.offer_package(new_id(), offered, sessions, unit_minor, valid_months)
    await store.add_package(conn, package)
    return package


async def withdraw_package(conn: Connection, mentor_id: UUID, package_id: UUID) -> None:
    """Offer a package no more; what was bought stays as it was bought. Raises `NotFound`."""
    package = await store.load_package(conn, package_id)
    if package is None or package.mentor_id != mentor_id:
        raise NotFound
    await store.withdraw_package(conn, package_id)


async def buy_package(
    conn: Connection,
    package_id: UUID,
    buyer_id: UUID,
    terms: Terms,
    now: datetime,
    *,
    as_gift: bool,
) -> Order:
    """Begin to buy a package, for oneself or as a gift; raises `NotFound` or a refusal."""
    package = await store.load_package(conn, package_id)
    if package is None:
        raise NotFound
    offered = await need_offered(conn, package.offering_id)
    check_settled(package.unit, terms.settlement_currencies)
    lot = rules.lot_of_package(package, offered, buyer_id, (new_id(), new_id()), as_gift=as_gift)
    return await _buy(conn, lot, terms, now)


async def buy_to_give(
    conn: Connection,
    kind: GivenKind,
    offering_id: UUID,
    sessions: int,
    buyer_id: UUID,
    terms: Terms,
    now: datetime,
) -> Order:
    """Begin to buy sessions for somebody, or for a mentor's fund; raises what the rules raise."""
    offered = await need_offered(conn, offering_id)
    check_settled(offered.price, terms.settlement_currencies)
    lot = rules.lot_to_give(kind, offered, buyer_id, (new_id(), new_id()), sessions)
    return await _buy(conn, lot, terms, now)


async def _buy(conn: Connection, lot: Lot, terms: Terms, now: datetime) -> Order:
    order = await fees.freeze(conn, rules.purchase_of(lot, terms, now))
    await order_store.add_order(conn, order)
    await store.add_lot(conn, lot)
    await plan(conn, order_rules.checkout_for(order, terms), now)
    return order


async def make_code(conn: Connection, order_id: UUID, buyer_id: UUID) -> str:
    """Return a new code of a gift, which is shown this once; the one before it is void.

    Raises `NotFound` or `NotAGift`.
    """
    order, lots = await _need_own(conn, order_id, buyer_id)
    lot = rules.bought_of(lots)
    waits = lot.kind == "gift" and lot.owner_id is None and lot.remaining
    if order.state != "paid" or not waits:
        raise rules.NotAGift
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    await store.save_code(conn, lot.lot_id, _hash(code))
    return "-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4))


async def redeem(conn: Connection, code: str, person_id: UUID, now: datetime) -> Lot:
    """Give a gift to who has its code; raises `GiftUnknown` or `OwnSessions`."""
    found = await store.by_code(conn, _hash(code))
    if found is None:
        raise rules.GiftUnknown
    order = await need_order(conn, found.purchase_id)
    lot = await store.lock_lot(conn, found.lot_id)
    if lot is None or lot.expires_at is None or now >= lot.expires_at:
        raise rules.GiftUnknown
    lot = rules.redeem(lot, person_id)
    await store.save_lot(conn, lot)
    await store.save_code(conn, lot.lot_id, None)
    order = await _told(conn, order)
    fact = GiftRedeemed(
        **_about(order),
        recipient_id=person_id,
        sessions=lot.remaining,
        expires_at=lot.expires_at or now,
    )
    await announcer.announce(conn, fact, at=now)
    return lot


def _hash(code: str) -> bytes:
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(letters.encode()).digest()


async def grant(
    conn: Connection, mentor_id: UUID, offering_id: UUID, mentee_id: UUID, now: datetime
) -> Lot:
    """Give a session that a sponsor paid to somebody who has booked with the mentor before.

    Raises `NobodyYouKnow`, `NotForSale` where it could not be booked, or `FundEmpty`.
    """
    (await need_offered(conn, offering_id)).check_for_sale()
    if not await store.knows(conn, mentor_id, mentee_id):
        raise rules.NobodyYouKnow
    found = await store.fund_for(conn, mentor_id, offering_id, now)
    for purchase_id, lot_id in found:
        order = await need_order(conn, purchase_id)
        pool = await store.lock_lot(conn, lot_id)
        if pool is not None and pool.remaining and pool.expires_at and now < pool.expires_at:
            return await _grant(conn, order, pool, mentee_id, now)
    raise rules.FundEmpty


async def _grant(conn: Connection, order: Order, pool: Lot, mentee_id: UUID, now: datetime) -> Lot:
    rest, granted = rules.grant(pool, new_id(), mentee_id, now)
    await store.save_lot(conn, rest)
    await store.add_lot(conn, granted)
    order = await _told(conn, order)
    about: dict[str, Any] = {**_about(order), "mentee_id": mentee_id}
    fact = CreditsGranted(**about, expires_at=granted.expires_at or now)
    await announcer.announce(conn, fact, at=now)
    return granted


async def refund_unused(
    conn: Connection, order_id: UUID, buyer_id: UUID, shown_minor: int, now: datetime
) -> Money:
    """Give what is unused back as money to who paid, on the amount that was shown.

    Raises `NotFound`, `NothingUnused` or `CreditsChanged`.
    """
    order, lots = await _need_own(conn, order_id, buyer_id)
    unused = rules.unused_of(lots, await store.resting(conn, lots), now)
    amount = rules.worth_of(unused)
    if amount.minor != shown_minor:
        raise rules.CreditsChanged(amount_minor=amount.minor, currency=amount.currency)
    await _give_back(conn, order, unused, "cancelled", now)
    return amount


async def refund_rest(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Give back what is unused by now, of which nobody was shown an amount.

    Raises `NotFound` or `NothingUnused`.
    """
    order, lots = await _need(conn, order_id)
    unused = rules.unused_of(lots, await store.resting(conn, lots), now)
    await _give_back(conn, order, unused, "cancelled", now)


async def refund_as_asked(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Give unused credits back for an operator; raises `NotFound` or `NothingUnused`."""
    order, lots = await _need(conn, UUID(deed.subject))
    unused = rules.unused_of(lots, await store.resting(conn, lots), now, by_operator=True)
    await _give_back(conn, order, unused, "operator", now)
    amount = rules.worth_of(unused)
    return {"amount_minor": amount.minor, "currency": amount.currency}


async def _give_back(
    conn: Connection, order: Order, unused: Sequence[Lot], reason: RefundReason, now: datetime
) -> None:
    """Give back what lots are worth, and tell who had them if somebody else had paid."""
    for lot in unused:
        await _refund(conn, order, lot, reason, now)
        if lot.is_anothers:
            order = await _tell_of_end(conn, order, lot, now, refunded=True, unbookable=True)


async def _refund(
    conn: Connection, order: Order, lot: Lot, reason: RefundReason, now: datetime
) -> None:
    """Plan to give what a lot is worth back to who paid for it; both are locked.

    Raises `NothingUnused` when the bank did so already.
    """
    if await store.is_frozen(conn, order.order_id):
        raise rules.NothingUnused
    refund = Refund(
        new_id(), order.order_id, None, lot.value, reason, "planned", None, now, lot_id=lot.lot_id
    )
    await store.save_lot(conn, rules.empty(lot))
    await outcome_store.add_refund(conn, refund)
    entry = ledger.prepaid.unused_refunded(
        order.order_id, lot.account, refund.refund_id, refund.amount, now
    )
    await books.post(conn, entry)
    await plan_call_for(conn, order, refund, now)


async def expire_next(conn: Connection, now: datetime) -> bool:
    """End the credits whose time was over first; return whether there were some.

    What nobody used of a package or a gift is the platform's, which kept the money and the word;
    what a sponsor gave and nobody needed goes back to the sponsor.
    """
    found = await store.next_to_expire(conn, now)
    if found is None:
        return False
    purchase_id, lot_id = found
    order = await need_order(conn, purchase_id)
    lot = await store.lock_lot(conn, lot_id)
    if lot is None or not lot.remaining or lot.expires_at is None or now < lot.expires_at:
        return True  # Somebody used or got them between our look and our lock.
    if await _time_stands(conn, lot):
        return True
    refunded = lot.kind == "sponsorship"
    if refunded:
        await _refund(conn, order, lot, "cancelled", now)
    else:
        await store.save_lot(conn, rules.empty(lot))
        entry = ledger.prepaid.expired(purchase_id, lot.account, lot_id, lot.value, lot.expires_at)
        await books.post(conn, entry)
    await _tell_of_end(conn, order, lot, now, refunded=refunded)
    return True


async def _tell_of_end(
    conn: Connection,
    order: Order,
    lot: Lot,
    now: datetime,
    *,
    refunded: bool,
    unbookable: bool = False,
) -> Order:
    """Tell that credits are over, and why; return their purchase one version on."""
    order = await _told(conn, order)
    fact = CreditsExpired(
        **_about(order),
        owner_id=lot.owner_id,
        remaining=lot.remaining,
        refunded=refunded,
        unbookable=unbookable,
    )
    await announcer.announce(conn, fact, at=now)
    return order


async def remind_next(conn: Connection, now: datetime) -> bool:
    """Remind of the credits that end first; return whether some are to be reminded of."""
    found = await store.next_to_remind(conn, now)
    if found is None:
        return False
    order = await need_order(conn, found.purchase_id)
    lot = await store.lock_lot(conn, found.lot_id)
    if lot is None or not lot.remaining or lot.remind_at is None or lot.expires_at is None:
        return True  # Somebody used them between our look and our lock.
    if await _time_stands(conn, lot):
        return True
    await store.save_lot(conn, replace(lot, remind_at=None))
    fact = CreditsReminded(
        **_about(await _told(conn, order)),
        owner_id=lot.owner_id,
        kind=lot.kind,
        remaining=lot.remaining,
        expires_at=lot.expires_at,
    )
    await announcer.announce(conn, fact, at=now)
    return True


async def _time_stands(conn: Connection, lot: Lot) -> bool:
    """Return whether a bank has the money, or nobody can book it; then it is set aside, locked.

    So that the clock does not meet it again before the others.
    """
    stands = await store.is_frozen(conn, lot.purchase_id) or await store.resting(conn, [lot])
    if stands:
        await store.set_aside(conn, lot.lot_id)
    return bool(stands)


async def _need(conn: Connection, order_id: UUID) -> tuple[Order, list[Lot]]:
    """Return a purchase of credits with its lots, all of them locked."""
    order = await order_store.lock_order(conn, order_id)
    lots = await store.lock_lots_of(conn, order_id)
    if order is None or not lots:
        raise NotFound
    return order, lots


async def _need_own(conn: Connection, order_id: UUID, buyer_id: UUID) -> tuple[Order, list[Lot]]:
    order, lots = await _need(conn, order_id)
    if lots[0].buyer_id != buyer_id:
        raise NotFound
    return order, lots


async def _told(conn: Connection, order: Order) -> Order:
    """Return a locked purchase one version on, of which something is about to be told."""
    told = replace(order, version=order.version + 1)
    await order_store.save_order(conn, told)
    return told


def _about(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "mentor_id": order.mentor_id,
        "mentee_id": order.mentee_id,
        "version": order.version,
    }
