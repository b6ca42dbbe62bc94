"""SQL for what mentors earned by month."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.domain.earned import Moved
from shared.db import Connection

# Movement by movement, as statements do: a kind without a topic counts by the sign of each.
MOVED_BY_MONTH = """
SELECT date_trunc('month', m.happened_at, 'UTC') AS since, m.currency, m.kind,
    sum(m.amount_minor)::bigint AS amount_minor
FROM (
    SELECT e.kind, e.happened_at, l.currency, -sum(l.amount_minor) AS amount_minor
    FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
    WHERE l.mentor_id = $1 AND l.account IN ('mentor_payable', 'mentor_debt')
        AND e.happened_at >= $2
    GROUP BY e.entry_id, l.currency, l.order_id, l.session_id
) AS m
GROUP BY 1, m.currency, m.kind, m.amount_minor > 0
"""


async def moved_by_month(conn: Connection, mentor_id: UUID, since: datetime) -> list[Moved]:
    """Return what moved a mentor's money from an instant on, summed by month and kind."""
    return [Moved(**dict(row)) for row in await conn.fetch(MOVED_BY_MONTH, mentor_id, since)]
