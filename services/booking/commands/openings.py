"""Keeping the next free start of every mentor: found again, told, and audited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.booking.commands.saving import announce
from services.booking.commands.slots import find_slots
from services.booking.commands.waitlist import offer_next
from services.booking.domain.offerings import Offering
from services.booking.domain.openings import (
    BEYOND,
    Opening,
    Openings,
    Sight,
    next_free,
    tell_openings,
)
from services.booking.domain.terms import Terms
from services.booking.slots import Interval
from services.booking.store import offerings
from services.booking.store import openings as store
from shared.clock import BusinessInstant, system_now
from shared.db import Connection
from shared.ids import PersonId
from shared.republish import Teller, Told

OFFERINGS_AT_MOST = 200
"""How many offerings of one mentor are looked at."""
LOOKS = (timedelta(days=2), timedelta(days=14), timedelta(days=60))
"""How far we look at first: most mentors are free soon, and a short look is a quick one."""
REPUBLISH_BATCH = 50
AUDIT_SAMPLE = 5
"""How many mentors are audited at a time (`docs/decisions/0020`)."""


async def look_at_next(conn: Connection, *, terms: Terms, now: datetime) -> bool:
    """Look at a mentor whose time changed, first for those who wait; return whether there was one.

    Either one slot is offered from the waitlist, or the next free start is found.
    """
    mentor_id = await store.next_to_look_at(conn, now)
    if mentor_id is None:
        return False
    told = await store.lock_openings(conn, mentor_id)
    # First, because what is noted while we look must lead to another look.
    await store.unmark_openings(conn, mentor_id)
    if await offer_next(conn, mentor_id, terms=terms, now=now):
        # The seats of the offer were noted: the next look sees what is left for others.
        return True
    await _keep(conn, told, terms=terms, now=now)
    return True


async def audit(conn: Connection, *, terms: Terms, now: datetime) -> int:
    """Compare a sample of what was told with the pure function; return how many are amiss."""
    wrong = 0
    # In the order of ids, in which everybody locks several of them.
    for told in sorted(await store.to_audit(conn, AUDIT_SAMPLE), key=lambda each: each.mentor_id):
        amiss = await _amiss(conn, told, terms=terms, now=now)
        await store.note_audit(conn, told, system_now(), amiss)
        wrong += amiss is not None
    return wrong


def openings_teller(terms: Terms) -> Teller:
    """Return what finds the next free start of every mentor anew, and tells it."""

    async def tell(conn: Connection, cursor: str | None, now: BusinessInstant) -> Told:
        found = await store.list_mentors(conn, UUID(cursor) if cursor else None, REPUBLISH_BATCH)
        for mentor_id in found:
            told = await store.lock_openings(conn, mentor_id)
            await _keep(conn, told, terms=terms, now=now, again=True)
        return Told(len(found), str(found[-1]) if len(found) == REPUBLISH_BATCH else None)

    return tell


async def find_opening(
    conn: Connection, mentor_id: PersonId, *, terms: Terms, now: datetime
) -> tuple[Opening | None, datetime | None]:
    """Return when a mentor is free next, and after which instant time alone changes that."""
    for_sale = await offerings.list_for_sale(conn, mentor_id, None, OFFERINGS_AT_MOST)
    if not for_sale:
        return None, None
    return next_free(await _in_sight(conn, for_sale, terms, now), now)


async def _keep(
    conn: Connection, told: Openings, *, terms: Terms, now: datetime, again: bool = False
) -> None:
    opening, look_again_at = await find_opening(conn, told.mentor_id, terms=terms, now=now)
    found = replace(told, next_free=opening, look_again_at=look_again_at)
    if again or opening != told.next_free:
        found = replace(found, version=told.version + 1)
        await announce(conn, tell_openings(found, again=again), at=now)
    await store.save_openings(conn, found)


async def _in_sight(
    conn: Connection, for_sale: Sequence[Offering], terms: Terms, now: datetime
) -> list[Sight]:
    sights: list[Sight] = []
    unseen, begins = {each.offering_id: each for each in for_sale}, now
    longest = timedelta(days=max(each.content.horizon_days for each in for_sale)) + BEYOND
    for look in (*(each for each in LOOKS if each < longest), longest):
        window = Interval(begins, now + look)
        for offering in list(unseen.values()):
            sight = await _first_of(conn, offering, window, terms, now)
            if sight:
                sights.append(sight)
                del unseen[offering.offering_id]
        if not unseen or any(sight.is_bookable(now) for sight in sights):
            break
        begins = window.ends_at
    return sights


async def _first_of(
    conn: Connection, offering: Offering, window: Interval, terms: Terms, now: datetime
) -> Sight | None:
    content = offering.content
    further = replace(content, horizon_days=content.horizon_days + BEYOND.days)
    farsighted = replace(offering, content=further)
    slots = await find_slots(conn, farsighted, window, terms=terms, now=now)
    if not slots:
        return None
    return Sight(slots[0].starts_at, offering.offering_id, offering.slot_policy(terms))


async def _amiss(conn: Connection, told: Openings, *, terms: Terms, now: datetime) -> str | None:
    """Return what is free instead of what was told; nothing while a look is still to come."""
    opening, _ = await find_opening(conn, told.mentor_id, terms=terms, now=now)
    waits_for_time = told.look_again_at is not None and told.look_again_at < now
    # Only now: a change that we saw was noted before, and is either still to do or told since.
    if opening == told.next_free or waits_for_time or await store.is_marked(conn, told.mentor_id):
        return None
    return f"told {_words(told.next_free)}, free is {_words(opening)}"


def _words(opening: Opening | None) -> str:
    return f"{opening.starts_at:%Y-%m-%dT%H:%MZ} of {opening.offering_id}" if opening else "nothing"
