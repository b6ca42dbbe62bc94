"""What a mentor does with offerings."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.booking.commands.saving import save_offering
from services.booking.domain.offerings import (
    CurrencyDiffers,
    Offering,
    OfferingContent,
    draft_offering,
    edit_offering,
    publish_offering,
    tell_again,
    withdraw_offering,
)
from services.booking.domain.terms import Terms
from services.booking.store import offerings, people
from shared.clock import BusinessInstant
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OfferingId, PersonId, new_id
from shared.republish import Told
from shared.web.api import VersionOutdated

REPUBLISH_BATCH = 200


async def create_offering(
    conn: Connection, mentor_id: PersonId, content: OfferingContent
) -> Offering:
    """Keep a new draft; raises what `draft_offering` raises, or `CurrencyDiffers`."""
    offering = draft_offering(OfferingId(new_id()), mentor_id, content)
    await _check_currency(conn, offering)
    await offerings.insert_offering(conn, offering)
    return offering


async def change_offering(
    conn: Connection,
    offering_id: OfferingId,
    mentor_id: PersonId,
    content: OfferingContent,
    *,
    revision: int,
    now: datetime,
) -> Offering:
    """Change one's offering from the revision seen.

    Raises `NotFound`, `VersionOutdated` and what `edit_offering` raises.
    """
    offering = await _own(conn, offering_id, mentor_id)
    if offering.revision != revision:
        raise VersionOutdated
    can_receive = await people.can_receive(conn, mentor_id)
    changed = edit_offering(offering, content, can_receive=can_receive)
    await _check_currency(conn, changed[0])
    return await save_offering(conn, changed, now=now)


async def publish(
    conn: Connection,
    offering_id: OfferingId,
    mentor_id: PersonId,
    *,
    terms: Terms,
    now: datetime,
) -> Offering:
    """Put one's offering up for sale, whose currency is the mentor's from then on.

    Raises `NotFound`, `CurrencyDiffers` and what `publish_offering` raises.
    """
    offering = await _own(conn, offering_id, mentor_id)
    changed = publish_offering(
        offering,
        approved=await people.is_approved(conn, mentor_id),
        can_receive=await people.can_receive(conn, mentor_id),
        settled=terms.settlement_currencies,
    )
    currency = offering.content.currency
    _agree(currency, await offerings.settle_currency(conn, mentor_id, currency))
    return await save_offering(conn, changed, now=now)


async def withdraw(
    conn: Connection, offering_id: OfferingId, mentor_id: PersonId, *, now: datetime
) -> Offering:
    """Take one's offering off sale; raises `NotFound` or `OfferingNotPublished`."""
    offering = await _own(conn, offering_id, mentor_id)
    return await save_offering(conn, withdraw_offering(offering), now=now)


async def republish_offerings(conn: Connection, cursor: str | None, now: BusinessInstant) -> Told:
    """Tell a batch of the offerings that others have heard of, again; a `Teller` of the kit."""
    after = UUID(cursor) if cursor else None
    found = await offerings.list_told(conn, after, REPUBLISH_BATCH)
    for offering_id in found:
        offering = await offerings.lock_offering(conn, offering_id)
        if offering:
            await save_offering(conn, tell_again(offering), now=now)
    return Told(len(found), str(found[-1]) if len(found) == REPUBLISH_BATCH else None)


async def _check_currency(conn: Connection, offering: Offering) -> None:
    """Raise `CurrencyDiffers` unless a mentor prices in one currency, drafts included."""
    await offerings.take_turn_for_currency(conn, offering.mentor_id)
    settled = await offerings.currency_of(conn, offering.mentor_id, offering.offering_id)
    _agree(offering.content.currency, settled or offering.content.currency)


def _agree(currency: str, settled: str) -> None:
    if currency != settled:
        raise CurrencyDiffers(currency=settled)


async def _own(conn: Connection, offering_id: OfferingId, mentor_id: PersonId) -> Offering:
    offering = await offerings.lock_offering(conn, offering_id)
    if offering is None or offering.mentor_id != mentor_id:
        raise NotFound
    return offering
