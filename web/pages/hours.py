"""When a mentor has time: weekly hours, single days, public holidays, travel, and the room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from web.client import Refused, Service, wrong_fields
from web.forms import (
    SPANS_SHOWN,
    WEEKDAYS,
    ZONES,
    as_day,
    hours_of_day,
    weekly_hours,
)
from web.pages.accounts import VERSION_MOST
from web.pages.mentoring import NOTHING_YET
from web.routes import Row, do, see
from web.shapes import Page
from web.time_shapes import Availability, Country, Holiday, Hours, SingleDay, Travel
from web.visit import Visit

PATH = "/v1/me/availability"
DAYS_AT_ONCE = 92
"""How many days one form changes: a quarter of a year."""
YEARS_TO_PICK = 3
ONE_DAY = timedelta(days=1)


async def hours_form(visit: Visit) -> web.Response:
    """Show the weekly hours and the room."""
    hours, version = await _hours(visit)
    of_days = {day: _on(hours, day) for day in range(len(WEEKDAYS))}
    return visit.page(
        "hours.html",
        hours=hours,
        version=version,
        spans={(day, n): each for day, found in of_days.items() for n, each in enumerate(found)},
        weekdays=list(enumerate(WEEKDAYS)),
        span_numbers=range(max(SPANS_SHOWN, *map(len, of_days.values()))),
        zones=ZONES,
    )


async def _hours(visit: Visit) -> tuple[Availability, int]:
    try:
        return await visit.read_versioned(Service.BOOKING, PATH, Availability)
    except Refused as refused:
        if refused.problem.status not in NOTHING_YET:
            raise
        return Availability(zone=visit.zone), 0


def _on(hours: Availability, weekday: int) -> list[Hours]:
    of_day = (each for each in hours.weekly if each.weekday == weekday)
    return sorted(of_day, key=lambda each: each.starts)


async def save_hours(visit: Visit) -> web.Response:
    """Change the weekly hours and the room; single days and travels stay."""
    hours, _ = await _hours(visit)
    changed: dict[str, object] = {
        "zone": visit.form.zone(),
        "weekly": weekly_hours(visit.form),
        "room_url": visit.form.needed("room_url", "Write the address of your video room."),
    }
    version = visit.form.whole("version", least=0, most=VERSION_MOST)
    await _save(visit, hours, changed, version)
    return visit.go("/mentor/hours", "Your weekly hours are saved.")


async def _save(
    visit: Visit, hours: Availability, changed: Mapping[str, object], version: int
) -> None:
    body = {**hours.model_dump(mode="json"), **changed}
    await visit.send(Service.BOOKING, "PUT", PATH, body, version=version)


async def days(visit: Visit) -> web.Response:
    """Show the days that differ from the week, and public holidays to take off."""
    (hours, _), countries, holidays = await asyncio.gather(
        _hours(visit),
        visit.try_read(Service.BOOKING, "/v1/holidays/countries", Page[Country]),
        _holidays(visit),
    )
    today = _today(visit, hours)
    return visit.page(
        "days.html",
        hours=hours,
        ahead=[each for each in hours.overrides if each.on >= today],
        today=today,
        span_numbers=range(SPANS_SHOWN),
        countries=countries.items if countries else [],
        years=range(today.year, today.year + YEARS_TO_PICK),
        holidays=[each for each in holidays if each.on >= today],
        taken={each.on for each in hours.overrides},
    )


async def _holidays(visit: Visit) -> list[Holiday]:
    country, year = _picked(visit, "country"), _picked(visit, "year")
    if not (country.isalpha() and year.isdecimal()):
        return []
    found = await visit.try_read(
        Service.BOOKING, "/v1/holidays", Page[Holiday], country=country, year=year
    )
    return found.items if found else []


def _picked(visit: Visit, name: str) -> str:
    return visit.form.text(name) or visit.query(name)


def _today(visit: Visit, hours: Availability) -> date:
    return visit.now.astimezone(ZoneInfo(hours.zone)).date()


async def add_days(visit: Visit) -> web.Response:
    """Give one day or several hours of their own, or none."""
    form = visit.form
    first = form.date("first", "Choose the first day.")
    last = form.date("last", "Choose a date.") if form.text("last") else first
    if not ONE_DAY * 0 <= last - first < ONE_DAY * DAYS_AT_ONCE:
        raise wrong_fields(last=f"Choose a later day, within {DAYS_AT_ONCE} days of the first.")
    of_day = tuple(Hours.model_validate(each) for each in hours_of_day(form, "day"))
    name = form.text("name") or None
    count = (last - first).days + 1
    wanted = [SingleDay(on=first + ONE_DAY * n, hours=of_day, name=name) for n in range(count)]
    await _put_days(visit, wanted)
    return visit.go("/mentor/hours/days", "It is noted.")


async def take_holidays(visit: Visit) -> web.Response:
    """Take the chosen public holidays off."""
    chosen = {as_day(each) for each in visit.form.many("holiday")}
    wanted = [
        SingleDay(on=each.on, name=each.name)
        for each in await _holidays(visit)
        if each.on in chosen
    ]
    if not wanted:
        raise wrong_fields(holiday="Choose at least one day.")
    await _put_days(visit, wanted)
    return visit.go("/mentor/hours/days", "These days are yours.")


async def _put_days(visit: Visit, wanted: Iterable[SingleDay]) -> None:
    """Put days in place of what was said of them before; what is past is dropped."""
    hours, version = await _hours_with_room(visit)
    today = _today(visit, hours)
    by_day = {each.on: each for each in (*hours.overrides, *wanted) if each.on >= today}
    kept = [by_day[on].model_dump(mode="json") for on in sorted(by_day)]
    await _save(visit, hours, {"overrides": kept}, version)


async def _hours_with_room(visit: Visit) -> tuple[Availability, int]:
    hours, version = await _hours(visit)
    if not hours.room_url:
        raise wrong_fields(main="Save your weekly hours and the room first.")
    return hours, version


async def remove_day(visit: Visit) -> web.Response:
    """Let a day be like its weekday again."""
    hours, version = await _hours_with_room(visit)
    on = as_day(visit.form.text("on"))
    kept = [each.model_dump(mode="json") for each in hours.overrides if each.on != on]
    await _save(visit, hours, {"overrides": kept}, version)
    return visit.go("/mentor/hours/days", "The day is like the others of its kind again.")


async def travels(visit: Visit) -> web.Response:
    """Show when one's clocks show another zone."""
    hours, _ = await _hours(visit)
    today = _today(visit, hours)
    ahead = [each for each in hours.travels if each.until_on >= today]
    return visit.page("travel.html", hours=hours, ahead=ahead, today=today, zones=ZONES)


async def add_travel(visit: Visit) -> web.Response:
    """Say where one will be from a first to a last day."""
    form = visit.form
    wanted = Travel(
        zone=form.zone(),
        from_on=form.date("from_on", "Choose the first day."),
        until_on=form.date("until_on", "Choose the last day."),
    )
    if wanted.until_on < wanted.from_on:
        raise wrong_fields(until_on="Choose a day on or after the first.")
    hours, version = await _hours_with_room(visit)
    overlapping = any(
        each.from_on <= wanted.until_on and wanted.from_on <= each.until_on
        for each in hours.travels
    )
    if overlapping:
        raise wrong_fields(from_on="You are elsewhere on some of these days. Change those first.")
    await _put_travels(visit, hours, [*hours.travels, wanted], version)
    return visit.go("/mentor/hours/travel", "Your hours follow you there.")


async def remove_travel(visit: Visit) -> web.Response:
    """Stay at home after all."""
    hours, version = await _hours_with_room(visit)
    from_on = as_day(visit.form.text("from_on"))
    kept = [each for each in hours.travels if each.from_on != from_on]
    await _put_travels(visit, hours, kept, version)
    return visit.go("/mentor/hours/travel", "The travel is removed.")


async def _put_travels(
    visit: Visit, hours: Availability, wanted: list[Travel], version: int
) -> None:
    today = _today(visit, hours)
    ordered = sorted(wanted, key=lambda each: each.from_on)
    kept = [each.model_dump(mode="json") for each in ordered if each.until_on >= today]
    await _save(visit, hours, {"travels": kept}, version)


ROUTES: tuple[Row, ...] = (
    see("/mentor/hours", hours_form),
    do("/mentor/hours", save_hours, hours_form),
    see("/mentor/hours/days", days),
    do("/mentor/hours/days", add_days, days),
    do("/mentor/hours/days/remove", remove_day, days),
    do("/mentor/hours/holidays", take_holidays, days),
    see("/mentor/hours/travel", travels),
    do("/mentor/hours/travel", add_travel, travels),
    do("/mentor/hours/travel/remove", remove_travel, travels),
)
