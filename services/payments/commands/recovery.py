"""Money leaves a session's part, or comes back to it; what a mentor got too much is asked back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands.plans import TRANSFERS_BELL, announcer, plan
from services.payments.domain import recovery, transfers
from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Earnings
from services.payments.domain.recovery import Sides
from services.payments.domain.requests import CreateReversal
from services.payments.domain.seen import ReversalSeen
from services.payments.domain.transfers import Because, Reversal, Transfer
from services.payments.ledger.entries import Entry, Line, minus
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as store
from services.payments.store import transfers as transfer_store
from shared.db import Connection, ring
from shared.errors import Missing
from shared.ids import new_id
from shared.money import Money


async def take(
    conn: Connection,
    order: Order,
    session: Session,
    amount: Money,
    cause: str,
    *taken_by: Line,
    because: Because,
    now: datetime,
    source: str | None = None,
) -> Order:
    """Let an amount leave a session's part, once per `cause`; the order is locked.

    `taken_by` are the lines of who gets it, which come to the amount as credits. What the mentor
    got already becomes a debt, and is asked back.
    """
    earnings = await need_earnings(conn, session)
    left, sides = recovery.take(order, session, earnings, amount)
    entry = _entry(order, session, cause, sides, taken_by, now)
    if not await books.post(conn, entry.shown_by(source)):
        return order
    await store.save_earnings(conn, left)
    if not sides.debt.minor:
        return order
    debt = await transfer_store.lock_debt(conn, order.mentor_id, amount.currency, now)
    await transfer_store.save_debt(conn, replace(debt, owed=debt.owed + sides.debt), now)
    order, fact = transfers.incur(order, session.session_id, sides.debt, because)
    await order_store.save_order(conn, order)
    await announcer.announce(conn, fact, at=now)
    await ask_back(conn, order, session, sides.debt, now)
    return order


async def give(
    conn: Connection,
    order: Order,
    session: Session,
    amount: Money,
    cause: str,
    *given_by: Line,
    now: datetime,
    source: str | None = None,
) -> None:
    """Let an amount come back to a session's part, once per `cause`; the order is locked.

    `given_by` are the lines of where it comes from, which come to the amount as debits. What it
    brings the mentor is transferred.
    """
    earnings = await need_earnings(conn, session)
    more, sides = recovery.give(order, session, earnings, amount)
    entry = _entry(order, session, cause, sides, given_by, now)
    if await books.post(conn, entry.shown_by(source)):
        await store.save_earnings(conn, more)
        await _owe_again(conn, order, session, minus(sides.mentor), now)
        await ring(conn, TRANSFERS_BELL)


async def _owe_again(
    conn: Connection, order: Order, session: Session, brought: Money, now: datetime
) -> None:
    """Let a mentor owe again what was written off of a session's share that comes back.

    The mentor kept what was written off: transferred once more, it would be paid twice.
    """
    if brought.minor <= 0:
        return
    debt = await transfer_store.lock_debt(conn, order.mentor_id, brought.currency, now)
    steps = await transfer_store.steps_of_debt(conn, order.mentor_id, brought.currency)
    written = recovery.written_off(steps)[session.session_id]
    again = Money(min(brought.minor, written), brought.currency)
    if again.minor:
        await transfer_store.save_debt(conn, replace(debt, owed=debt.owed + again), now)
        part = order.part(session.session_id)
        entry = ledger.recovery.owed_again(part, new_id(), order.mentor_id, again, now)
        await books.post(conn, entry)


async def ask_back(
    conn: Connection, order: Order, session: Session, amount: Money, now: datetime
) -> None:
    """Have Stripe asked for an amount of what a session's transfers brought; the order is locked.

    What is being transferred at this moment is asked back once it is there. What no transfer
    reaches is kept from later ones.
    """
    known = await transfer_store.transfers_of(conn, session.session_id)
    asked = await transfer_store.reversals_of(conn, session.session_id)
    left = amount
    for transfer, part in transfers.parts_to_reverse(known, asked, amount):
        await _plan_reversal(conn, transfer, part, now)
        left -= part
    under_way = known[-1] if known and known[-1].state == "planned" else None
    if under_way and left.minor:
        later = min(under_way.reverse_minor + left.minor, under_way.amount.minor)
        await transfer_store.save_transfer(conn, replace(under_way, reverse_minor=later))


async def ask_again(
    conn: Connection, order: Order, session: Session, currency: str, now: datetime
) -> Money:
    """Have Stripe asked once more for what is still owed of a session's transfers.

    The order is locked. Return how much is asked for.
    """
    debt = await transfer_store.lock_debt(conn, order.mentor_id, currency, now)
    await transfer_store.ask_no_more(conn, session.session_id)
    reversible = await _reversible(conn, session, debt.free)
    await ask_back(conn, order, session, reversible, now)
    return reversible


async def ask_next_again(conn: Connection, now: datetime) -> bool:
    """Ask Stripe for what an account did not hold a day ago; return whether there was such a part.

    What is owed no more, because a later share was kept or it was written off, is not asked for.
    """
    found = await transfer_store.next_to_ask_again(conn, now)
    if found is None:
        return False
    session_id, reversal_id = found
    transfer, reversal, asked = await _need_reversal(conn, session_id, reversal_id)
    if reversal.ask_at is not None and reversal.ask_at <= now:
        debt = await transfer_store.lock_debt(
            conn, reversal.mentor_id, reversal.amount.currency, now
        )
        again = transfers.ask_again(reversal, transfer, asked, debt)
        await _save_and_plan(conn, transfer, again, now)
    return True


async def consequences_of(
    conn: Connection, order: Order, session: Session, earnings: Earnings, amount: Money
) -> tuple[Earnings, Sides, Money]:
    """Return what stays if an amount were taken, who has less, and what of it is reversible."""
    left, sides = recovery.take(order, session, earnings, amount)
    return left, sides, await _reversible(conn, session, sides.debt)


async def record_reversal(
    conn: Connection, request: CreateReversal, seen: ReversalSeen, now: datetime
) -> None:
    """Post what came back and announce it, once: the mentor owes it no more."""
    order = await _need_locked(conn, request)
    known, reversal, _ = await _need_reversal(conn, request.session_id, request.reversal_id)
    if reversal.state != "planned":
        return
    order, done, fact = transfers.end_reversal(order, reversal, seen.stripe_reversal_id, now)
    debt = await transfer_store.lock_debt(conn, order.mentor_id, done.amount.currency, now)
    await transfer_store.save_reversal(conn, done)
    await transfer_store.save_debt(conn, replace(debt, owed=debt.owed - done.amount), now)
    came_back = known.reversed_minor + done.amount.minor
    await transfer_store.save_transfer(conn, replace(known, reversed_minor=came_back))
    part = order.part(done.session_id)
    entry = ledger.recovery.reversal(part, done.reversal_id, order.mentor_id, done.amount, now)
    await books.post(conn, entry.shown_by(seen.stripe_reversal_id))
    await order_store.save_order(conn, order)
    await announcer.announce(conn, fact, at=now)


async def refuse_reversal(
    conn: Connection, request: CreateReversal, code: str, now: datetime
) -> None:
    """Leave what Stripe could not take back as a debt, which later shares bring down."""
    order = await _need_locked(conn, request)
    _, reversal, _ = await _need_reversal(conn, request.session_id, request.reversal_id)
    if reversal.state != "planned":
        return
    await transfer_store.lock_debt(conn, order.mentor_id, reversal.amount.currency, now)
    await transfer_store.save_reversal(conn, transfers.refuse_reversal(reversal, code, now))


async def _reversible(conn: Connection, session: Session, amount: Money) -> Money:
    known = await transfer_store.transfers_of(conn, session.session_id)
    asked = await transfer_store.reversals_of(conn, session.session_id)
    parts = transfers.parts_to_reverse(known, asked, amount)
    return sum((part for _, part in parts), Money(0, amount.currency))


async def need_earnings(conn: Connection, session: Session) -> Earnings:
    """Return what a paid session earns; the order is locked."""
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is None:
        raise Missing(f"payment:{session.session_id}")
    return earnings


def _entry(
    order: Order,
    session: Session,
    cause: str,
    sides: Sides,
    others: tuple[Line, ...],
    now: datetime,
) -> Entry:
    part = order.part(session.session_id)
    amounts = (sides.clearing, sides.payable, sides.debt, sides.platform, sides.losses)
    return ledger.recovery.moved(cause, part, order.mentor_id, amounts, *others, at=now)


async def _plan_reversal(
    conn: Connection, transfer: Transfer, amount: Money, now: datetime
) -> None:
    reversal = Reversal(
        new_id(),
        transfer.transfer_id,
        transfer.order_id,
        transfer.session_id,
        transfer.mentor_id,
        amount,
        "planned",
        now,
    )
    await _save_and_plan(conn, transfer, reversal, now)


async def _save_and_plan(
    conn: Connection, transfer: Transfer, reversal: Reversal, now: datetime
) -> None:
    """Store a reversal, and have Stripe asked for it if it is to be."""
    await transfer_store.save_reversal(conn, reversal)
    if reversal.state != "planned":
        return
    request = CreateReversal(
        reversal_id=reversal.reversal_id,
        order_id=transfer.order_id,
        session_id=transfer.session_id,
        stripe_transfer_id=transfer.stripe_transfer_id or "",
        amount_minor=reversal.amount.minor,
    )
    await plan(conn, request, now)


async def _need_locked(conn: Connection, request: CreateReversal) -> Order:
    order = await order_store.lock_order(conn, request.order_id)
    if order is None:
        raise Missing(f"order:{request.order_id}")
    return order


async def _need_reversal(
    conn: Connection, session_id: UUID, reversal_id: UUID
) -> tuple[Transfer, Reversal, list[Reversal]]:
    """Return a reversal, between its transfer and all of its session; the order is locked."""
    asked = await transfer_store.reversals_of(conn, session_id)
    reversal = next(each for each in asked if each.reversal_id == reversal_id)
    known = await transfer_store.transfers_of(conn, session_id)
    transfer = next(each for each in known if each.transfer_id == reversal.transfer_id)
    return transfer, reversal, asked
