"""What a mentor sells: offerings with their terms, and what is asked before a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aiohttp import web

from shared.money import CURRENCIES
from web.client import Service, wrong_fields
from web.forms import Form
from web.pages.accounts import VERSION_MOST
from web.routes import ID, Row, do, see
from web.shapes import Offering, Page, Step
from web.visit import Visit

OFFERINGS_SHOWN = 100
MINUTES_LEAST = 10
MINUTES_MOST = 8 * 60
BUFFER_MOST_MINUTES = 4 * 60
NOTICE_MOST_HOURS = 30 * 24
HORIZON_MOST_DAYS = 365
CAP_MOST = 100
QUESTIONS_MOST = 10
QUESTIONS_OPEN = 2
"""How many empty questions stand open below those that are asked."""
HOUR_MINUTES = 60
COMMON_CURRENCIES = ("USD", "EUR", "GBP")
PRESETS: Mapping[str, tuple[Step, ...]] = MappingProxyType(
    {
        "flexible": (
            Step(hours_before=12, refund_basis_points=10_000),
            Step(hours_before=0, refund_basis_points=5_000),
        ),
        "standard": (
            Step(hours_before=24, refund_basis_points=10_000),
            Step(hours_before=2, refund_basis_points=5_000),
            Step(hours_before=0, refund_basis_points=0),
        ),
        "strict": (
            Step(hours_before=48, refund_basis_points=10_000),
            Step(hours_before=0, refund_basis_points=0),
        ),
    }
)
"""What goes back to a mentee who cancels; a test compares with the rules of `booking`."""


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
    asked = offering.questions if offering else []
    return visit.page(
        "offering.html",
        offering=offering,
        currencies=[*COMMON_CURRENCIES, *rest],
        presets=PRESETS,
        asked=asked,
        numbers=range(QUESTIONS_MOST),
        open_until=_last_asked(visit.form, len(asked)) + QUESTIONS_OPEN,
    )


def _last_asked(form: Form, before: int) -> int:
    typed = [n + 1 for n in range(QUESTIONS_MOST) if form.text(f"question_{n}")]
    return max([before, *typed])


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
        "cancellation_preset": _one_of(form, "cancellation_preset", PRESETS),
        "by_request": _one_of(form, "by_request", ("no", "yes")) == "yes",
        "daily_cap": form.whole_if_any("daily_cap", least=1, most=CAP_MOST),
        "weekly_cap": form.whole_if_any("weekly_cap", least=1, most=CAP_MOST),
        "questions": _questions(form),
    }


def _one_of(form: Form, name: str, known: Iterable[str]) -> str:
    if (chosen := form.text(name)) not in known:
        raise wrong_fields(**{name: "Choose one of these."})
    return chosen


def _questions(form: Form) -> list[Mapping[str, object]]:
    """Return what is asked, in order; a question whose words were taken out is gone."""
    return [
        {"text": text, "required": form.text(f"required_{number}") == "yes"}
        for number in range(QUESTIONS_MOST)
        if (text := form.text(f"question_{number}"))
    ]


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


_ONE = f"/mentor/offerings/{{offering_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/mentor/offerings", offerings),
    see("/mentor/offerings/new", new_form),
    do("/mentor/offerings/new", create, new_form),
    see(_ONE, edit_form),
    do(_ONE, save, edit_form),
    do(f"{_ONE}/publish", publish, offerings),
    do(f"{_ONE}/withdraw", withdraw, offerings),
)
