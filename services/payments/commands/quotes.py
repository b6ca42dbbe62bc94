"""What a purchase would come to if it began now; nothing is kept."""

from __future__ import annotations

from datetime import datetime

from services.payments.commands import fees, promotions
from services.payments.domain.orders import Terms, take_off
from services.payments.domain.quotes import Quote, Wanted, draft, tell
from shared.db import Connection


async def quote(conn: Connection, wanted: Wanted, terms: Terms, now: datetime) -> Quote:
    """Return every amount of a purchase before it is held; raises `PriceNotQuotable`."""
    order = await fees.freeze(conn, draft(wanted, terms, now))
    if wanted.code:
        prices = [each.price for each in order.sessions if each.lot_id is None]
        offering = (wanted.mentor_id, wanted.offering_id)
        found = await promotions.look_up(conn, wanted.code, wanted.mentee_id, offering, prices, now)
        order = take_off(order, wanted.code, found)
    return tell(order, wanted)
