"""What can be booked is heard, and what was paid ahead rests while it cannot (decision 34).

Facts about one mentor take turns on the row of the mentor's standing: what booking says of an
offering and what profiles says of the mentor are put together in one order. Nobody who has that row
waits for it with a lock on credits or on a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.payments.domain import credits as credit_rules
from services.payments.domain.offered import Offered
from services.payments.store import credits as credits_store
from services.payments.store import offered as store
from shared.contracts.booking import OfferingFact
from shared.contracts.profiles import PersonFact
from shared.db import Connection
from shared.errors import NotFound
from shared.money import Money

APPROVED = "approved"

Settled = frozenset[str]
"""In which currencies the platform holds balances."""


async def note_offering(
    conn: Connection, fact: OfferingFact, settled: Settled, now: datetime
) -> None:
    """Know what a mentor sells, of which packages can be made."""
    await store.take_turn(conn, fact.mentor_id)
    offered = Offered(
        fact.offering_id,
        fact.mentor_id,
        fact.title,
        fact.minutes,
        Money(fact.price_minor, fact.currency),
        fact.published,
        fact.version,
    )
    await store.save_offered(conn, offered)
    await _turn(conn, fact.mentor_id, settled, now)


async def note_person(conn: Connection, fact: PersonFact, settled: Settled, now: datetime) -> None:
    """Know whether a mentor may take new sessions; every such fact tells the whole state."""
    if fact.mentor_state == "none":
        return
    await store.take_turn(conn, fact.person_id)
    approved = fact.mentor_state == APPROVED
    await store.note_standing(conn, fact.person_id, fact.version, approved=approved)
    await _turn(conn, fact.person_id, settled, now)


async def note_erasure(conn: Connection, person_id: UUID, settled: Settled, now: datetime) -> None:
    """Know that somebody is gone for good: nothing of theirs can be booked, whatever comes late."""
    await store.take_turn(conn, person_id)
    await store.note_erased(conn, person_id)
    await _turn(conn, person_id, settled, now)


async def turn_next(conn: Connection, settled: Settled, now: datetime) -> bool:
    """Stop or let go on what another list of currencies changes; return whether there was any."""
    mentor_id = await store.next_turned(conn, settled)
    if mentor_id is None:
        return False
    await store.take_turn(conn, mentor_id)
    await _turn(conn, mentor_id, settled, now)
    return True


async def need_offered(conn: Connection, offering_id: UUID) -> Offered:
    """Return an offering; raises `NotFound`."""
    offered = await store.load_offered(conn, offering_id)
    if offered is None:
        raise NotFound
    return offered


async def _turn(conn: Connection, mentor_id: UUID, settled: Settled, now: datetime) -> None:
    """Stop what was paid ahead of an offering that cannot be booked any more, or let it go on."""
    back: dict[UUID, datetime] = {}
    for offered in await store.turned(conn, mentor_id, settled):
        offering_id, since = offered.offering_id, offered.unbookable_since
        await store.mark(conn, offering_id, None if since else now)
        await store.look_at_plans(conn, offering_id, now)
        if since is None:
            await store.close_pages(conn, offering_id, now)
        else:
            back[offering_id] = since
    await _wake(conn, back, now)


async def _wake(conn: Connection, back: Mapping[UUID, datetime], now: datetime) -> None:
    """Give the credits of these offerings the time again that they rested since then.

    They are locked last and by their ids, as everywhere.
    """
    for lot in await credits_store.lock_resting(conn, list(back)):
        await credits_store.save_lot(conn, credit_rules.thaw(lot, back[lot.offering_id], now))
