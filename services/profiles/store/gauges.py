"""What operators watch of people: who waits for them."""

from __future__ import annotations

from shared.telemetry import Measure

WAITING_MENTORS = "SELECT count(*) AS value FROM people WHERE mentor_state = 'submitted'"

GAUGES = (
    Measure(
        "mentorium_profiles_waiting_mentors",
        "Mentors who asked to be approved and have no answer.",
        WAITING_MENTORS,
        every_seconds=30.0,
    ),
)
"""What the worker shows."""
