"""The operators' console: mentors to approve, their statements, and orders."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service, wrong_fields
from web.pages import books, calls, disputes, mending
from web.pages.people import names_of
from web.pages.searching import expertise
from web.paper_shapes import Statement, Year
from web.routes import ID, Row, do, see
from web.shapes import Order, Page, Vetted
from web.visit import Visit

ROWS_SHOWN = 50
MENTOR_STATES = ("submitted", "approved", "changes_requested", "suspended")
ORDER_STATES = (
    "requested", "offered", "held", "confirmed", "completed", "no_show", "declined", "lapsed",
    "expired", "cancelled", "lost",
)  # fmt: skip
NEEDS_REASON = frozenset({"request-changes", "suspend"})
VERBS = {
    "approve": "The mentor is approved.",
    "request-changes": "The mentor is asked for changes.",
    "suspend": "The mentor is suspended: nothing new can be booked.",
    "reinstate": "The mentor is reinstated.",
}


async def console(visit: Visit) -> web.Response:
    """Show what waits for an operator."""
    waiting = await visit.try_read(
        Service.PROFILES, "/v1/operator/mentors", Page[Vetted], state="submitted", limit=ROWS_SHOWN
    )
    return visit.page("operator.html", waiting=waiting)


async def mentors(visit: Visit) -> web.Response:
    """List mentors by state."""
    asked = visit.query("state")
    state = asked if asked in MENTOR_STATES else MENTOR_STATES[0]
    found = await visit.read(
        Service.PROFILES,
        "/v1/operator/mentors",
        Page[Vetted],
        state=state,
        limit=ROWS_SHOWN,
        cursor=visit.query("cursor"),
    )
    return visit.page("operator_mentors.html", state=state, states=MENTOR_STATES, found=found)


async def mentor(visit: Visit) -> web.Response:
    """Show a mentor's profile to decide on it."""
    path = f"/v1/operator/mentors/{visit.part('person_id')}"
    found = await visit.read(Service.PROFILES, path, Vetted)
    names = {entry.slug: entry.name for entry in await expertise(visit)}
    return visit.page("operator_mentor.html", mentor=found, names=names)


async def decide(visit: Visit) -> web.Response:
    """Approve, ask for changes, suspend or reinstate."""
    person_id, verb = visit.part("person_id"), visit.part("verb")
    reason = visit.form.text("reason")
    if verb in NEEDS_REASON and not reason:
        raise wrong_fields(**{f"reason_{verb}": "Tell the mentor why."})
    path = f"/v1/operator/mentors/{person_id}/{verb}"
    await visit.send(Service.PROFILES, "POST", path, {"reason": reason} if reason else {})
    return visit.go(f"/operator/mentors/{person_id}", VERBS[verb])


async def statements(visit: Visit) -> web.Response:
    """Show a mentor's statements and the figures of a year, this one unless another is asked."""
    mentor_id = visit.part("person_id")
    path = f"/v1/operator/mentors/{mentor_id}"
    found, figures, names = await asyncio.gather(
        visit.read(
            Service.PAYMENTS,
            f"{path}/statements",
            Page[Statement],
            limit=ROWS_SHOWN,
            cursor=visit.query("cursor"),
        ),
        visit.read(
            Service.PAYMENTS,
            f"{path}/yearly-summary",
            Year,
            year=visit.query("year") or visit.now.year,
        ),
        names_of(visit, [mentor_id]),
    )
    return visit.page(
        "operator_statements.html",
        mentor_id=mentor_id,
        name=names[mentor_id],
        found=found,
        figures=figures,
    )


async def orders(visit: Visit) -> web.Response:
    """List orders, by state if one is chosen."""
    asked = visit.query("state")
    state = asked if asked in ORDER_STATES else ""
    found = await visit.read(
        Service.BOOKING,
        "/v1/operator/orders",
        Page[Order],
        state=state,
        person_id=visit.query("person"),
        limit=ROWS_SHOWN,
        cursor=visit.query("cursor"),
    )
    people = {each.mentor_id for each in found.items} | {each.mentee_id for each in found.items}
    return visit.page(
        "operator_orders.html",
        state=state,
        states=ORDER_STATES,
        found=found,
        names=await names_of(visit, people),
    )


_MENTOR = f"/operator/mentors/{{person_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/operator", console),
    see("/operator/mentors", mentors),
    see(_MENTOR, mentor),
    see(f"{_MENTOR}/statements", statements),
    do(f"{_MENTOR}/{{verb:{'|'.join(VERBS)}}}", decide, mentor),
    see("/operator/orders", orders),
    *books.ROUTES,
    *mending.ROUTES,
    *calls.ROUTES,
    *disputes.ROUTES,
)
