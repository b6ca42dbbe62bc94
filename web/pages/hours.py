"""When a mentor has time: weekly hours and the room."""

from __future__ import annotations

from aiohttp import web

from web.client import Refused, Service
from web.forms import SPANS_PER_DAY, WEEKDAYS, ZONES, weekly_hours
from web.pages.accounts import VERSION_MOST
from web.pages.mentoring import NOTHING_YET
from web.routes import Row, do, see
from web.shapes import Availability
from web.visit import Visit


async def hours_form(visit: Visit) -> web.Response:
    """Show the weekly hours and the room."""
    try:
        hours, version = await visit.read_versioned(
            Service.BOOKING, "/v1/me/availability", Availability
        )
    except Refused as refused:
        if refused.problem.status not in NOTHING_YET:
            raise
        hours, version = Availability(zone=visit.zone), 0
    return visit.page(
        "hours.html",
        hours=hours,
        version=version,
        spans={(day, n): span for day in range(7) for n, span in enumerate(_on(hours, day))},
        weekdays=list(enumerate(WEEKDAYS)),
        span_numbers=range(SPANS_PER_DAY),
        zones=ZONES,
    )


def _on(hours: Availability, weekday: int) -> list[tuple[str, str]]:
    spans = [(each.starts[:5], each.ends[:5]) for each in hours.weekly if each.weekday == weekday]
    return sorted(spans)


async def save_hours(visit: Visit) -> web.Response:
    """Change the weekly hours and the room."""
    body: dict[str, object] = {
        "zone": visit.form.zone(),
        "weekly": weekly_hours(visit.form),
        "room_url": visit.form.needed("room_url", "Write the address of your video room."),
    }
    version = visit.form.whole("version", least=0, most=VERSION_MOST)
    await visit.send(Service.BOOKING, "PUT", "/v1/me/availability", body, version=version)
    return visit.go("/mentor/hours", "Your weekly hours are saved.")


ROUTES: tuple[Row, ...] = (
    see("/mentor/hours", hours_form),
    do("/mentor/hours", save_hours, hours_form),
)
