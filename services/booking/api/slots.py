"""The route for the free slots of an offering."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from services.booking.api.surface import api, terms_of
from services.booking.commands.slots import find_slots
from services.booking.slots import Interval
from services.booking.store import offerings
from shared.db import connection
from shared.errors import Kind, NotFound, Refusal
from shared.ids import OfferingId
from shared.web import ANYONE, Call, InstantUtc, Query, View

WINDOW_LONGEST = timedelta(days=62)
HOLD_FIRST = {
    "offering_id": "$request.path.offering_id",
    "starts_at": "$response.body#/items/0/starts_at",
    # The policy stands with the offering; a wrong one is refused and the right one shown.
    "accepted_policy": {"preset": "standard", "policy_version": 1},
}
"""The body that holds the first slot."""


class WindowTooLong(Refusal):
    """Slots are asked for over too many days, or the window ends before it begins."""

    code = "window_too_long"
    kind = Kind.SHAPE
    detail = f"Ask for at most {WINDOW_LONGEST.days} days, from before until."


class SlotsQuery(Query):
    """The window within which sessions start, half-open."""

    starts_from: Annotated[InstantUtc, Field(alias="from")]
    until: InstantUtc

    def window(self) -> Interval:
        """Return the window; raises `WindowTooLong`."""
        if not timedelta(0) < self.until - self.starts_from <= WINDOW_LONGEST:
            raise WindowTooLong
        return Interval(self.starts_from, self.until)


class SlotView(View):
    """A session that can be booked now; instants in UTC."""

    starts_at: InstantUtc
    ends_at: InstantUtc


class SlotsView(View):
    """Free slots in order."""

    items: list[SlotView]


@api.get(
    "/v1/offerings/{offering_id}/slots",
    may=ANYONE,
    refusals=(WindowTooLong,),
    links={"hold": HOLD_FIRST},
)
async def list_slots(call: Call, offering_id: OfferingId, query: SlotsQuery) -> SlotsView:
    """List the free slots of an offering; the viewer's zone is the client's business."""
    window = query.window()
    async with connection(call.pool) as conn:
        offering = await offerings.read_offering(conn, offering_id)
        if offering is None or not offering.is_published:
            raise NotFound
        found = await find_slots(conn, offering, window, terms=terms_of(call), now=call.now)
    return SlotsView(
        items=[SlotView(starts_at=slot.starts_at, ends_at=slot.ends_at) for slot in found]
    )
