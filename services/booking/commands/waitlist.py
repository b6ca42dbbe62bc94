"""The waitlist: joining it, leaving it, and offering what was freed to whoever is next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.booking.commands.holds import take_time
from services.booking.commands.saving import announce
from services.booking.commands.slots import find_slots, respect_caps
from services.booking.domain.holds import SlotNotOffered, SlotTaken, check_lapses
from services.booking.domain.offerings import Offering
from services.booking.domain.terms import Terms
from services.booking.domain.waitlist import (
    Entry,
    EntryId,
    NotWaiting,
    SlotsAreFree,
    answerable,
    check_entry,
    first_fitting,
    offer_slot,
)
from services.booking.slots import Interval
from services.booking.store import offerings, orders, people, seats
from services.booking.store import waitlist as store
from services.booking.store.openings import mark_openings
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OfferingId, PersonId

LOOKED_AT = 500
"""How many of those who wait for a mentor are looked at; the others move up."""


async def join_waitlist(
    conn: Connection, offering: Offering, entry: Entry, *, terms: Terms, now: datetime
) -> Entry:
    """Put somebody at the end of the list.

    Raises `TooManyLapses`, `SlotsAreFree` and what `check_entry` raises.
    """
    await people.take_turn(conn, entry.person_id)
    _, lapsed = await orders.count_unpaid(conn, entry.person_id, now)
    check_lapses(lapsed, terms)
    others = await store.waits_of(conn, entry.person_id, now)
    bookable = await people.is_approved(conn, offering.mentor_id)
    check_entry(offering, entry, others, bookable=bookable, now=now)
    if await find_slots(conn, offering, entry.window, terms=terms, now=now):
        raise SlotsAreFree
    await store.insert_entry(conn, entry)
    # What was freed after our look and looked at before our commit would be offered to nobody.
    await mark_openings(conn, offering.mentor_id)
    return entry


async def leave_waitlist(
    conn: Connection, entry_id: EntryId, person_id: PersonId, *, now: datetime
) -> Entry:
    """Take one's entry off the list; raises `NotFound` or `NotWaiting`."""
    left = await store.leave(conn, entry_id, person_id, now)
    entry = await store.read_entry(conn, person_id, entry_id)
    if entry is None:
        raise NotFound
    if not left and not entry.has_left:
        raise NotWaiting
    return entry


async def offer_next(conn: Connection, mentor_id: PersonId, *, terms: Terms, now: datetime) -> bool:
    """Keep a free slot for the first of those who wait for a mentor; return whether one was."""
    waiting = await store.waiting_for(conn, mentor_id, now, LOOKED_AT)
    if not waiting:
        return False
    free = await _free_of(conn, waiting, terms, now)
    for entry in waiting:
        offering, slots = free[entry.offering_id]
        slot = first_fitting(entry, slots, await _own_time(conn, entry, now)) if slots else None
        if slot and await _offer(conn, offering, entry, slot.starts_at, terms, now):
            return True
    return False


async def _free_of(
    conn: Connection, waiting: Sequence[Entry], terms: Terms, now: datetime
) -> dict[OfferingId, tuple[Offering, list[Interval]]]:
    """Return the free slots of every offering somebody waits for, over all their windows."""
    found: dict[OfferingId, tuple[Offering, list[Interval]]] = {}
    for offering_id in {entry.offering_id for entry in waiting}:
        offering = await offerings.read_offering(conn, offering_id)
        if offering is None:
            raise NotFound
        windows = [entry.window for entry in waiting if entry.offering_id == offering_id]
        whole = Interval(min(windows).starts_at, max(each.ends_at for each in windows))
        slots: list[Interval] = []
        if offering.is_published:
            slots = await find_slots(conn, offering, whole, terms=terms, now=now)
        found[offering_id] = offering, answerable(slots, offering, terms, now)
    return found


async def _own_time(conn: Connection, entry: Entry, now: datetime) -> list[Interval]:
    sold = await seats.sold(conn, entry.person_id, entry.window, now)
    return [each.during for each in sold]


async def _offer(
    conn: Connection,
    offering: Offering,
    entry: Entry,
    starts_at: datetime,
    terms: Terms,
    now: datetime,
) -> bool:
    order, fact = offer_slot(offering, entry, starts_at, now=now, terms=terms)
    try:
        # A savepoint: when somebody was faster, or the entry has left, nothing was offered.
        async with conn.transaction():
            await respect_caps(conn, order, [starts_at], now=now)
            await orders.insert_order(conn, order)
            if not await take_time(conn, order, now):
                raise SlotTaken
            if not await store.note_offer(conn, entry.entry_id, order.order_id):
                raise SlotTaken
            await announce(conn, fact, at=now)
    except (SlotTaken, SlotNotOffered):
        return False
    return True
