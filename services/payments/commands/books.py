"""The books, looked after: Stripe's list is read, compared with the ledger, balances are folded."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.payments import ledger
from services.payments.commands.plans import plan
from services.payments.domain.movements import BOOKABLE, NothingToBook, posting_of
from services.payments.domain.requests import ReadMovements
from services.payments.domain.seen import BooksSeen
from services.payments.store import ledger as books
from services.payments.store import movements as store
from shared.clock import BusinessInstant
from shared.db import Connection
from shared.deeds import Deed, Details
from shared.money import Money

READ_EVERY = timedelta(hours=1)
"""Business time between two readings of the platform's balance transactions."""
PAYOUTS_OF_LATE = timedelta(days=7)
"""Payouts that arrived longer ago have been read, or are no longer listed by what they pay out."""
COMPARED_AT_ONCE = 500
FOLDED_AT_ONCE = 1_000


async def plan_next_movement_read(conn: Connection, now: datetime) -> bool:
    """Plan to read the list whose turn it is; return whether there was one."""
    await store.add_lists(conn, now + READ_EVERY, now - PAYOUTS_OF_LATE, now)
    request = await store.next_read(conn, now)
    if request is None:
        return False
    await store.plan_next_read(conn, request.name, None if request.payout_id else now + READ_EVERY)
    await plan(conn, request, now)
    return True


async def keep_movements(
    conn: Connection, request: ReadMovements, seen: BooksSeen, now: datetime
) -> None:
    """Keep a stretch of Stripe's list, post what only it tells, and ask about what is new."""
    new = await store.add_movements(conn, request, seen.movements)
    if request.account_id is None:
        fresh = [each for each in seen.movements if each.movement_id in new]
        for posting in filter(None, map(posting_of, fresh)):
            await books.post(conn, posting)
        await store.ask(conn, sorted({each.source for each in fresh}))
    here = max((each.created_at for each in seen.movements), default=request.since)
    newest = max(here, request.newest or here)
    if seen.complete:
        await store.note_read(conn, request.name, now, newest)
    else:
        older = {"before": seen.movements[-1].movement_id, "newest": newest}
        await plan(conn, request.model_copy(update=older), now)


async def book_difference(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Book what Stripe's list says of an object, to the account that an operator names.

    Raises `NothingToBook` when it is explained, or the account is none for such things.
    """
    account = BOOKABLE.get(str(deed.arguments.get("account")))
    found = await store.unexplained(conn, deed.subject, now)
    if account is None or not found:
        raise NothingToBook
    for each in found:
        amount = Money(each.stripe_minor - each.ledger_minor, each.currency)
        await books.post(conn, ledger.movements.by_hand(each.source, account, amount, now))
    return {each.currency: each.stripe_minor - each.ledger_minor for each in found}


async def compare_books(conn: Connection, now: datetime) -> bool:
    """Compare both books about what was asked; return whether there was something."""
    del now
    return await store.compare(conn, COMPARED_AT_ONCE) > 0


async def fold_balances(conn: Connection, now: datetime) -> bool:
    """Add up what connections counted by themselves; return whether there may be more."""
    del now
    return await books.fold(conn, FOLDED_AT_ONCE) == FOLDED_AT_ONCE
