"""SQL for fee rules, which are only ever added to, and for what mentors have sold in their life."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.fees import FeeRule, Tier
from shared.db import Connection
from shared.money import Money

INSERT_RULE = """
INSERT INTO fee_rules (mentor_id, share_basis_points, tiers, minimums, stripe_fee, ended, made_by,
    made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING version
"""
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('payments:fee_rules', 0))"
RULE_FOR = """
(SELECT version, mentor_id, share_basis_points, tiers, minimums, stripe_fee, ended
 FROM fee_rules WHERE mentor_id = $1 ORDER BY version DESC LIMIT 1)
UNION ALL
(SELECT version, mentor_id, share_basis_points, tiers, minimums, stripe_fee, ended
 FROM fee_rules WHERE mentor_id IS NULL ORDER BY version DESC LIMIT 1)
ORDER BY mentor_id NULLS LAST
"""
OWN_RULES = """
SELECT version, mentor_id, share_basis_points, tiers, minimums, stripe_fee, ended
FROM fee_rules AS f
WHERE mentor_id IS NOT NULL AND ($1::uuid IS NULL OR mentor_id > $1) AND NOT ended
  AND NOT EXISTS (
      SELECT FROM fee_rules AS newer
      WHERE newer.mentor_id = f.mentor_id AND newer.version > f.version
  )
ORDER BY mentor_id LIMIT $2
"""
VOLUME = """
SELECT COALESCE(sum(retained_minor), 0)::bigint FROM earnings
WHERE mentor_id = $1 AND currency = $2 AND released_at IS NOT NULL
"""


async def add_rule(
    conn: Connection, rule: FeeRule, made_by: str, at: datetime, *, ended: bool = False
) -> int:
    """Store a rule as the newest of its kind; return its version."""
    return await conn.fetchval(
        INSERT_RULE,
        rule.mentor_id,
        rule.share_basis_points,
        [[tier.currency, tier.from_minor, tier.share_basis_points] for tier in rule.tiers],
        dict(rule.minimums),
        rule.stripe_fee,
        ended,
        made_by,
        at,
    )


async def take_turn(conn: Connection) -> None:
    """Wait until nobody else makes a rule."""
    await conn.execute(TAKE_TURN)


async def rule_for(conn: Connection, mentor_id: UUID | None) -> FeeRule | None:
    """Return the rule that holds for a mentor, or for everybody; none when settings decide."""
    rows = await conn.fetch(RULE_FOR, mentor_id)
    return next((_rule(row) for row in rows if not row["ended"]), None)


async def own_rules(conn: Connection, after: UUID | None, limit: int) -> list[FeeRule]:
    """Return the rules of mentors that hold before that for everybody, in the order of ids."""
    return [_rule(row) for row in await conn.fetch(OWN_RULES, after, limit)]


async def volume_of(conn: Connection, mentor_id: UUID, currency: str) -> Money:
    """Return what was retained of a mentor's released sessions in a currency, ever."""
    return Money(await conn.fetchval(VOLUME, mentor_id, currency), currency)


def _rule(row: asyncpg.Record) -> FeeRule:
    fields: dict[str, Any] = dict(row)
    fields.pop("ended")
    tiers = tuple(Tier(*each) for each in fields.pop("tiers"))
    return FeeRule(**fields, tiers=tiers)
