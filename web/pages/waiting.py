"""Waiting for a time of a mentor that is taken now, and answering when one is offered."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from web.client import Service, wrong_fields
from web.forms import as_day, midnight
from web.pages.holding import answers_of, looks_like_id, to_payment
from web.pages.mentors import instant_text
from web.pages.people import names_of
from web.routes import ID, Row, do, see
from web.session_shapes import Waiting
from web.shapes import Offering, Page
from web.visit import Visit

ENTRIES_SHOWN = 50
ONE_DAY = timedelta(days=1)


async def entries(visit: Visit) -> web.Response:
    """List what one waits for."""
    path = "/v1/waitlist"
    found = await visit.read(Service.BOOKING, path, Page[Waiting], limit=ENTRIES_SHOWN)
    names = await names_of(visit, {each.mentor_id for each in found.items})
    return visit.page("waitlist.html", entries=found.items, names=names)


async def ask(visit: Visit) -> web.Response:
    """Ask for which days one would like to wait."""
    offering_id = visit.form.text("offering_id") or visit.query("offering")
    if not looks_like_id(offering_id):
        raise wrong_fields(offering_id="Pick a session on the mentor's page.")
    offering = await visit.read(Service.BOOKING, f"/v1/offerings/{offering_id}", Offering)
    today = visit.now.astimezone(ZoneInfo(visit.zone)).date()
    first = as_day(visit.query("from")) or today
    names = await names_of(visit, {offering.mentor_id})
    return visit.page(
        "waitlist_join.html", offering=offering, names=names, today=today,
        first=first, last=first + timedelta(days=6),
    )  # fmt: skip


async def join(visit: Visit) -> web.Response:
    """Wait for whatever becomes free on the chosen days."""
    first, last = (as_day(visit.form.text(name)) for name in ("first", "last"))
    if first is None or last is None or last < first:
        raise wrong_fields(last="Choose a first day and a last day that does not come before it.")
    starts = max(midnight(first, visit.zone), visit.now)
    body: dict[str, object] = {
        "offering_id": visit.form.text("offering_id"),
        "from": instant_text(starts.replace(microsecond=0)),
        "until": instant_text(midnight(last + ONE_DAY, visit.zone)),
        "answers": await answers_of(visit),
    }
    await visit.send(Service.BOOKING, "POST", "/v1/waitlist", body)
    return visit.go("/waitlist", "You are on the list. We write to you when a time is free.")


async def leave(visit: Visit) -> web.Response:
    """Wait no longer."""
    path = f"/v1/waitlist/{visit.part('entry_id')}/leave"
    await visit.send(Service.BOOKING, "POST", path)
    return visit.go("/waitlist", "You are off the list.")


async def take(visit: Visit) -> web.Response:
    """Take the time that is offered, and go on to the payment."""
    order_id = visit.part("order_id")
    await visit.send(Service.BOOKING, "POST", f"/v1/orders/{order_id}/accept")
    return to_payment(visit, order_id)


async def pass_on(visit: Visit) -> web.Response:
    """Leave the time to the next one who waits."""
    path = f"/v1/orders/{visit.part('order_id')}/decline"
    await visit.send(Service.BOOKING, "POST", path, {})
    return visit.go("/waitlist", "The time goes to the next one who waits.")


_ONE = f"/sessions/{{order_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/waitlist", entries),
    see("/waitlist/join", ask),
    do("/waitlist/join", join, ask),
    do(f"/waitlist/{{entry_id:{ID}}}/leave", leave, entries),
    do(f"{_ONE}/take", take, entries),
    do(f"{_ONE}/pass", pass_on, entries),
)
