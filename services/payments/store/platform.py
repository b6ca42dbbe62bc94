"""SQL for the platform's own account of Stripe."""

from __future__ import annotations

from datetime import datetime

from services.payments.domain.platform import Platform
from shared.db import Connection

KEEP = """
INSERT INTO platform (stripe_account_id, live, known_since) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
"""
KNOWN = "SELECT stripe_account_id, live FROM platform"


async def keep_first(conn: Connection, platform: Platform, now: datetime) -> Platform:
    """Keep whose key was used first, and return it."""
    await conn.execute(KEEP, platform.stripe_account_id, platform.live, now)
    row = await conn.fetchrow(KNOWN)
    assert row is not None  # noqa: S101  It was kept just now, or before.
    return Platform(**dict(row))
