"""Routes for the waitlist of an offering."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from services.booking.api.surface import after_id, api, cursor_after, terms_of
from services.booking.api.views import AnswerShape
from services.booking.commands.waitlist import join_waitlist, leave_waitlist
from services.booking.domain.holds import (
    AnswersMissing,
    MentorUnavailable,
    OwnOffering,
    TooManyLapses,
)
from services.booking.domain.offerings import QUESTIONS_AT_MOST, OfferingNotPublished
from services.booking.domain.orders import Answer
from services.booking.domain.waitlist import (
    AlreadyWaiting,
    Entry,
    EntryId,
    NotWaiting,
    SlotsAreFree,
    TooManyWaits,
    WaitState,
    WindowNotAhead,
)
from services.booking.slots import Interval
from services.booking.store import offerings
from services.booking.store import waitlist as store
from shared.clock import BusinessInstant
from shared.db import Connection, connection
from shared.errors import NotFound
from shared.ids import OfferingId, OrderId, PersonId, new_id
from shared.web import Body, Call, InstantUtc, Page, PageQuery, View


class WaitBody(Body):
    """What somebody waits for: a start within a window, half-open; answers are the mentor's."""

    offering_id: UUID
    starts_from: Annotated[InstantUtc, Field(alias="from")]
    until: InstantUtc
    answers: Annotated[list[AnswerShape], Field(max_length=QUESTIONS_AT_MOST)] = Field(
        default_factory=list[AnswerShape]
    )


class WaitView(View):
    """An entry of the list; `place` counts from 1 while it waits, `order_id` is what was offered.

    An offered slot is accepted or declined as a request is. An entry is worth one offer.
    """

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    entry_id: EntryId
    offering_id: OfferingId
    mentor_id: PersonId
    starts_from: Annotated[InstantUtc, Field(serialization_alias="from")]
    until: InstantUtc
    state: WaitState
    place: int | None
    order_id: OrderId | None


@api.post(
    "/v1/waitlist",
    idempotent=True,
    refusals=(
        SlotsAreFree,
        WindowNotAhead,
        AlreadyWaiting,
        TooManyWaits,
        TooManyLapses,
        OwnOffering,
        OfferingNotPublished,
        MentorUnavailable,
        AnswersMissing,
        NotFound,
    ),
)
async def wait_for_slot(call: Call, conn: Connection, body: WaitBody) -> WaitView:
    """Wait for a start within a window in which nothing is free."""
    offering = await offerings.read_offering(conn, OfferingId(body.offering_id))
    if offering is None:
        raise NotFound
    entry = Entry(
        EntryId(new_id()),
        offering.offering_id,
        offering.mentor_id,
        call.person_id,
        Interval(max(body.starts_from, call.now), body.until),
        tuple(Answer(given.question, given.answer) for given in body.answers),
    )
    joined = await join_waitlist(conn, offering, entry, terms=terms_of(call), now=call.now)
    return await _view(conn, joined, call.now)


@api.get("/v1/waitlist")
async def list_mine(call: Call, query: PageQuery) -> Page[WaitView]:
    """List what one waits for or waited for, newest first."""
    async with connection(call.pool) as conn:
        found = await store.list_of_person(conn, call.person_id, after_id(query), query.limit)
        items = [await _view(conn, entry, call.now) for entry in found]
    last = found[-1].entry_id if found else None
    return Page(items=items, next_cursor=cursor_after(found, last, query.limit))


@api.post("/v1/waitlist/{entry_id}/leave", status=200, idempotent=True, refusals=(NotWaiting,))
async def stop_waiting(call: Call, conn: Connection, entry_id: EntryId) -> WaitView:
    """Leave the list; an offered slot is declined instead."""
    return await _view(
        conn, await leave_waitlist(conn, entry_id, call.person_id, now=call.now), call.now
    )


async def _view(conn: Connection, entry: Entry, now: BusinessInstant) -> WaitView:
    state = entry.state(now)
    return WaitView(
        entry_id=entry.entry_id,
        offering_id=entry.offering_id,
        mentor_id=entry.mentor_id,
        starts_from=entry.window.starts_at,
        until=entry.window.ends_at,
        state=state,
        place=await store.place(conn, entry) if state is WaitState.WAITING else None,
        order_id=entry.order_id,
    )
