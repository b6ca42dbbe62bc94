"""The HTTP API of booking: URLs and shapes; it opens the transaction and holds no rules."""

from services.booking.api import (
    availability,
    calendars,
    feeds,
    goals,
    moves,
    offerings,
    orders,
    outcomes,
    requests,
    series,
    sessions,
    slots,
    waitlist,
)
from services.booking.api.surface import api
from shared.web.operators import add_operator_routes

add_operator_routes(api)

__all__ = [
    "api",
    "availability",
    "calendars",
    "feeds",
    "goals",
    "moves",
    "offerings",
    "orders",
    "outcomes",
    "requests",
    "series",
    "sessions",
    "slots",
    "waitlist",
]
