"""The pages, one file per topic; each names its addresses in `ROUTES`."""

from __future__ import annotations

from web.pages import (
    accounts,
    appearance,
    calendar,
    calendars,
    cancelling,
    earnings,
    goals,
    holding,
    hours,
    inbox,
    mentoring,
    mentors,
    moving,
    offerings,
    operators,
    outcomes,
    passwords,
    requests,
    searching,
    series,
    sessions,
    waiting,
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
    *moving.ROUTES,
    *outcomes.ROUTES,
    *series.ROUTES,
    *waiting.ROUTES,
    *calendar.ROUTES,
    *goals.ROUTES,
    *inbox.ROUTES,
    *mentoring.ROUTES,
    *offerings.ROUTES,
    *hours.ROUTES,
    *calendars.ROUTES,
    *earnings.ROUTES,
    *operators.ROUTES,
)
