"""What operators do with the money of one session; each is an action of `shared.deeds`.

The deed's subject is the purchase; `session_id` names the session where there are several, and a
refund that failed is named by `refund_id`, with the `amount_minor` that was shown.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from services.payments import ledger
from services.payments.commands import earnings as earning
from services.payments.commands.books import book_difference
from services.payments.commands.credits import refund_as_asked
from services.payments.commands.decisions import plan_refund
from services.payments.commands.documents import issue_again
from services.payments.commands.operations import look_for_operation, retry_operation
from services.payments.commands.plans import TRANSFERS_BELL, announcer
from services.payments.commands.recovery import ask_again
from services.payments.commands.refunds import send_again
from services.payments.commands.webhooks import obey_again, read_events_now
from services.payments.domain import mending, outcomes, recovery
from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Refund
from services.payments.store import ledger as books
from services.payments.store import operations
from services.payments.store import orders as orders_store
from services.payments.store import outcomes as store
from services.payments.store import transfers as transfer_store
from shared.clock import BusinessInstant
from shared.db import Connection, ring
from shared.deeds import Actions, Deed, Details
from shared.errors import NotFound
from shared.ids import new_id
from shared.money import Money


async def retry_call(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Have a call to Stripe tried now; raises `NotFound` unless it is open."""
    del now
    return {"about": await retry_operation(conn, UUID(deed.subject))}


async def look_for_call(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Have the effect of an undetermined call looked for; raises `NothingToLookFor`."""
    del now
    return {"about": await look_for_operation(conn, UUID(deed.subject))}


async def obey_webhook(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Have a notice obeyed that matched nothing; raises `NotFound` when it is no such one."""
    del now
    await obey_again(conn, deed.subject)
    return {}


async def read_events(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Have Stripe's event lists read now, for what no notice brought."""
    del deed
    return {"lists": await read_events_now(conn, now)}


async def release(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Release held back earnings, or have a refused transfer tried again.

    Raises `NotFound`, `SessionUnnamed` or `NothingToRelease`.
    """
    order, session = await _need(conn, deed)
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is not None and mending.may_release_early(order, session, earnings):
        await earning.release_earnings(conn, order, earnings, now)
    elif earnings is not None and mending.is_refused(earnings):
        await store.save_earnings(conn, replace(earnings, transfer_state="waiting"))
        await ring(conn, TRANSFERS_BELL)
    else:
        raise mending.NothingToRelease
    return {
        "session_id": str(session.session_id),
        "mentor_minor": earnings.mentor.minor,
        "currency": earnings.mentor.currency,
    }


async def refund(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Give something of an ended session's price back, on the amounts that were shown.

    Raises `NotFound`, `SessionUnnamed`, `NotRefundable`, `NothingToRefund`, `RefundTooMuch`,
    `RefundNotInSteps` or `AmountsOutdated`.
    """
    order, session = await _need(conn, deed)
    earnings = await store.load_earnings(conn, session.session_id)
    if earnings is None or not mending.may_refund(order, session, earnings):
        raise mending.NotRefundable
    fraction, amount = (
        deed.arguments.get(name) for name in ("refund_basis_points", "amount_minor")
    )
    back = mending.amount_back(session, earnings, fraction, amount)
    split = recovery.after(order, session, earnings.gone + back)
    by_card = outcomes.by_card_of(session, earnings, back)
    split = replace(split, mentee=earnings.gone_by_card + by_card)
    shown = deed.arguments.get("shown")
    mending.check_shown(split, tuple(shown) if shown else None)
    await plan_refund(conn, order, session, back, "operator", now)
    return {
        "session_id": str(session.session_id),
        "mentee_minor": by_card.minor,
        "currency": order.price.currency,
    }


async def reverse_again(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Ask Stripe once more for what it could not take back from a mentor's account.

    Raises `NothingToReverse`.
    """
    currency = str(deed.arguments["currency"])
    found = await transfer_store.refused_reversal(conn, UUID(deed.subject), currency)
    order = await orders_store.lock_order(conn, found[0]) if found else None
    if found is None or order is None:
        raise mending.NothingToReverse
    asked = await ask_again(conn, order, order.session(found[1]), currency, now)
    if not asked.minor:
        raise mending.NothingToReverse
    return {"amount_minor": asked.minor, "currency": currency}


async def write_off(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Let the platform bear what a mentor owes, or a part of it.

    What Stripe is being asked to take back is not free to be written off. Raises `WriteOffTooMuch`
    or `WriteOffNotInSteps`.
    """
    mentor_id = UUID(deed.subject)
    amount = Money(int(deed.arguments["amount_minor"]), str(deed.arguments["currency"]))
    debt = await transfer_store.lock_debt(conn, mentor_id, amount.currency, now)
    mending.check_write_off(amount, debt.free)
    await transfer_store.save_debt(conn, replace(debt, owed=debt.owed - amount), now)
    told = mending.tell_of_write_off(new_id(), mentor_id, amount)
    await books.post(conn, ledger.recovery.write_off(told.write_off_id, mentor_id, amount, now))
    await announcer.announce(conn, told, at=now)
    return {"amount_minor": amount.minor, "currency": amount.currency}


async def retry_refund(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Ask Stripe for a failed refund once more.

    Raises `NotFound`, `RefundNotFailed`, `AmountsOutdated` or `CallOpen`.
    """
    order, failed = await _need_failed(conn, deed)
    return _said_of(await send_again(conn, order, failed, now))


async def pay_otherwise(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Record that a failed refund is paid outside Stripe.

    Raises `NotFound`, `RefundNotFailed`, `AmountsOutdated` or `CallOpen`.
    """
    order, failed = await _need_failed(conn, deed)
    await store.save_refund(conn, outcomes.pay_otherwise(failed))
    part = order.part(failed.session_id)
    entry = ledger.refunds.refund_paid_otherwise(part, failed.refund_id, failed.amount, now)
    await books.post(conn, entry)
    return _said_of(failed)


ACTIONS: Actions = {
    "retry_call": retry_call,
    "look_for_call": look_for_call,
    "obey_webhook": obey_webhook,
    "read_events": read_events,
    "book_difference": book_difference,
    "release": release,
    "refund": refund,
    "refund_credits": refund_as_asked,
    "reverse_again": reverse_again,
    "write_off": write_off,
    "retry_refund": retry_refund,
    "refund_paid_otherwise": pay_otherwise,
    "issue_papers": issue_again,
}
"""What operators can do here, by the name it is logged under."""


async def _need(conn: Connection, deed: Deed) -> tuple[Order, Session]:
    """Return the order, locked, and the session that is meant."""
    order = await orders_store.lock_order(conn, UUID(deed.subject))
    if order is None:
        raise NotFound
    named = deed.arguments.get("session_id")
    return order, order.session(UUID(named) if named else None)


async def _need_failed(conn: Connection, deed: Deed) -> tuple[Order, Refund]:
    """Return the order, locked, and the failed refund that was shown, if no call is about it."""
    order = await orders_store.lock_order(conn, UUID(deed.subject))
    if order is None:
        raise NotFound
    known = await store.refunds_of_order(conn, order.order_id)
    named = deed.arguments.get("refund_id")
    failed = mending.failed_as_shown(
        known, UUID(named) if named else None, deed.arguments.get("amount_minor")
    )
    if await operations.has_open(conn, str(failed.refund_id)):
        raise mending.CallOpen
    return order, failed


def _said_of(refund: Refund) -> Details:
    return {
        **({"session_id": str(refund.session_id)} if refund.session_id else {}),
        "refund_id": str(refund.refund_id),
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
        "attempt": refund.attempt,
    }
