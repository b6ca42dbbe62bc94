"""Amends: what somebody has coming off their next purchase."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.store import promotions as store
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.web import Api, Call, View


class AmendView(View):
    """What is left of one's amends for a session that did not take place."""

    amends_for: UUID
    left_minor: Minor
    currency: CurrencyCode
    expires_at: datetime


class AmendsView(View):
    """One's amends that are good, in the order in which they are used."""

    items: list[AmendView]


def add_routes(api: Api) -> None:
    """Declare the route."""
    api.get("/v1/me/amends")(list_amends)


async def list_amends(call: Call, conn: Connection) -> AmendsView:
    """List one's amends: a purchase that names no code uses the first that fit its currency."""
    found = await store.amends_of(conn, call.person_id, call.now)
    items = [
        AmendView(
            amends_for=each.amends_for,
            left_minor=each.amount_minor,
            currency=each.currency,
            expires_at=each.ends_at,
        )
        for each in found
        if each.amends_for and each.amount_minor and each.currency and each.ends_at
    ]
    return AmendsView(items=items)
