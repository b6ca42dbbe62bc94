"""Released shares on their way to the mentors' accounts, less what a mentor owes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.payments import ledger
from services.payments.commands.charges import source_of
from services.payments.commands.orders import need_order
from services.payments.commands.plans import TRANSFERS_BELL, announcer, plan
from services.payments.commands.recovery import ask_back, need_earnings
from services.payments.domain import transfers as rules
from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Earnings
from services.payments.domain.requests import CreateTransfer, LookAtAccount
from services.payments.domain.seen import TransferSeen
from services.payments.domain.transfers import Transfer
from services.payments.store import accounts as account_store
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from services.payments.store import transfers as store
from shared.db import Connection, ring
from shared.errors import Missing
from shared.money import Money


async def send_next_transfer(conn: Connection, now: datetime) -> bool:
    """Plan the transfer of a released share to an account that can receive; return whether one."""
    found = await store.next_to_transfer(conn)
    if found is None:
        return False
    order_id, session_id, account_id = found
    order = await need_order(conn, order_id)
    session = order.session(session_id)
    earnings = await need_earnings(conn, session)
    if earnings.transfer_state == "waiting" and session.disputed_at is None:
        transfer = await _net(conn, order, earnings, now)
        if transfer.state == "planned":
            await _plan(conn, order, session, transfer, account_id, now)
    return True


async def record_transfer(
    conn: Connection, request: CreateTransfer, seen: TransferSeen, now: datetime
) -> None:
    """Post a transfer and announce it, once; what became too much meanwhile is asked back."""
    order, session, transfer = await _need_transfer(conn, request)
    if transfer.state != "planned":
        return
    earnings = await need_earnings(conn, session)
    order, moved, sent, fact = rules.send(order, earnings, transfer, seen.stripe_transfer_id, now)
    await order_store.save_order(conn, order)
    await outcome_store.save_earnings(conn, moved)
    await store.save_transfer(conn, replace(sent, reverse_minor=0))
    part = order.part(session.session_id)
    entry = ledger.earnings.transfer(part, sent.transfer_id, order.mentor_id, sent.amount, now)
    await books.post(conn, entry.shown_by(seen.stripe_transfer_id))
    await announcer.announce(conn, fact, at=now)
    if transfer.reverse_minor:
        # Others of the mentor's transfers may have brought the debt down since.
        debt = await store.lock_debt(conn, order.mentor_id, sent.amount.currency, now)
        too_much = min(transfer.reverse_minor, debt.free.minor)
        await ask_back(conn, order, session, Money(too_much, sent.amount.currency), now)


async def refuse_transfer(
    conn: Connection, request: CreateTransfer, code: str, now: datetime
) -> None:
    """Keep a refused share as payable until the account changes, and look at the account.

    Another account may have taken its place while the call was on its way: then it is sent there.
    """
    # The account is locked before the order, as everywhere: it is the one of now.
    account = await account_store.lock_account(conn, request.mentor_id)
    _, session, transfer = await _need_transfer(conn, request)
    if transfer.state != "planned":
        return
    kept, refused = rules.refuse(await need_earnings(conn, session), transfer, code)
    await store.save_transfer(conn, refused)
    if account is not None and account.stripe_account_id not in (None, request.account_id):
        await outcome_store.save_earnings(conn, replace(kept, transfer_state="waiting"))
        await ring(conn, TRANSFERS_BELL)
        return
    await outcome_store.save_earnings(conn, kept)
    look = LookAtAccount(mentor_id=request.mentor_id, account_id=request.account_id)
    await plan(conn, look, now)


async def _net(conn: Connection, order: Order, earnings: Earnings, now: datetime) -> Transfer:
    """Keep what the mentor owes of what is payable; return the transfer of the rest."""
    part = order.part(earnings.session_id)
    known = await store.transfers_of(conn, earnings.session_id)
    debt = await store.lock_debt(conn, order.mentor_id, earnings.payable.currency, now)
    planned, transfer, netted = rules.plan(part, earnings, known, debt, now)
    await outcome_store.save_earnings(conn, planned)
    await store.save_transfer(conn, transfer)
    if netted.minor:
        await store.save_debt(conn, replace(debt, owed=debt.owed - netted), now)
        entry = ledger.recovery.netting(
            part, transfer.transfer_id, order.mentor_id, netted, now, attempt=transfer.attempt
        )
        await books.post(conn, entry)
    return transfer


async def _plan(
    conn: Connection,
    order: Order,
    session: Session,
    transfer: Transfer,
    account_id: str,
    now: datetime,
) -> None:
    source = await source_of(conn, order, session, transfer)
    request = CreateTransfer(
        order_id=order.order_id,
        session_id=session.session_id if len(order.sessions) > 1 else None,
        transfer_id=transfer.transfer_id,
        mentor_id=order.mentor_id,
        account_id=account_id,
        charge_id=source.charge_id if source else None,
        paid_with=source.order_id if source and source.order_id != order.order_id else None,
        amount_minor=transfer.amount.minor,
        currency=transfer.amount.currency,
    )
    await plan(conn, request, now)


async def _need_transfer(
    conn: Connection, request: CreateTransfer
) -> tuple[Order, Session, Transfer]:
    """Return the order, locked, the session, and the transfer that a call is about."""
    order = await need_order(conn, request.order_id)
    session = order.session(request.session_id)
    name = request.transfer_id or order.part(session.session_id).name
    for transfer in await store.transfers_of(conn, session.session_id):
        if transfer.transfer_id == name:
            return order, session, transfer
    raise Missing(f"transfer:{name}")
