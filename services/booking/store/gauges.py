"""What operators watch of the sale of time."""

from __future__ import annotations

from shared.telemetry import Measure

OPEN_ORDERS = """
SELECT s.state, count(o.order_id) AS value
FROM unnest(ARRAY['held', 'confirmed']) AS s (state)
LEFT JOIN orders AS o ON o.state = s.state
GROUP BY s.state
"""
FAILING_CALENDARS = "SELECT count(*) AS value FROM calendars WHERE failure IS NOT NULL"

GAUGES = (
    Measure(
        "mentorium_booking_open_orders",
        "Orders that are held or confirmed now.",
        OPEN_ORDERS,
        ("state",),
        every_seconds=30.0,
    ),
    Measure(
        "mentorium_booking_failing_calendars",
        "Calendars of mentors that could not be read the last time.",
        FAILING_CALENDARS,
        every_seconds=60.0,
    ),
)
"""What the worker shows."""
