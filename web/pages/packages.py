"""A mentor's packages, and the fund of sessions that sponsors paid."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service, wrong_fields
from web.pages.people import names_of
from web.prepaid_shapes import Fund, Packages
from web.routes import ID, Row, do, see
from web.shapes import Offering, Page
from web.visit import Visit

OFFERINGS_SHOWN = 100
SESSIONS_FEWEST = 2
SESSIONS_MOST = 50
MONTHS_MOST = 24


async def packages(visit: Visit) -> web.Response:
    """Show one's packages with a form for another, and the fund."""
    found, fund, offerings = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/packages", Packages),
        visit.read(Service.PAYMENTS, "/v1/me/fund", Fund),
        sold(visit),
    )
    return visit.page(
        "packages.html",
        packages=found.items,
        fund=fund,
        offerings=offerings,
        names=await names_of(visit, fund.mentee_ids),
    )


async def sold(visit: Visit) -> list[Offering]:
    """Return one's offerings that cost something."""
    found = await visit.try_read(
        Service.BOOKING, "/v1/me/offerings", Page[Offering], limit=OFFERINGS_SHOWN
    )
    return [each for each in (found.items if found else []) if each.price_minor]


async def chosen_offering(visit: Visit) -> Offering:
    """Return the offering that a form names; raises when it is none of one's own that cost."""
    known = {each.offering_id: each for each in await sold(visit)}
    chosen = known.get(visit.form.text("offering_id"))
    if chosen is None:
        raise wrong_fields(offering_id="Choose one of your offerings.")
    return chosen


async def offer(visit: Visit) -> web.Response:
    """Offer a package."""
    form, chosen = visit.form, await chosen_offering(visit)
    body = {
        "offering_id": chosen.offering_id,
        "sessions": form.whole("sessions", least=SESSIONS_FEWEST, most=SESSIONS_MOST),
        "unit_price_minor": form.minor("unit_price", chosen.currency),
        "valid_months": form.whole("valid_months", least=1, most=MONTHS_MOST),
    }
    await visit.send(Service.PAYMENTS, "POST", "/v1/me/packages", body)
    return visit.go("/mentor/packages", "The package is on your page.")


async def withdraw(visit: Visit) -> web.Response:
    """Offer a package no more."""
    path = f"/v1/me/packages/{visit.part('package_id')}/withdraw"
    await visit.send(Service.PAYMENTS, "POST", path)
    return visit.go("/mentor/packages", "The package is withdrawn. What was sold stays as sold.")


async def grant(visit: Visit) -> web.Response:
    """Give a sponsored session to a mentee."""
    form = visit.form
    body = {
        "offering_id": form.needed("offering_id", "Choose what to give."),
        "mentee_id": form.needed("mentee_id", "Choose who gets it."),
    }
    await visit.send(Service.PAYMENTS, "POST", "/v1/me/fund/grants", body)
    return visit.go("/mentor/packages", "The session is theirs; we write to them.")


ROUTES: tuple[Row, ...] = (
    see("/mentor/packages", packages),
    do("/mentor/packages", offer, packages),
    do(f"/mentor/packages/{{package_id:{ID}}}/withdraw", withdraw, packages),
    do("/mentor/fund", grant, packages),
)
