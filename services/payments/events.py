"""What `payments` hears from booking and profiles, and which command each fact leads to."""

from __future__ import annotations

from services.payments.commands import decisions, offered, orders, records
from services.payments.domain.orders import Terms
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingLost,
    ObjectionRaised,
    ObjectionSettled,
    OfferingFact,
    OfferingPublished,
    OfferingSnapshot,
    OfferingWithdrawn,
    SessionCompleted,
    SessionMissed,
)
from shared.contracts.profiles import (
    ContactErased,
    MentorApproved,
    MentorChangesRequested,
    MentorProfileSubmitted,
    MentorSuspended,
    PersonFact,
    PersonRegistered,
    PersonSnapshot,
    PersonVerified,
)
from shared.db import Connection
from shared.inbox import Ears, Heard

OFFERINGS: tuple[type[OfferingFact], ...] = (
    OfferingPublished,
    OfferingWithdrawn,
    OfferingSnapshot,
)
PEOPLE: tuple[type[PersonFact], ...] = (
    PersonRegistered,
    PersonVerified,
    MentorProfileSubmitted,
    MentorChangesRequested,
    MentorApproved,
    MentorSuspended,
    PersonSnapshot,
)


def listen(terms: Terms) -> Ears:
    """Return the ears of this service; `terms` are frozen on every purchase that begins."""
    ears = Ears()

    @ears.on(BookingHeld)
    async def _held(conn: Connection, heard: Heard[BookingHeld]) -> None:
        await orders.open_order(conn, heard.fact, terms, heard.now)
        await records.begin_records(conn, heard.fact)

    _hear_what_is_sold(ears, terms.settlement_currencies)
    ears.on(BookingConfirmed)(confirmed)
    ears.on(BookingExpired)(expired)
    ears.on(BookingLost)(lost)
    ears.on(BookingCancelled)(cancelled)
    ears.on(SessionCompleted)(completed)
    ears.on(SessionMissed)(missed)
    ears.on(ObjectionRaised)(objected)
    ears.on(ObjectionSettled)(settled)
    return ears


def _hear_what_is_sold(ears: Ears, settled: frozenset[str]) -> None:
    async def offering(conn: Connection, heard: Heard[OfferingFact]) -> None:
        """Know what packages and gifts can be made of, and what was paid ahead of can be booked."""
        await offered.note_offering(conn, heard.fact, settled, heard.now)

    async def person(conn: Connection, heard: Heard[PersonFact]) -> None:
        """Sell nothing of a mentor who may take no new sessions."""
        await offered.note_person(conn, heard.fact, settled, heard.now)

    @ears.on(ContactErased)
    async def _erased(conn: Connection, heard: Heard[ContactErased]) -> None:
        await offered.note_erasure(conn, heard.fact.person_id, settled, heard.now)

    for kind in OFFERINGS:
        ears.on(kind)(offering)
    for kind in PEOPLE:
        ears.on(kind)(person)


async def confirmed(conn: Connection, heard: Heard[BookingConfirmed]) -> None:
    """Note that the sessions will take place."""
    await decisions.confirm_order(conn, heard.fact.order_id)


async def expired(conn: Connection, heard: Heard[BookingExpired]) -> None:
    """Close the payment page of a hold that is over."""
    await orders.end_hold(conn, heard.fact.order_id, heard.now)


async def lost(conn: Connection, heard: Heard[BookingLost]) -> None:
    """Give the money back in full."""
    await decisions.refund_lost(conn, heard.fact.order_id, heard.now)
    await records.note_lost(conn, heard.fact)


async def cancelled(conn: Connection, heard: Heard[BookingCancelled]) -> None:
    """Give the fraction back that the policy says."""
    await decisions.refund_cancelled(conn, heard.fact, heard.happened_at, heard.now)
    await records.end_record(conn, heard.fact, heard.happened_at)


async def completed(conn: Connection, heard: Heard[SessionCompleted]) -> None:
    """Begin the release delay."""
    await records.end_record(conn, heard.fact, heard.happened_at)
    await decisions.complete_session(conn, heard.fact, heard.now)


async def missed(conn: Connection, heard: Heard[SessionMissed]) -> None:
    """Give back what the policy says of a session that one side missed."""
    await decisions.refund_missed(conn, heard.fact, heard.now)
    await records.end_record(conn, heard.fact, heard.happened_at)


async def objected(conn: Connection, heard: Heard[ObjectionRaised]) -> None:
    """Stop the release."""
    await decisions.hold_back(conn, heard.fact, heard.happened_at)


async def settled(conn: Connection, heard: Heard[ObjectionSettled]) -> None:
    """Give back what was decided, and release the rest."""
    await decisions.settle_objection(conn, heard.fact, heard.now)
    await records.note_settled(conn, heard.fact)
