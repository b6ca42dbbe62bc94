"""Writing down calls to Stripe, and telling others: what the commands have in common."""

from __future__ import annotations

from datetime import datetime

from services.payments.domain.requests import Request
from services.payments.store.operations import add_operation
from shared.db import Connection, ring
from shared.outbox import Announcer

OPERATIONS_BELL = "payments_operations"
TRANSFERS_BELL = "payments_transfers"
WEBHOOKS_BELL = "payments_webhooks"

announcer = Announcer("payments")
"""Writes the facts of this service into its outbox."""


async def plan(conn: Connection, request: Request, now: datetime) -> bool:
    """Write a call down unless one of its kind is open for the subject; return whether it is new.

    Whoever plans for an order or an account holds its lock.
    """
    added = await add_operation(conn, request, now)
    if added:
        await ring(conn, OPERATIONS_BELL)
    return added
