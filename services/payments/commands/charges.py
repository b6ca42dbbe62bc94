"""Which charge at Stripe paid for a session: it is refunded, and its money transferred."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.store import credits as credits_store
from services.payments.store import orders as order_store
from shared.db import Connection
from shared.money import Money


@dataclass(frozen=True)
class Charge:
    """A charge by both of Stripe's names for it, and the purchase that it paid for."""

    payment_intent_id: str
    charge_id: str
    order_id: UUID


async def charge_of(conn: Connection, order: Order, session: Session | None) -> Charge:
    """Return the charge that paid for a session of a paid order, or for unused credits.

    For a session that a credit paid for it is that of the purchase of the credit.
    """
    if session is not None and session.lot_id is not None:
        lot = await credits_store.load_lot(conn, session.lot_id)
        bought = await order_store.load_order(conn, lot.purchase_id) if lot else None
        order = bought or order
    return need_charge(order)


async def source_of(
    conn: Connection, order: Order, session: Session, share: Money
) -> Charge | None:
    """Return the charge that a mentor's share is transferred from.

    None where what the card paid is less than the share, for a promotion code took the rest off:
    Stripe transfers no more from a charge than it brought, so such a share comes out of the
    balance (https://docs.stripe.com/connect/separate-charges-and-transfers#transfer-availability).
    """
    if share.minor > session.by_card(session.price).minor:
        return None
    return await charge_of(conn, order, session)


def need_charge(order: Order) -> Charge:
    """Return the charge of a paid order."""
    assert order.payment_intent_id is not None  # noqa: S101  The order is paid.
    assert order.charge_id is not None  # noqa: S101  Both come with the payment.
    return Charge(order.payment_intent_id, order.charge_id, order.order_id)
