"""The pages, one file per topic; each names its addresses in `ROUTES`."""

from __future__ import annotations

from web.pages import (
    accounts,
    appearance,
    cancelling,
    earnings,
    goals,
    holding,
    hours,
    inbox,
    mentoring,
    mentors,
    offerings,
    operators,
    passwords,
    requests,
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
    *requests.ROUTES,
    *cancelling.ROUTES,
    *goals.ROUTES,
    *inbox.ROUTES,
    *mentoring.ROUTES,
    *offerings.ROUTES,
    *hours.ROUTES,
    *earnings.ROUTES,
    *operators.ROUTES,
)
