"""Routes for the calendars that mentors keep elsewhere.

An address is a secret: whoever knows it reads the calendar. It comes in and is never shown again.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from services.booking.api.surface import api
from services.booking.commands.calendars import add_calendar, refresh_calendar, remove_calendar
from services.booking.domain.calendars import (
    Calendar,
    CalendarAddressRefused,
    CalendarId,
    CalendarKnown,
    Failure,
    Reach,
    TooManyCalendars,
    normal_address,
)
from services.booking.store import calendars as store
from shared.auth import Role
from shared.clock import system_now
from shared.db import Connection, connection
from shared.web import Body, Call, InstantUtc, Text, View

REACH = web.AppKey("reach", Reach)
ADDRESS_LONGEST = 2_000

Address = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ADDRESS_LONGEST),
    AfterValidator(normal_address),
    Field(examples=["https://calendar.example.com/private-1f/basic.ics"]),
]


class CalendarBody(Body):
    """What one calls a calendar, and the secret address that its product gives out."""

    name: Annotated[Text, Field(max_length=80)]
    url: Address


class CalendarView(View):
    """A calendar; of its address the host alone. Busy times are those of the last reading."""

    calendar_id: CalendarId
    name: str
    host: str
    fetched_at: InstantUtc | None
    failure: Failure | None
    failing_since: InstantUtc | None
    busy_count: int


class CalendarsView(View):
    """All calendars of a mentor, in the order they were added."""

    items: list[CalendarView]


@api.get("/v1/me/calendars", may=Role.MENTOR)
async def list_my_calendars(call: Call) -> CalendarsView:
    """List the calendars that one's busy times are read from."""
    async with connection(call.pool) as conn:
        found = await store.list_calendars(conn, call.person_id)
    return CalendarsView(items=[_view(calendar) for calendar in found])


@api.post(
    "/v1/me/calendars",
    may=Role.MENTOR,
    idempotent=True,
    refusals=(CalendarAddressRefused, CalendarKnown, TooManyCalendars),
)
async def add_my_calendar(call: Call, conn: Connection, body: CalendarBody) -> CalendarView:
    """Add a calendar by its address (iCalendar, https); it is read in the background, soon."""
    call.request.app[REACH].check(body.url)
    return _view(await add_calendar(conn, call.person_id, body.name, body.url, now=system_now()))


@api.post("/v1/me/calendars/{calendar_id}/refresh", may=Role.MENTOR, status=200, idempotent=True)
async def refresh_my_calendar(
    call: Call, conn: Connection, calendar_id: CalendarId
) -> CalendarView:
    """Let a calendar be read soon instead of when its next turn comes."""
    return _view(await refresh_calendar(conn, calendar_id, call.person_id, now=system_now()))


@api.delete("/v1/me/calendars/{calendar_id}", may=Role.MENTOR)
async def remove_my_calendar(call: Call, conn: Connection, calendar_id: CalendarId) -> None:
    """Forget a calendar and its busy times."""
    await remove_calendar(conn, calendar_id, call.person_id)


def _view(calendar: Calendar) -> CalendarView:
    return CalendarView(
        calendar_id=calendar.calendar_id,
        name=calendar.name,
        host=calendar.host,
        fetched_at=calendar.fetched_at,
        failure=calendar.failure,
        failing_since=calendar.failing_since,
        busy_count=calendar.busy_count,
    )
