"""Receipts and credit notes are issued one after the other, so that their numbers have no gap.

One that does not add up is put aside with no number, and the others go on.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.domain import documents as rules
from services.payments.domain.documents import (
    Content,
    Document,
    DoesNotAddUp,
    NothingPutAside,
    ReceiptPutAside,
    Series,
    Wanted,
)
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Refund
from services.payments.store import credits as credit_store
from services.payments.store import documents as store
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from shared.db import Connection
from shared.deeds import Deed, Details
from shared.errors import Missing
from shared.ids import new_id
from shared.log import logger

_log = logger("documents")


async def issue_next_document(conn: Connection, now: datetime) -> bool:
    """Issue the document of what was posted first; return whether there was something.

    Number, document and the end of the wish are one transaction: who dies leaves nothing behind.
    """
    wanted = await store.next_wanted(conn)
    if wanted is None:
        return False
    try:
        await _issue_wanted(conn, wanted, now)
    except (DoesNotAddUp, ReceiptPutAside) as fault:  # Both before a number is taken.
        because = type(fault).__name__
        _log.error("paper_put_aside", because=because, purchase_id=str(fault))
        await store.put_aside(conn, wanted, because, now)
    return True


async def issue_again(conn: Connection, deed: Deed, now: datetime) -> Details:
    """Have the papers of a purchase tried again that were put aside.

    Raises `NothingPutAside`.
    """
    del now
    papers = await store.take_up(conn, UUID(deed.subject))
    if not papers:
        raise NothingPutAside
    return {"papers": papers}


async def _issue_wanted(conn: Connection, wanted: Wanted, now: datetime) -> None:
    if wanted.kind == "payment":
        await _issue_receipt(conn, wanted, now)
    else:
        await _issue_credit_note(conn, wanted, now)
    await store.done(conn, wanted)


async def _issue_receipt(conn: Connection, wanted: Wanted, now: datetime) -> None:
    """Issue the receipt of a payment, unless no card paid anything of it."""
    if not wanted.card_minor:
        return
    order = await _need_order(conn, wanted.subject)
    content = rules.receipt(order, wanted.card_minor, wanted.happened_at)
    await _issue(conn, Series.RECEIPT, wanted, order.mentee_id, content, now)


async def _issue_credit_note(conn: Connection, wanted: Wanted, now: datetime) -> None:
    """Issue the credit note of a refund to whoever's card it goes back, if any of it is money."""
    if not wanted.card_minor:
        return
    refund = await outcome_store.load_refund(conn, wanted.subject)
    if refund is None:
        raise Missing(f"refund:{wanted.subject}")
    order = await _need_order(conn, refund.order_id)
    lot_id = _lot_of(order, refund)
    lot = await credit_store.load_lot(conn, lot_id) if lot_id else None
    person_id, purchase_id = rules.whose(order, lot)
    if await store.is_receipt_put_aside(conn, purchase_id):
        raise ReceiptPutAside(str(purchase_id))
    of_receipt = await store.receipt_of(conn, purchase_id)
    content = rules.credit_note(order, refund, wanted.card_minor, of_receipt)
    await _issue(conn, Series.CREDIT_NOTE, wanted, person_id, content, now)


def _lot_of(order: Order, refund: Refund) -> UUID | None:
    """Return the lot that was paid with the card to which a refund goes."""
    if refund.session_id is None:
        return refund.lot_id
    return order.session(refund.session_id).lot_id


async def _issue(
    conn: Connection,
    series: Series,
    wanted: Wanted,
    person_id: UUID,
    content: Content,
    now: datetime,
) -> None:
    year = rules.year_of(now)
    number = await store.next_number(conn, series, year)
    document = Document(new_id(), series, year, number, wanted.entry_id, person_id, now, content)
    await store.add_document(conn, document)


async def _need_order(conn: Connection, order_id: UUID) -> Order:
    order = await order_store.load_order(conn, order_id)
    if order is None:
        raise Missing(f"order:{order_id}")
    return order
