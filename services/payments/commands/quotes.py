"""What a purchase would come to if it began now; nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.payments.commands import fees, promotions
from services.payments.domain.credits import Lot, pay_with
from services.payments.domain.credits import Wanted as WantedSession
from services.payments.domain.freezing import take_off
from services.payments.domain.orders import Order, Terms, change
from services.payments.domain.quotes import Quote, Wanted, draft, tell
from services.payments.store import credits as credits_store
from shared.db import Connection
from shared.money import Money


async def quote(conn: Connection, wanted: Wanted, terms: Terms, now: datetime) -> Quote:
    """Return every amount of a purchase before it is held; raises `PriceNotQuotable`."""
    order = await fees.freeze(conn, draft(wanted, terms, now))
    usable = await credits_store.usable(conn, order.mentee_id, order.mentor_id, now)
    order = _with_credits(order, wanted, usable, now)
    prices = [each.price for each in order.sessions if each.lot_id is None]
    offering = (wanted.mentor_id, wanted.offering_id)
    found = await promotions.look_up(conn, wanted.code, wanted.mentee_id, offering, prices, now)
    given = {lot.lot_id for lot in usable if lot.buyer_id != wanted.mentee_id}
    return tell(take_off(order, wanted.code, found), wanted, given)


def _with_credits(order: Order, wanted: Wanted, usable: Sequence[Lot], now: datetime) -> Order:
    sessions = [WantedSession(each, wanted.offering_id, wanted.minutes) for each in order.sessions]
    for session, _ in pay_with(sessions, usable, now) if usable else ():
        order = change(order, session)
    total = sum(each.price.minor for each in order.sessions)
    return replace(order, price=Money(total, order.price.currency))
