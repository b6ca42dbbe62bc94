"""The loops of the worker: what each does, how often it looks, and what wakes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.payments.commands import (
    books,
    documents,
    earnings,
    offered,
    orders,
    promotions,
    recovery,
    statements,
    subscriptions,
    transfers,
    webhooks,
)
from services.payments.commands import credits as prepaid
from services.payments.commands.disputes import ACTIONS as DISPUTE_ACTIONS
from services.payments.commands.mending import ACTIONS as MENDING_ACTIONS
from services.payments.commands.plans import OPERATIONS_BELL, TRANSFERS_BELL, WEBHOOKS_BELL
from services.payments.gateway.calls import StripeGateway
from services.payments.workers.operations import Caller
from shared.clock import BusinessClock, BusinessInstant
from shared.db import Connection, Pool, in_transaction
from shared.deeds import Actions, Clerk
from shared.money import CURRENCIES
from shared.process import Loop

CALLERS = 4
"""How many calls to Stripe one worker makes at the same time."""
POLL_SECONDS = 0.3
SELDOM_POLL_SECONDS = 1.0
FOLD_POLL_SECONDS = 30.0
TELL_LINE_POLL_SECONDS = 0.5
BATCH = 50
"""How many due things are done before the loop looks whether it should stop."""

ACTIONS: Actions = {**MENDING_ACTIONS, **DISPUTE_ACTIONS}
"""What operators may have this service do."""

Act = Callable[[Connection, BusinessInstant], Awaitable[bool]]


def loops(
    pool: Pool,
    gateway: StripeGateway,
    clock: BusinessClock,
    settled: frozenset[str] = CURRENCIES,
) -> list[Loop]:
    """Return everything this service does by itself; `settled` names what it is paid in."""
    caller = Caller(pool, gateway, clock)

    def each(act: Act) -> Callable[[], Awaitable[int]]:
        return lambda: _one_by_one(pool, clock, act)

    stop_selling = each(lambda conn, now: offered.turn_next(conn, settled, now))
    return [
        Loop("tell_line", caller.tell_line, TELL_LINE_POLL_SECONDS),
        Loop("close_checkouts", each(orders.close_next_checkout), POLL_SECONDS),
        Loop("look_at_checkouts", each(orders.look_at_next_checkout), POLL_SECONDS),
        Loop("release_earnings", each(earnings.release_next_earnings), POLL_SECONDS),
        Loop("send_transfers", each(transfers.send_next_transfer), POLL_SECONDS, TRANSFERS_BELL),
        Loop("ask_for_debts", each(recovery.ask_next_again), SELDOM_POLL_SECONDS),
        Loop("ask_of_subscriptions", each(subscriptions.ask_next), POLL_SECONDS),
        Loop("issue_documents", each(documents.issue_next_document), POLL_SECONDS),
        Loop("close_month", each(statements.close_next_month), SELDOM_POLL_SECONDS),
        Loop("make_statements", each(statements.make_next_statement), SELDOM_POLL_SECONDS),
        Loop("expire_credits", each(prepaid.expire_next), SELDOM_POLL_SECONDS),
        Loop("remind_of_credits", each(prepaid.remind_next), SELDOM_POLL_SECONDS),
        Loop("remind_of_amends", each(promotions.remind_of_next_amends), SELDOM_POLL_SECONDS),
        Loop("do_deeds", Clerk(pool, ACTIONS, clock).step, POLL_SECONDS),
        Loop("compare_books", each(books.compare_books), POLL_SECONDS),
        Loop("stop_selling", stop_selling, FOLD_POLL_SECONDS),
        Loop("fold_balances", each(books.fold_balances), FOLD_POLL_SECONDS),
        Loop("read_movements", each(books.plan_next_movement_read), SELDOM_POLL_SECONDS),
        Loop("read_events", each(webhooks.plan_next_event_read), SELDOM_POLL_SECONDS),
        *(
            Loop(f"make_calls_{number}", caller.make_calls, POLL_SECONDS, OPERATIONS_BELL)
            for number in range(CALLERS)
        ),
        Loop("obey_webhooks", each(webhooks.obey_next_webhook), POLL_SECONDS, WEBHOOKS_BELL),
    ]


async def _one_by_one(pool: Pool, clock: BusinessClock, act: Act) -> int:
    for done in range(BATCH):
        if not await in_transaction(pool, lambda conn: act(conn, clock.now())):
            return done
    return BATCH
