"""SQL for connected accounts and payouts."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.accounts import ConnectedAccount, Payout
from services.payments.domain.timeline import PaidOut
from shared.db import Connection

INSERT_ACCOUNT = """
INSERT INTO accounts (mentor_id, country, return_url, refresh_url, begun_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (mentor_id) DO NOTHING
"""
ACCOUNT = """
SELECT mentor_id, country, return_url, refresh_url, begun_at, stripe_account_id,
    details_submitted, payouts_enabled, can_receive, requirements, past_due, being_verified,
    requirements_until, disabled_reason, payout_schedule, onboarding_url, onboarding_until, refusal,
    closed_at, version, payout_version
FROM accounts WHERE mentor_id = $1
"""
LOCK_ACCOUNT = """
SELECT mentor_id, country, return_url, refresh_url, begun_at, stripe_account_id,
    details_submitted, payouts_enabled, can_receive, requirements, past_due, being_verified,
    requirements_until, disabled_reason, payout_schedule, onboarding_url, onboarding_until, refusal,
    closed_at, version, payout_version
FROM accounts WHERE mentor_id = $1 FOR UPDATE
"""
SAVE_ACCOUNT = """
UPDATE accounts SET country = $2, return_url = $3, refresh_url = $4, stripe_account_id = $5,
    details_submitted = $6, payouts_enabled = $7, can_receive = $8, requirements = $9,
    onboarding_url = $10, onboarding_until = $11, refusal = $12, version = $13,
    payout_version = $14, past_due = $15, being_verified = $16, requirements_until = $17,
    disabled_reason = $18, payout_schedule = $19, closed_at = $20
WHERE mentor_id = $1
"""
MENTOR_OF = """
SELECT mentor_id FROM accounts WHERE stripe_account_id = $1
UNION ALL
SELECT mentor_id FROM former_accounts WHERE stripe_account_id = $1
LIMIT 1
"""
KEEP_FORMER = """
INSERT INTO former_accounts (stripe_account_id, mentor_id, left_at) VALUES ($1, $2, $3)
"""
ACCOUNTS_AFTER = """
SELECT mentor_id FROM accounts
WHERE stripe_account_id IS NOT NULL AND ($1::uuid IS NULL OR mentor_id > $1)
ORDER BY mentor_id LIMIT $2
"""
PAYOUT = """
SELECT stripe_payout_id, mentor_id, amount_minor, currency, state, created_at, arrives_at,
    ended_at, failure_code, replaces
FROM payouts WHERE stripe_payout_id = $1
"""
SAVE_PAYOUT = """
INSERT INTO payouts (stripe_payout_id, mentor_id, amount_minor, currency, state, created_at,
    arrives_at, ended_at, failure_code, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (stripe_payout_id) DO UPDATE SET state = EXCLUDED.state,
    arrives_at = EXCLUDED.arrives_at, ended_at = EXCLUDED.ended_at,
    failure_code = EXCLUDED.failure_code, replaces = EXCLUDED.replaces
"""
LIST_PAYOUTS = """
SELECT stripe_payout_id, mentor_id, amount_minor, currency, state, created_at, arrives_at,
    ended_at, failure_code, replaces
FROM payouts
WHERE mentor_id = $1 AND ($2::timestamptz IS NULL OR (created_at, stripe_payout_id) < ($2, $3))
ORDER BY created_at DESC, stripe_payout_id DESC LIMIT $4
"""
REPLACED = """
SELECT replaced FROM payouts CROSS JOIN LATERAL unnest(replaces) AS replaced
WHERE mentor_id = $1
"""
RETURNED_PAYOUT = """
SELECT p.stripe_payout_id, p.mentor_id, p.amount_minor, p.currency, p.state, p.created_at,
    p.arrives_at, p.ended_at, p.failure_code, p.replaces
FROM payouts AS p
WHERE p.mentor_id = $1 AND p.state = 'failed' AND NOT EXISTS (
    SELECT FROM payouts AS again
    WHERE again.mentor_id = $1 AND p.stripe_payout_id = ANY(again.replaces)
)
ORDER BY p.created_at DESC LIMIT 1
"""
PAYOUTS_OF_ORDER = """
SELECT t.session_id, t.amount_minor AS share_minor, p.stripe_payout_id, p.mentor_id,
    p.amount_minor, p.currency, p.state, p.created_at, p.arrives_at, p.ended_at, p.failure_code,
    p.replaces
FROM transfers AS t JOIN payouts AS p ON p.stripe_payout_id = t.payout_id
WHERE t.order_id = $1 ORDER BY t.session_id, t.number
"""
TOTALS = """
SELECT e.currency,
    COALESCE(sum(e.mentor_minor) FILTER (WHERE e.released_at IS NULL), 0)::bigint AS held_minor,
    COALESCE(sum(e.payable_minor + COALESCE(t.planned_minor, 0)), 0)::bigint AS released_minor,
    COALESCE(sum(t.sent_minor - t.reversed_minor), 0)::bigint AS transferred_minor
FROM earnings AS e LEFT JOIN transfers_of_sessions AS t ON t.session_id = e.session_id
WHERE e.mentor_id = $1
GROUP BY e.currency ORDER BY e.currency
"""
PAID_OUT = """
SELECT currency, sum(amount_minor)::bigint AS paid_out_minor
FROM payouts WHERE mentor_id = $1 AND state = 'paid'
GROUP BY currency ORDER BY currency
"""
EARNED_SESSIONS = """
SELECT e.order_id, e.session_id, o.title, e.currency, s.price_minor, e.mentor_minor,
    e.platform_minor, e.released_at, t.sent_at AS transferred_at, e.transfer_state,
    o.release_delay_seconds / 3600 AS release_delay_hours,
    CASE WHEN s.objected_at IS NULL AND s.disputed_at IS NULL AND e.retained_minor > 0
            AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id)
         THEN e.due_at END AS due_at,
    CASE WHEN e.released_at IS NOT NULL THEN NULL
         WHEN s.disputed_at IS NOT NULL OR EXISTS (
            SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id
         ) THEN 'bank'
         WHEN e.retained_minor = 0 THEN NULL
         WHEN s.objected_at IS NOT NULL THEN 'objection'
         WHEN e.due_at IS NULL THEN 'session' END AS waits_for
FROM earnings AS e
JOIN orders AS o ON o.order_id = e.order_id
JOIN sessions AS s ON s.session_id = e.session_id
LEFT JOIN transfers_of_sessions AS t ON t.session_id = e.session_id
WHERE e.mentor_id = $1 AND ($2::uuid IS NULL OR e.session_id < $2)
ORDER BY e.session_id DESC LIMIT $3
"""


async def add_account(conn: Connection, account: ConnectedAccount) -> bool:
    """Store a new account; return whether the mentor had none."""
    done = await conn.execute(
        INSERT_ACCOUNT,
        account.mentor_id,
        account.country,
        account.return_url,
        account.refresh_url,
        account.begun_at,
    )
    return done.endswith(" 1")


async def load_account(conn: Connection, mentor_id: UUID) -> ConnectedAccount | None:
    """Return a mentor's account."""
    row = await conn.fetchrow(ACCOUNT, mentor_id)
    return _account(row) if row else None


async def lock_account(conn: Connection, mentor_id: UUID) -> ConnectedAccount | None:
    """Return a mentor's account, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_ACCOUNT, mentor_id)
    return _account(row) if row else None


async def save_account(conn: Connection, account: ConnectedAccount) -> None:
    """Store what changes of an account that is locked."""
    await conn.execute(
        SAVE_ACCOUNT,
        account.mentor_id,
        account.country,
        account.return_url,
        account.refresh_url,
        account.stripe_account_id,
        account.details_submitted,
        account.payouts_enabled,
        account.can_receive,
        list(account.requirements),
        account.onboarding_url,
        account.onboarding_until,
        account.refusal,
        account.version,
        account.payout_version,
        list(account.past_due),
        list(account.being_verified),
        account.requirements_until,
        account.disabled_reason,
        account.payout_schedule,
        account.closed_at,
    )


async def keep_former(conn: Connection, account: ConnectedAccount, now: datetime) -> None:
    """Remember whose account it was that is left for another one."""
    await conn.execute(KEEP_FORMER, account.stripe_account_id, account.mentor_id, now)


async def mentor_of(conn: Connection, stripe_account_id: str) -> UUID | None:
    """Return whose account it is, or was."""
    return await conn.fetchval(MENTOR_OF, stripe_account_id)


async def accounts_after(conn: Connection, mentor_id: UUID | None, limit: int) -> list[UUID]:
    """Return the next mentors with an account, in the order of their ids."""
    return [row["mentor_id"] for row in await conn.fetch(ACCOUNTS_AFTER, mentor_id, limit)]


async def load_payout(conn: Connection, payout_id: str) -> Payout | None:
    """Return a payout."""
    row = await conn.fetchrow(PAYOUT, payout_id)
    return _payout(dict(row)) if row else None


async def save_payout(conn: Connection, payout: Payout) -> None:
    """Store a payout, new or known; its account is locked."""
    await conn.execute(
        SAVE_PAYOUT,
        payout.stripe_payout_id,
        payout.mentor_id,
        payout.amount_minor,
        payout.currency,
        payout.state,
        payout.created_at,
        payout.arrives_at,
        payout.ended_at,
        payout.failure_code,
        list(payout.replaces),
    )


async def list_payouts(
    conn: Connection, mentor_id: UUID, after: tuple[datetime, str] | None, limit: int
) -> list[Payout]:
    """Return a page of a mentor's payouts, newest first."""
    created_at, payout_id = after or (None, None)
    rows = await conn.fetch(LIST_PAYOUTS, mentor_id, created_at, payout_id, limit)
    return [_payout(dict(row)) for row in rows]


async def returned_payout(conn: Connection, mentor_id: UUID) -> Payout | None:
    """Return the last payout that came back and whose money was not sent again yet."""
    row = await conn.fetchrow(RETURNED_PAYOUT, mentor_id)
    return _payout(dict(row)) if row else None


async def replaced_payouts(conn: Connection, mentor_id: UUID) -> set[str]:
    """Return the failed payouts of a mentor whose money was sent again."""
    return {row["replaced"] for row in await conn.fetch(REPLACED, mentor_id)}


async def payouts_of_order(conn: Connection, order_id: UUID) -> list[PaidOut]:
    """Return the payouts that carry the shares of an order's sessions to the bank."""
    return [_paid_out(row) for row in await conn.fetch(PAYOUTS_OF_ORDER, order_id)]


async def totals(conn: Connection, mentor_id: UUID) -> dict[str, dict[str, int]]:
    """Return held, released, transferred and paid out amounts per currency."""
    found: dict[str, dict[str, int]] = {}
    for row in (*await conn.fetch(TOTALS, mentor_id), *await conn.fetch(PAID_OUT, mentor_id)):
        amounts = {name: amount for name, amount in row.items() if name != "currency"}
        found.setdefault(row["currency"], {}).update(amounts)
    return found


async def earned_sessions(
    conn: Connection, mentor_id: UUID, before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return a page of a mentor's sessions with what each earned, newest first."""
    return [dict(row) for row in await conn.fetch(EARNED_SESSIONS, mentor_id, before, limit)]


def _account(row: asyncpg.Record) -> ConnectedAccount:
    fields: dict[str, Any] = dict(row)
    for name in ("requirements", "past_due", "being_verified"):
        fields[name] = tuple(fields[name])
    return ConnectedAccount(**fields)


def _payout(fields: dict[str, Any]) -> Payout:
    replaces = tuple(fields.pop("replaces"))
    return Payout(**fields, replaces=replaces)


def _paid_out(row: asyncpg.Record) -> PaidOut:
    fields: dict[str, Any] = dict(row)
    session_id, share = fields.pop("session_id"), fields.pop("share_minor")
    return PaidOut(_payout(fields), session_id, share)
