"""What the web client reads of a mentor's time: hours, single days, travel, holidays, calendars."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime

from web.shapes import Shape


class Hours(Shape):
    """Hours of a day in wall time; a day ends at 24:00."""

    starts: str
    ends: str


class Span(Hours):
    """Hours of one weekday; Monday is 0."""

    weekday: int


class Travel(Shape):
    """Days, both included, on which a mentor's clocks show another zone."""

    zone: str
    from_on: date
    until_on: date


class SingleDay(Shape):
    """A date with hours of its own in place of its weekday's; none make it a day off."""

    on: date
    hours: tuple[Hours, ...] = ()
    name: str | None = None


class Availability(Shape):
    """When a mentor works, and the room."""

    zone: str = "UTC"
    weekly: tuple[Span, ...] = ()
    travels: tuple[Travel, ...] = ()
    overrides: tuple[SingleDay, ...] = ()
    room_url: str | None = None


class Country(Shape):
    """A country whose public holidays are known."""

    code: str
    name: str


class Holiday(Shape):
    """A public holiday."""

    on: date
    name: str


class BusyCalendar(Shape):
    """A calendar kept elsewhere, whose busy times nobody is offered."""

    calendar_id: str
    name: str
    host: str = ""
    fetched_at: AwareDatetime | None = None
    failure: str | None = None
    failing_since: AwareDatetime | None = None
    busy_count: int = 0
