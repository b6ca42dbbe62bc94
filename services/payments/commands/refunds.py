"""Refunds: accepted by Stripe, taken from the balance, or come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments import ledger
from services.payments.commands.charges import banks_part_of, charge_of, payer_of
from services.payments.commands.decisions import plan_call_for
from services.payments.commands.orders import need_order
from services.payments.commands.plans import announcer
from services.payments.commands.webhooks import wake_notices
from services.payments.domain import mending, outcomes
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Refund
from services.payments.domain.requests import CreateRefund, LookAtRefund
from services.payments.domain.seen import RefundSeen
from services.payments.ledger.disputes import refund_covered, refund_uncovered
from services.payments.store import disputes as dispute_store
from services.payments.store import ledger as books
from services.payments.store import orders as order_store
from services.payments.store import outcomes as store
from shared.db import Connection
from shared.errors import Missing
from shared.money import Money

FAILED = ("failed", "canceled")


async def follow_refund(
    conn: Connection, request: CreateRefund | LookAtRefund, seen: RefundSeen, now: datetime
) -> None:
    """Take over what Stripe shows of a refund; every step is told and posted once.

    An answer about an earlier, failed attempt changes nothing.
    """
    order, refund = await _need_refund(conn, request.refund_id)
    if not _is_about(refund, request, seen):
        return
    if refund.state == "planned":
        payer_id = await _payer_of_refund(conn, order, refund)
        order, refund, fact = outcomes.issue(order, refund, payer_id, seen.stripe_refund_id, now)
        await _save(conn, order, refund)
        await announcer.announce(conn, fact, at=now)
        await wake_notices(conn, str(refund.refund_id))
    if seen.booked and refund.state == "issued":
        refund = replace(refund, state="settled")
        await store.save_refund(conn, refund)
        part = order.part(refund.session_id)
        entry = ledger.refunds.refund_settled(
            part, refund.refund_id, refund.amount, now, attempt=refund.attempt
        )
        await books.post(conn, entry.shown_by(refund.stripe_refund_id))
    if seen.status in FAILED and refund.state in ("issued", "settled"):
        await _fail(conn, order, refund, seen.failure_code, now)
        # A bank may have given the mentee the same in between: nobody is to pay it once more.
        order, failed = await _need_refund(conn, refund.refund_id)
        await cover_failed(conn, order, failed, now)


def _is_about(refund: Refund, request: CreateRefund | LookAtRefund, seen: RefundSeen) -> bool:
    """Return whether an answer is about the refund's present attempt at Stripe."""
    if isinstance(request, CreateRefund):
        return request.attempt == refund.attempt
    return seen.stripe_refund_id == refund.stripe_refund_id


async def refuse_refund(conn: Connection, refund_id: UUID, code: str, now: datetime) -> None:
    """Note that Stripe refused a refund: a bank has paid it, or an operator finds another way."""
    await _take_turn_of_charge(conn, refund_id)
    order, refund = await _need_refund(conn, refund_id)
    if refund.state != "planned":
        return
    banks = await banks_part_of(conn, order, refund)
    disputed = code == outcomes.CHARGE_DISPUTED
    if not banks.minor and disputed and await _bank_has_it(conn, order, refund):
        banks = refund.amount
    if not banks.minor:
        await _fail(conn, order, refund, code, now)
    elif rest := await _cover(conn, order, refund, banks, now):
        await plan_call_for(conn, order, rest, now)


async def _take_turn_of_charge(conn: Connection, refund_id: UUID) -> None:
    """Wait until nobody else reckons what a bank paid of the charge that a credit was bought with.

    The purchase of the credit is locked before the one that it paid for, as a dispute does.
    """
    known = await store.load_refund(conn, refund_id)
    order = await order_store.load_order(conn, known.order_id) if known else None
    if known is None or order is None or known.session_id is None:
        return
    charge = await charge_of(conn, order, order.session(known.session_id))
    if charge.order_id != order.order_id:
        await need_order(conn, charge.order_id)


async def _bank_has_it(conn: Connection, order: Order, refund: Refund) -> bool:
    """Return whether a bank has the money, of whose dispute we hear until its end.

    What is refused for a dispute that is over, and gave back what it took, nobody would ever send.
    One that we do not know yet is about to be told.
    """
    session = order.named(refund.session_id)
    charge = await charge_of(conn, order, session)
    known = await dispute_store.disputes_of(conn, charge.order_id)
    if not known or not all(each.is_over for each in known):
        return True
    return await dispute_store.taken_of(conn, charge.order_id) > 0


async def _cover(
    conn: Connection, order: Order, refund: Refund, banks: Money, now: datetime
) -> Refund | None:
    """Leave to the bank what it gave the mentee already; return the rest, if there is one."""
    covered, rest = outcomes.split(refund, banks)
    await store.save_refund(conn, outcomes.leave_to_bank(covered))
    if rest is not None:
        await store.add_refund(conn, rest)
    entry = refund_covered(
        order.part(refund.session_id),
        refund.refund_id,
        banks,
        now,
        attempt=refund.attempt,
        failed=refund.state == "failed",
    )
    await books.post(conn, entry)
    return rest


async def cover_failed(conn: Connection, order: Order, refund: Refund, now: datetime) -> None:
    """Leave to the bank what it paid of a failed refund; what Stripe refused for that is sent.

    What Stripe had sent and the card did not take is an operator's to pay.
    """
    if refund.state != "failed":
        return
    banks = await banks_part_of(conn, order, refund)
    if not banks.minor:
        return
    rest = await _cover(conn, order, refund, banks, now)
    if rest is not None and refund.issued_at is None:
        await send_again(conn, order, rest, now)


async def send_again(conn: Connection, order: Order, failed: Refund, now: datetime) -> Refund:
    """Ask Stripe for a failed refund once more."""
    again = mending.send_again(failed)
    await store.save_refund(conn, again)
    part = order.part(again.session_id)
    entry = ledger.refunds.refund_retried(
        part, again.refund_id, again.amount, now, attempt=again.attempt
    )
    await books.post(conn, entry)
    await plan_call_for(conn, order, again, now)
    return again


async def send_covered(conn: Connection, order: Order, refund: Refund, now: datetime) -> None:
    """Send of a refund what a bank had paid in our place and took back; the rest it has still."""
    if not outcomes.is_covered(refund):
        return
    banks = await banks_part_of(conn, order, refund)
    covered, rest = outcomes.split(refund, banks)
    if rest is None:
        return
    if banks.minor:
        await store.save_refund(conn, covered)
        await store.add_refund(conn, rest)
    again = mending.send_again(rest if banks.minor else refund)
    await store.save_refund(conn, again)
    part = order.part(again.session_id)
    entry = refund_uncovered(part, again.refund_id, again.amount, now, attempt=again.attempt)
    await books.post(conn, entry)
    await plan_call_for(conn, order, again, now)


async def _fail(
    conn: Connection, order: Order, refund: Refund, code: str | None, now: datetime
) -> None:
    payer_id = await _payer_of_refund(conn, order, refund)
    order, failed, fact = outcomes.fail(order, refund, payer_id, code, now)
    await _save(conn, order, failed)
    settled = refund.state == "settled"
    entry = ledger.refunds.refund_failed(
        order.part(refund.session_id),
        refund.refund_id,
        refund.amount,
        now,
        settled=settled,
        attempt=refund.attempt,
    )
    await books.post(conn, entry.shown_by(refund.stripe_refund_id))
    await announcer.announce(conn, fact, at=now)


async def _need_refund(conn: Connection, refund_id: UUID) -> tuple[Order, Refund]:
    known = await store.load_refund(conn, refund_id)
    if known is None:
        raise Missing(f"refund:{refund_id}")
    order = await need_order(conn, known.order_id)
    # Read again under the order's lock, which guards it.
    return order, await store.load_refund(conn, refund_id) or known


async def _payer_of_refund(conn: Connection, order: Order, refund: Refund) -> UUID:
    session = order.named(refund.session_id)
    return await payer_of(conn, order, session)


async def _save(conn: Connection, order: Order, refund: Refund) -> None:
    await order_store.save_order(conn, order)
    await store.save_refund(conn, refund)
