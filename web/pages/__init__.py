"""The pages, one file per topic; each names its addresses in `ROUTES`."""

from __future__ import annotations

from web.pages import (
    accounts,
    appearance,
    cancelling,
    earnings,
    goals,
    holding,
    inbox,
    mentoring,
    mentors,
    offerings,
    operators,
    passwords,
    searching,
    sessions,
)
from web.routes import Row

ALL_ROUTES: tuple[Row, ...] = (
    *searching.ROUTES,
    *mentors.ROUTES,
    *accounts.ROUTES,
    *appearance.ROUTES,
    *passwords.ROUTES,
    *holding.ROUTES,
    *sessions.ROUTES,
    *cancelling.ROUTES,
    *goals.ROUTES,
    *inbox.ROUTES,
    *mentoring.ROUTES,
    *offerings.ROUTES,
    *earnings.ROUTES,
    *operators.ROUTES,
)
