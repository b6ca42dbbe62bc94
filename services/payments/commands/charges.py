"""Which charge at Stripe paid for a session: it is refunded, and its money transferred."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Refund, banks_part
from services.payments.domain.transfers import Transfer
from services.payments.store import credits as credits_store
from services.payments.store import disputes as dispute_store
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from services.payments.store import transfers as transfer_store
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
    return need_charge(await _paid_with(conn, order, session))


async def source_of(
    conn: Connection, order: Order, session: Session, transfer: Transfer
) -> Charge | None:
    """Return the charge that a mentor's share is transferred from; None: out of the balance.

    Stripe transfers no more from a charge than it brought
    (https://docs.stripe.com/connect/separate-charges-and-transfers#transfer-availability). That is
    too little where a promotion code took something off, and where an earlier transfer of the same
    charge was kept for a debt in place of being reversed.
    """
    if transfer.amount.minor > session.by_card(session.price).minor:
        return None
    paid = await _paid_with(conn, order, session)
    sent = await transfer_store.sent_from(conn, paid.order_id, transfer.transfer_id)
    return need_charge(paid) if sent + transfer.amount.minor <= paid.to_pay.minor else None


async def payer_of(conn: Connection, order: Order, session: Session | None) -> UUID:
    """Return whose card paid: for a gift's or a sponsor's session it is the giver's."""
    if session is None or session.lot_id is None:
        return order.mentee_id
    lot = await credits_store.load_lot(conn, session.lot_id)
    return lot.buyer_id if lot else order.mentee_id


async def banks_part_of(conn: Connection, order: Order, refund: Refund) -> Money:
    """Return what of a refund a bank has paid in our place, by all that we know."""
    session = order.named(refund.session_id)
    paid = await _paid_with(conn, order, session)
    sent = await outcome_store.sent_back_of(conn, paid.order_id, refund.refund_id)
    taken = await dispute_store.taken_of(conn, paid.order_id)
    return banks_part(refund.amount, paid.to_pay, sent, taken)


async def _paid_with(conn: Connection, order: Order, session: Session | None) -> Order:
    """Return the purchase whose charge paid for a session."""
    if session is None or session.lot_id is None:
        return order
    lot = await credits_store.load_lot(conn, session.lot_id)
    bought = await order_store.load_order(conn, lot.purchase_id) if lot else None
    return bought or order


def need_charge(order: Order) -> Charge:
    """Return the charge of a paid order."""
    assert order.payment_intent_id is not None  # noqa: S101  The order is paid.
    assert order.charge_id is not None  # noqa: S101  Both come with the payment.
    return Charge(order.payment_intent_id, order.charge_id, order.order_id)
