"""The calendars a mentor keeps elsewhere: how they are doing, one more, one less."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from web.client import Ask, Service
from web.routes import ID, Row, do, see
from web.shapes import Page
from web.time_shapes import BusyCalendar
from web.visit import Visit

PATH = "/v1/me/calendars"
HERE = "/mentor/calendars"
_CHECK = "Copy the address again from your calendar, remove this one and add it anew."
_LATER = "We try again by ourselves; there is nothing to do unless it lasts."
_SMALLER = "Choose a calendar with fewer entries, or publish a shorter time of it."
FAILURES: Mapping[str, tuple[str, str]] = {
    "address_not_allowed": ("This address leads into a private network.", _CHECK),
    "host_unknown": ("There is no server of this name.", _CHECK),
    "unreachable": ("The server of the calendar does not answer.", _LATER),
    "tls_failed": ("The server of the calendar cannot prove who it is.", _LATER),
    "timed_out": ("The server of the calendar takes too long.", _LATER),
    "too_many_redirects": ("The address leads from one place to the next.", _CHECK),
    "not_found": ("There is no calendar at this address any more.", _CHECK),
    "not_permitted": ("The calendar is not shared any more.", f"Share it there, then: {_CHECK}"),
    "server_failed": ("The server of the calendar has a problem of its own.", _LATER),
    "too_large": ("The calendar is too large.", _SMALLER),
    "not_a_calendar": (
        "What is at this address is no calendar.",
        f"Look for an address in iCal format, often ending in .ics. {_CHECK}",
    ),
    "event_unreadable": (
        "An entry of the calendar cannot be understood.",
        "Look for a broken entry that was imported, and remove it there.",
    ),
    "too_many_events": ("The calendar has too many entries.", _SMALLER),
    "too_complex": ("The repetitions in the calendar are too many.", _SMALLER),
}
"""What is wrong with a calendar that cannot be read, and what to do; by the word of `booking`."""


async def calendars(visit: Visit) -> web.Response:
    """List them, and say in plain words what is wrong with one and what to do."""
    found = await visit.read(Service.BOOKING, PATH, Page[BusyCalendar])
    return visit.page("calendars.html", calendars=found.items, failures=FAILURES)


async def add(visit: Visit) -> web.Response:
    """Add a calendar by its address."""
    body = {
        "name": visit.form.needed("name", "Give it a name, such as Work."),
        "url": visit.form.needed("url", "Paste the address of the calendar."),
    }
    await visit.send(Service.BOOKING, "POST", PATH, body)
    return visit.go(HERE, "The calendar is added. It is read for the first time in a moment.")


async def refresh(visit: Visit) -> web.Response:
    """Let a calendar be read anew."""
    await visit.send(Service.BOOKING, "POST", f"{_one(visit)}/refresh")
    return visit.go(HERE, "It is read again in a moment. Load this page again to see the outcome.")


async def remove(visit: Visit) -> web.Response:
    """Forget a calendar; its busy times can be booked then."""
    await visit.ask(Service.BOOKING, Ask("DELETE", _one(visit)))
    return visit.go(HERE, "The calendar is removed, and its busy times with it.")


def _one(visit: Visit) -> str:
    return f"{PATH}/{visit.part('calendar_id')}"


_ONE = f"{HERE}/{{calendar_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see(HERE, calendars),
    do(HERE, add, calendars),
    do(f"{_ONE}/refresh", refresh, calendars),
    do(f"{_ONE}/remove", remove, calendars),
)
