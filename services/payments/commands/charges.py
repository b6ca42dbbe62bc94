"""Which charge at Stripe paid for a session: it is refunded, and its money transferred."""

from __future__ import annotations

from dataclasses import dataclass

from services.payments.domain.orders import Order, Session
from shared.db import Connection


@dataclass(frozen=True)
class Charge:
    """A charge by both of Stripe's names for it."""

    payment_intent_id: str
    charge_id: str


async def charge_of(conn: Connection, order: Order, session: Session) -> Charge:
    """Return the charge that paid for a session of a paid order."""
    del conn, session
    assert order.payment_intent_id is not None  # noqa: S101  The order is paid.
    assert order.charge_id is not None  # noqa: S101  Both come with the payment.
    return Charge(order.payment_intent_id, order.charge_id)
