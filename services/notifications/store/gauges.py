"""What operators watch of the mail."""

from __future__ import annotations

from shared.telemetry import Measure

WITHOUT_CONTACT = """
SELECT count(*) AS value FROM messages AS m
WHERE m.state = 'planned' AND m.planned_at <= $1 AND m.channel = 'mail' AND m.sealed IS NULL
  AND NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.person_id = m.person_id)
"""

GAUGES = (
    Measure(
        "mentorium_notifications_without_contact",
        "Mails that are due and whose reader's contact has not arrived.",
        WITHOUT_CONTACT,
    ),
)
"""What the worker shows."""
