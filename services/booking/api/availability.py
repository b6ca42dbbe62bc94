"""Routes for when a mentor works: weekly hours, travels, single dates and public holidays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from services.booking.api.surface import Zone, api
from services.booking.commands.availability import set_availability
from services.booking.domain.availability import (
    Availability,
    HoursOverlap,
    OverriddenTwice,
    TravelsOverlap,
)
from services.booking.domain.holidays import CountryUnknown, countries, public_holidays
from services.booking.slots import Hours, Override, Rules, Travel, WeeklyHours
from services.booking.store import availability as store
from shared.auth import Role
from shared.db import Connection, connection
from shared.web import Body, Call, Query, Text, Versioned, View, WholeNumber
from shared.web.shapes import YEARS

HOURS_A_DAY_AT_MOST = 12
HOURS_A_WEEK_AT_MOST = 7 * HOURS_A_DAY_AT_MOST
TRAVELS_AT_MOST = 50
OVERRIDES_AT_MOST = 400
HOLIDAY_YEARS = range(2000, 2100)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_CLOCK_TO_MIDNIGHT = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_ROOM_URL = r"^https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?([/?#][!-~]*)?$"
"""An https address as browsers take it; ASCII, for it stands in mails and calendars."""


def _in_reach(day: date) -> date:
    if day.year not in YEARS:
        raise ValueError(f"the year must lie between {YEARS[0]} and {YEARS[-1]}")
    return day


Day = Annotated[
    date,
    AfterValidator(_in_reach),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^2[01][0-9]{2}-"}),
]
"""A day of the mentor's calendar."""


class HoursShape(Body):
    """Hours of a day on the mentor's clocks; a day ends at 24:00."""

    starts: Annotated[str, StringConstraints(pattern=_CLOCK)]
    ends: Annotated[str, StringConstraints(pattern=_CLOCK_TO_MIDNIGHT)]

    def hours(self) -> Hours:
        """Return them in minutes."""
        return Hours(_minute(self.starts), _minute(self.ends))


class WeeklyHoursShape(HoursShape):
    """Hours of one weekday; Monday is 0."""

    weekday: Annotated[WholeNumber, Field(ge=0, le=6)]


class TravelShape(Body):
    """Days, both included, on which the mentor's clocks show another zone."""

    zone: Zone
    from_on: Day
    until_on: Day


class OverrideShape(Body):
    """The hours of one date in place of its weekday's; none make it a day off."""

    on: Day
    hours: Annotated[list[HoursShape], Field(max_length=HOURS_A_DAY_AT_MOST)]
    name: Annotated[Text, Field(max_length=120)] | None = None


class AvailabilityBody(Body):
    """When a mentor works and where they meet; what is left out is taken away."""

    zone: Zone
    weekly: Annotated[list[WeeklyHoursShape], Field(max_length=HOURS_A_WEEK_AT_MOST)]
    room_url: Annotated[str, StringConstraints(max_length=500, pattern=_ROOM_URL)]
    travels: Annotated[list[TravelShape], Field(max_length=TRAVELS_AT_MOST)] = Field(
        default_factory=list[TravelShape]
    )
    overrides: Annotated[list[OverrideShape], Field(max_length=OVERRIDES_AT_MOST)] = Field(
        default_factory=list[OverrideShape]
    )

    def rules(self) -> Rules:
        """Return them as the rules take them."""
        return Rules(
            zone=self.zone,
            weekly=tuple(
                WeeklyHours(each.weekday, _minute(each.starts), _minute(each.ends))
                for each in self.weekly
            ),
            travels=tuple(Travel(each.zone, each.from_on, each.until_on) for each in self.travels),
            overrides=tuple(
                Override(each.on, tuple(of_day.hours() for of_day in each.hours), each.name)
                for each in self.overrides
            ),
        )


class AvailabilityView(View):
    """When a mentor works; version 0 and no room when nothing was set."""

    zone: str
    weekly: list[WeeklyHoursShape]
    travels: list[TravelShape]
    overrides: list[OverrideShape]
    room_url: str | None
    version: int


class CountryView(View):
    """A country whose public holidays are known, by its ISO 3166-1 code."""

    code: str
    name: str


class CountriesView(View):
    """Countries by name."""

    items: list[CountryView]


class HolidaysQuery(Query):
    """Which country, and which year."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    year: Annotated[int, Field(ge=HOLIDAY_YEARS[0], le=HOLIDAY_YEARS[-1])]


class HolidayView(View):
    """A public holiday; an override without hours on that date makes it a day off."""

    on: date
    name: str


class HolidaysView(View):
    """Holidays in order."""

    items: list[HolidayView]


@api.get("/v1/me/availability", may=Role.MENTOR)
async def get_my_availability(call: Call) -> Annotated[Versioned, AvailabilityView]:
    """Show one's hours, travels, single dates and room link."""
    async with connection(call.pool) as conn:
        return _reply(await store.read_availability(conn, call.person_id))


@api.put(
    "/v1/me/availability",
    may=Role.MENTOR,
    versioned=True,
    refusals=(HoursOverlap, TravelsOverlap, OverriddenTwice),
)
async def set_my_availability(
    call: Call, conn: Connection, body: AvailabilityBody
) -> Annotated[Versioned, AvailabilityView]:
    """Replace all of one's hours and the room link; the first time If-Match is "0"."""
    version = call.expected_version()
    return _reply(
        await set_availability(conn, call.person_id, body.rules(), body.room_url, version=version)
    )


@api.get("/v1/holidays/countries", may=Role.MENTOR)
async def list_holiday_countries(call: Call) -> CountriesView:
    """List the countries whose public holidays can be picked as days off."""
    found = await asyncio.to_thread(countries)
    return CountriesView(items=[CountryView(code=each.code, name=each.name) for each in found])


@api.get("/v1/holidays", may=Role.MENTOR, refusals=(CountryUnknown,))
async def list_holidays(call: Call, query: HolidaysQuery) -> HolidaysView:
    """List the public holidays of a country in one year."""
    found = await asyncio.to_thread(public_holidays, query.country, query.year)
    return HolidaysView(items=[HolidayView(on=each.on, name=each.name) for each in found])


def _reply(availability: Availability) -> Versioned:
    rules = availability.rules
    view = AvailabilityView(
        zone=rules.zone,
        weekly=[
            WeeklyHoursShape(
                weekday=each.weekday,
                starts=_clock(each.starts_minute),
                ends=_clock(each.ends_minute),
            )
            for each in rules.weekly
        ],
        travels=[
            TravelShape(zone=each.zone, from_on=each.from_on, until_on=each.until_on)
            for each in rules.travels
        ],
        overrides=[
            OverrideShape(on=each.on, hours=_shown(each.hours), name=each.name)
            for each in rules.overrides
        ],
        room_url=availability.room_url,
        version=availability.version,
    )
    return Versioned(view=view, version=availability.version)


def _shown(hours: Iterable[Hours]) -> list[HoursShape]:
    return [
        HoursShape(starts=_clock(each.starts_minute), ends=_clock(each.ends_minute))
        for each in hours
    ]


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
