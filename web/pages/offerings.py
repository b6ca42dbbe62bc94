"""What a mentor sells and when: offerings, weekly hours and the room."""

from __future__ import annotations

from aiohttp import web

from shared.money import CURRENCIES
from web.client import Refused, Service, wrong_fields
from web.forms import SPANS_PER_DAY, WEEKDAYS, ZONES, weekly_hours
from web.pages.accounts import VERSION_MOST
from web.pages.mentoring import NOTHING_YET
from web.routes import ID, Row, do, see
from web.shapes import Availability, Offering, Page
from web.visit import Visit

OFFERINGS_SHOWN = 100
PRESET = "standard"
MINUTES_LEAST = 10
MINUTES_MOST = 8 * 60
BUFFER_MOST_MINUTES = 4 * 60
NOTICE_MOST_HOURS = 30 * 24
HORIZON_MOST_DAYS = 365
HOUR_MINUTES = 60
COMMON_CURRENCIES = ("USD", "EUR", "GBP")


async def offerings(visit: Visit) -> web.Response:
    """List one's offerings."""
    return visit.page("offerings.html", offerings=await _mine(visit))


async def _mine(visit: Visit) -> list[Offering]:
    found = await visit.read(
        Service.BOOKING, "/v1/me/offerings", Page[Offering], limit=OFFERINGS_SHOWN
    )
    return found.items


async def new_form(visit: Visit) -> web.Response:
    """Show the form for a new offering."""
    return _form(visit, None)


async def edit_form(visit: Visit) -> web.Response:
    """Show an offering to change it."""
    path = f"/v1/me/offerings/{visit.part('offering_id')}"
    return _form(visit, await visit.read(Service.BOOKING, path, Offering))


def _form(visit: Visit, offering: Offering | None) -> web.Response:
    rest = sorted(CURRENCIES - set(COMMON_CURRENCIES))
    return visit.page("offering.html", offering=offering, currencies=[*COMMON_CURRENCIES, *rest])


async def create(visit: Visit) -> web.Response:
    """Make a draft."""
    await visit.send(Service.BOOKING, "POST", "/v1/me/offerings", _described(visit))
    return visit.go("/mentor/offerings", "The draft is saved. Publish it when you are ready.")


async def save(visit: Visit) -> web.Response:
    """Change an offering; sessions sold before stay as sold."""
    version = visit.form.whole("version", least=0, most=VERSION_MOST)
    path = f"/v1/me/offerings/{visit.part('offering_id')}"
    await visit.send(Service.BOOKING, "PUT", path, _described(visit), version=version)
    return visit.go("/mentor/offerings", "The offering is saved.")


def _described(visit: Visit) -> dict[str, object]:
    form = visit.form
    currency = form.text("currency")
    if currency not in CURRENCIES:
        raise wrong_fields(currency="Choose a currency from the list.")
    notice = form.whole("minimum_notice_hours", least=0, most=NOTICE_MOST_HOURS)
    return {
        "title": form.needed("title", "Give it a name."),
        "description": form.needed("description", "Say what people get."),
        "minutes": form.whole("minutes", least=MINUTES_LEAST, most=MINUTES_MOST),
        "price_minor": form.minor("price", currency),
        "currency": currency,
        "buffer_before_minutes": form.whole(
            "buffer_before_minutes", least=0, most=BUFFER_MOST_MINUTES
        ),
        "buffer_after_minutes": form.whole(
            "buffer_after_minutes", least=0, most=BUFFER_MOST_MINUTES
        ),
        "minimum_notice_minutes": notice * HOUR_MINUTES,
        "horizon_days": form.whole("horizon_days", least=1, most=HORIZON_MOST_DAYS),
        "cancellation_preset": PRESET,
    }


async def publish(visit: Visit) -> web.Response:
    """Put an offering up for sale."""
    await visit.send(Service.BOOKING, "POST", _command(visit, "publish"))
    return visit.go("/mentor/offerings", "The offering is published.")


async def withdraw(visit: Visit) -> web.Response:
    """Take an offering off sale."""
    await visit.send(Service.BOOKING, "POST", _command(visit, "withdraw"))
    return visit.go("/mentor/offerings", "The offering is withdrawn. Sold sessions stay as sold.")


def _command(visit: Visit, verb: str) -> str:
    return f"/v1/me/offerings/{visit.part('offering_id')}/{verb}"


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


_ONE = f"/mentor/offerings/{{offering_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/mentor/offerings", offerings),
    see("/mentor/offerings/new", new_form),
    do("/mentor/offerings/new", create, new_form),
    see(_ONE, edit_form),
    do(_ONE, save, edit_form),
    do(f"{_ONE}/publish", publish, offerings),
    do(f"{_ONE}/withdraw", withdraw, offerings),
    see("/mentor/hours", hours_form),
    do("/mentor/hours", save_hours, hours_form),
)
