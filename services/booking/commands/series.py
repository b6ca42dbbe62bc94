"""Planning a series and taking the mentor's time for it: all of its dates or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.booking.commands.holds import hold_slot
from services.booking.commands.slots import find_slots
from services.booking.domain.holds import SlotTaken, Wish, draft_order
from services.booking.domain.offerings import Offering
from services.booking.domain.orders import Order, OrderState
from services.booking.domain.series import (
    Outline,
    Plan,
    SeriesTaken,
    check_horizon,
    check_series,
    check_weekly,
    plan,
    reach_of,
    series_dates,
)
from services.booking.domain.terms import Terms
from services.booking.slots import Interval
from services.booking.store import availability, offerings, seats
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OfferingId


async def plan_series(
    conn: Connection, offering_id: OfferingId, outline: Outline, *, terms: Terms, now: datetime
) -> Plan:
    """Return which dates of a series are free for its viewer, and what is near the others.

    Raises `NotFound`, `SeriesNotForFree`, `SeriesTooDear` or `SeriesTooLong`.
    """
    offering = await offerings.read_offering(conn, offering_id)
    if offering is None or not offering.is_published:
        raise NotFound
    check_series(offering, outline.weeks)
    rules = (await availability.read_availability(conn, offering.mentor_id)).rules
    weeks = series_dates(rules, outline.starts_at, outline.weeks)
    check_horizon(offering, weeks, now)
    reach = reach_of(weeks)
    slots = await find_slots(conn, offering, reach, terms=terms, now=now)
    free = await _free_for(conn, outline, reach, slots, now)
    return plan(offering, rules, weeks, free, outline.viewer_zone)


async def hold_series(
    conn: Connection, offering_id: OfferingId, wish: Wish, *, terms: Terms, now: datetime
) -> Order:
    """Hold or request all sessions of a series as one purchase.

    Raises `SeriesNotForFree`, `SeriesTooDear`, `SeriesNotWeekly`, `SeriesTaken` with the dates that
    are taken, and what `hold_slot` raises.
    """
    offering = await offerings.read_offering(conn, offering_id)
    if offering is None:
        raise NotFound
    check_series(offering, len(wish.starts))
    check_weekly(start.starts_at for start in wish.starts)
    try:
        return await hold_slot(conn, offering_id, wish, terms=terms, now=now)
    except SlotTaken:
        taken = await _taken(conn, offering, wish, terms, now)
        if not taken:  # It is free again, or kept for those who waited for it.
            raise
        raise SeriesTaken(taken=taken) from None


async def _free_for(
    conn: Connection, outline: Outline, reach: Interval, slots: Sequence[Interval], now: datetime
) -> list[datetime]:
    if outline.viewer_id is None:
        return [slot.starts_at for slot in slots]
    own = await seats.sold(conn, outline.viewer_id, reach, now)
    return [slot.starts_at for slot in slots if not any(slot.overlaps(each.during) for each in own)]


async def _taken(
    conn: Connection, offering: Offering, wish: Wish, terms: Terms, now: datetime
) -> str:
    wished = draft_order(offering, wish, OrderState.HELD, now=now, terms=terms)
    taken = await seats.taken_sessions(conn, wished.seats())
    return " ".join(each.starts_at.isoformat() for each in wish.starts if each.session_id in taken)
