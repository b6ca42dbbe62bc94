"""Packages: what mentors offer for less when several sessions are bought at once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.api.ahead import AheadView, shown_ahead
from services.payments.commands import credits as commands
from services.payments.commands.offered import need_offered
from services.payments.domain import credits as rules
from services.payments.domain.credits import Package
from services.payments.domain.offered import NotForSale, Offered
from services.payments.store import credits as store
from services.payments.store import offered as offered_store
from shared.auth import Role
from shared.db import Connection
from shared.errors import NotFound
from shared.money import MAX_MINOR_OF_ALL
from shared.web import ANYONE, Api, Body, Call, View, WholeNumber


class PackageBody(Body):
    """What a mentor offers: so many sessions, and what one of them costs."""

    offering_id: UUID
    sessions: Annotated[
        WholeNumber, Field(ge=rules.PACKAGE_SESSIONS_FEWEST, le=rules.SESSIONS_MOST)
    ]
    unit_price_minor: Annotated[WholeNumber, Field(ge=1, le=MAX_MINOR_OF_ALL)]
    valid_months: Annotated[WholeNumber, Field(ge=1, le=rules.MONTHS_LONGEST)]


class PackageView(AheadView):
    """A package; `price_minor` is what all of it costs."""

    package_id: UUID
    gift_valid_months: int
    valid_months: int


class PackagesView(View):
    """All packages of a mentor."""

    items: list[PackageView]


def add_routes(api: Api) -> None:
    """Declare the routes of packages."""
    mentor = Role.MENTOR
    price = (NotForSale, rules.PackagePriceOutside, rules.PackageTooDear, NotFound)
    api.get("/v1/mentors/{mentor_id}/packages", may=ANYONE)(list_packages)
    api.get("/v1/packages/{package_id}", may=ANYONE)(show_package)
    api.get("/v1/me/packages", may=mentor)(list_own_packages)
    api.post("/v1/me/packages", may=mentor, idempotent=True, refusals=price)(offer_package)
    end = "/v1/me/packages/{package_id}/withdraw"
    api.post(end, may=mentor, idempotent=True, status=204)(withdraw_package)


async def list_packages(call: Call, mentor_id: UUID, conn: Connection) -> PackagesView:
    """List the packages a mentor offers of what is for sale."""
    del call
    return await _packages(conn, mentor_id)


async def show_package(call: Call, package_id: UUID, conn: Connection) -> PackageView:
    """Show a package that is offered, also while it cannot be sold."""
    del call
    package = await store.load_package(conn, package_id)
    if package is None or not package.offered:
        raise NotFound
    return _package(package, await need_offered(conn, package.offering_id))


async def list_own_packages(call: Call, conn: Connection) -> PackagesView:
    """List the packages one offers."""
    return await _packages(conn, call.person_id, all_of_them=True)


async def offer_package(call: Call, body: PackageBody, conn: Connection) -> PackageView:
    """Offer a package of one of one's offerings."""
    package = await commands.offer_package(
        conn,
        call.person_id,
        body.offering_id,
        sessions=body.sessions,
        unit_minor=body.unit_price_minor,
        valid_months=body.valid_months,
    )
    return _package(package, await need_offered(conn, package.offering_id))


async def withdraw_package(call: Call, package_id: UUID, conn: Connection) -> None:
    """Offer a package no more; what was bought stays as it was bought."""
    await commands.withdraw_package(conn, call.person_id, package_id)


async def _packages(
    conn: Connection, mentor_id: UUID, *, all_of_them: bool = False
) -> PackagesView:
    offered = await offered_store.offered_by(conn, mentor_id)
    found = [
        _package(each, offered[each.offering_id])
        for each in await store.packages_of(conn, mentor_id)
        if all_of_them or offered[each.offering_id].bookable
    ]
    shown = [each for each in found if all_of_them or not each.dearer_than_alone]
    return PackagesView(items=shown)


def _package(package: Package, offered: Offered) -> PackageView:
    return PackageView(
        **shown_ahead(package, offered),
        package_id=package.package_id,
        gift_valid_months=package.gift_valid_months,
        valid_months=package.valid_months,
    )
