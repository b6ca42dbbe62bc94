"""SQL for transfers, their reversals, and what mentors owe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.recovery import DebtStep
from services.payments.domain.transfers import Debt, Reversal, Transfer
from shared.db import Connection
from shared.money import Money

INSERT_TRANSFER = """
INSERT INTO transfers (transfer_id, order_id, session_id, mentor_id, number, amount_minor,
    netted_minor, currency, state, refusal, stripe_transfer_id, planned_at, sent_at, reverse_minor,
    reversed_minor, attempt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (transfer_id) DO UPDATE SET amount_minor = $6, netted_minor = $7, state = $9,
    refusal = $10, stripe_transfer_id = $11, sent_at = $13, reverse_minor = $14,
    reversed_minor = $15, attempt = $16
"""
TRANSFERS_OF = """
SELECT transfer_id, order_id, session_id, mentor_id, number, amount_minor, netted_minor, currency,
    state, refusal, stripe_transfer_id, planned_at, sent_at, reverse_minor, reversed_minor, attempt
FROM transfers WHERE session_id = $1 ORDER BY number
"""
NEXT_TO_TRANSFER = """
SELECT e.order_id, e.session_id, a.stripe_account_id
FROM earnings AS e
JOIN orders AS o ON o.order_id = e.order_id
JOIN sessions AS s ON s.session_id = e.session_id
JOIN accounts AS a ON a.mentor_id = e.mentor_id
WHERE e.released_at IS NOT NULL AND e.transfer_state = 'waiting' AND a.can_receive
    AND s.disputed_at IS NULL
    AND NOT EXISTS (SELECT FROM contested_credits AS c WHERE c.session_id = s.session_id)
ORDER BY e.released_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""
SENT_FROM = """
SELECT COALESCE(sum(t.amount_minor - t.reversed_minor), 0)::bigint FROM transfers AS t
WHERE t.state IN ('planned', 'sent') AND t.transfer_id <> $2 AND t.session_id IN (
    SELECT s.session_id FROM sessions AS s WHERE s.order_id = $1 AND s.lot_id IS NULL
    UNION ALL
    SELECT s.session_id FROM lots AS l JOIN sessions AS s ON s.lot_id = l.lot_id
    WHERE l.purchase_id = $1
)
"""
RETRY_REFUSED = """
UPDATE earnings AS e SET transfer_state = 'waiting'
FROM (
    SELECT order_id FROM orders
    WHERE order_id IN (
        SELECT order_id FROM earnings WHERE mentor_id = $1 AND transfer_state = 'refused'
    )
    ORDER BY order_id FOR UPDATE
) AS held
WHERE e.order_id = held.order_id AND e.mentor_id = $1 AND e.transfer_state = 'refused'
    AND ($2::text IS NULL OR $2 = (
        SELECT t.refusal FROM transfers AS t WHERE t.session_id = e.session_id
        ORDER BY t.number DESC LIMIT 1
    ))
"""
LINK_PAYOUT = """
WITH RECURSIVE again AS (
    SELECT $2::text AS payout_id, 0 AS step
    UNION ALL
    SELECT p.stripe_payout_id, again.step + 1
    FROM again JOIN payouts AS p ON again.payout_id = ANY(p.replaces) AND p.mentor_id = $1
)
UPDATE transfers SET payout_id = (SELECT payout_id FROM again ORDER BY step DESC LIMIT 1)
WHERE mentor_id = $1 AND (stripe_transfer_id = ANY($3::text[]) OR payout_id IN (
    SELECT unnest(replaces) FROM payouts WHERE stripe_payout_id = $2
))
"""
SAVE_REVERSAL = """
INSERT INTO reversals (reversal_id, transfer_id, order_id, session_id, mentor_id, amount_minor,
    currency, state, refusal, stripe_reversal_id, planned_at, ended_at, attempt, ask_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (reversal_id) DO UPDATE SET amount_minor = $6, state = $8, refusal = $9,
    stripe_reversal_id = $10, ended_at = $12, attempt = $13, ask_at = $14
"""
REVERSALS_OF = """
SELECT reversal_id, transfer_id, order_id, session_id, mentor_id, amount_minor, currency, state,
    refusal, stripe_reversal_id, planned_at, ended_at, attempt, ask_at
FROM reversals WHERE session_id = $1 ORDER BY planned_at, reversal_id
"""
NEXT_TO_ASK_AGAIN = """
SELECT r.session_id, r.reversal_id FROM reversals AS r JOIN orders AS o ON o.order_id = r.order_id
WHERE r.ask_at <= $1 ORDER BY r.ask_at LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""
ASK_NO_MORE = "UPDATE reversals SET ask_at = NULL WHERE session_id = $1 AND ask_at IS NOT NULL"
ADD_DEBT = """
INSERT INTO debts (mentor_id, currency, owed_minor, beyond_floor, since)
VALUES ($1, $2, 0, false, $3) ON CONFLICT DO NOTHING
"""
LOCK_DEBT = """
SELECT owed_minor FROM debts WHERE mentor_id = $1 AND currency = $2 FOR UPDATE
"""
ASKED = """
SELECT COALESCE(sum(amount_minor), 0)::bigint FROM reversals
WHERE mentor_id = $1 AND currency = $2 AND state = 'planned'
"""
STEPS_OF_DEBT = """
SELECT e.kind, l.session_id, l.amount_minor AS minor
FROM ledger_lines AS l JOIN ledger_entries AS e ON e.entry_id = l.entry_id
WHERE l.mentor_id = $1 AND l.currency = $2 AND l.account = 'mentor_debt'
ORDER BY e.entry_id
"""
SAVE_DEBT = """
UPDATE debts SET owed_minor = $3, beyond_floor = $4,
    since = CASE WHEN owed_minor = 0 THEN $5 ELSE since END
WHERE mentor_id = $1 AND currency = $2
"""
DEBTS_OF = """
SELECT d.currency, d.owed_minor, d.since, COALESCE((
    SELECT sum(r.amount_minor) FROM reversals AS r
    WHERE r.mentor_id = d.mentor_id AND r.currency = d.currency AND r.state = 'planned'
), 0)::bigint AS asked_minor
FROM debts AS d WHERE d.mentor_id = $1 AND d.owed_minor > 0 ORDER BY d.currency
"""
DEBTS = """
SELECT d.mentor_id, d.currency, d.owed_minor, d.since, d.beyond_floor, (
    SELECT r.refusal FROM reversals AS r
    WHERE r.mentor_id = d.mentor_id AND r.currency = d.currency AND r.state = 'refused'
    ORDER BY r.planned_at DESC LIMIT 1
) AS refusal, (
    SELECT min(r.ask_at) FROM reversals AS r
    WHERE r.mentor_id = d.mentor_id AND r.currency = d.currency
) AS asked_again_at
FROM debts AS d
WHERE d.owed_minor > 0 AND ($1::uuid IS NULL OR (d.mentor_id, d.currency) > ($1, $2))
ORDER BY d.mentor_id, d.currency LIMIT $3
"""
DEBT_LINES = """
SELECT e.kind, e.happened_at, l.order_id, l.session_id, o.title, l.amount_minor, l.currency
FROM ledger_lines AS l
JOIN ledger_entries AS e ON e.entry_id = l.entry_id
LEFT JOIN orders AS o ON o.order_id = l.order_id
WHERE l.account = 'mentor_debt' AND l.mentor_id = $1
ORDER BY e.happened_at DESC, e.entry_id DESC LIMIT $2
"""
REFUSED_REVERSAL = """
SELECT r.order_id, r.session_id
FROM reversals AS r JOIN transfers AS t ON t.transfer_id = r.transfer_id
WHERE r.mentor_id = $1 AND r.currency = $2 AND r.state = 'refused' AND t.state = 'sent'
    AND t.amount_minor - t.reversed_minor > (
        SELECT COALESCE(sum(p.amount_minor), 0) FROM reversals AS p
        WHERE p.transfer_id = t.transfer_id AND p.state = 'planned'
    )
ORDER BY r.planned_at DESC, r.reversal_id LIMIT 1
"""


@dataclass(frozen=True)
class Owing:
    """A mentor with a debt; `refusal` is why Stripe did not reverse a transfer last.

    At `asked_again_at` it is asked once more by itself.
    """

    mentor_id: UUID
    currency: str
    owed_minor: int
    since: datetime
    beyond_floor: bool
    refusal: str | None
    asked_again_at: datetime | None


@dataclass(frozen=True)
class DebtLine:
    """What made a debt more (positive) or less."""

    kind: str
    happened_at: datetime
    order_id: UUID | None
    session_id: UUID | None
    title: str | None
    amount_minor: int
    currency: str


async def save_transfer(conn: Connection, transfer: Transfer) -> None:
    """Store a transfer, new or known; its order is locked."""
    await conn.execute(
        INSERT_TRANSFER,
        transfer.transfer_id,
        transfer.order_id,
        transfer.session_id,
        transfer.mentor_id,
        transfer.number,
        transfer.amount.minor,
        transfer.netted.minor,
        transfer.amount.currency,
        transfer.state,
        transfer.refusal,
        transfer.stripe_transfer_id,
        transfer.planned_at,
        transfer.sent_at,
        transfer.reverse_minor,
        transfer.reversed_minor,
        transfer.attempt,
    )


async def transfers_of(conn: Connection, session_id: UUID) -> list[Transfer]:
    """Return the transfers of a session, in order."""
    return [_transfer(row) for row in await conn.fetch(TRANSFERS_OF, session_id)]


async def next_to_transfer(conn: Connection) -> tuple[UUID, UUID, str] | None:
    """Return an order, which is locked, a session with a share to send, and the account for it."""
    row = await conn.fetchrow(NEXT_TO_TRANSFER)
    return (row["order_id"], row["session_id"], row["stripe_account_id"]) if row else None


async def sent_from(conn: Connection, purchase_id: UUID, but_for: UUID) -> int:
    """Return what transfers of all that a purchase paid for brought and was not reversed.

    What came out of the balance counts as well; `but_for` is a transfer that does not.
    """
    return int(await conn.fetchval(SENT_FROM, purchase_id, but_for))


async def retry_refused_transfers(
    conn: Connection, mentor_id: UUID, code: str | None = None
) -> None:
    """Let transfers be tried again that Stripe refused, with `code` or for whatever reason.

    Their orders are locked from here on.
    """
    await conn.execute(RETRY_REFUSED, mentor_id, code)


async def link_payout(
    conn: Connection, mentor_id: UUID, payout_id: str, transfer_ids: tuple[str, ...]
) -> None:
    """Remember which transfers a payout pays out: one that failed, those that it sent again."""
    await conn.execute(LINK_PAYOUT, mentor_id, payout_id, list(transfer_ids))


async def save_reversal(conn: Connection, reversal: Reversal) -> None:
    """Store a reversal, new or known; its order and the mentor's debt are locked."""
    await conn.execute(
        SAVE_REVERSAL,
        reversal.reversal_id,
        reversal.transfer_id,
        reversal.order_id,
        reversal.session_id,
        reversal.mentor_id,
        reversal.amount.minor,
        reversal.amount.currency,
        reversal.state,
        reversal.refusal,
        reversal.stripe_reversal_id,
        reversal.planned_at,
        reversal.ended_at,
        reversal.attempt,
        reversal.ask_at,
    )


async def reversals_of(conn: Connection, session_id: UUID) -> list[Reversal]:
    """Return what was asked back of a session's transfers, in order."""
    return [_reversal(row) for row in await conn.fetch(REVERSALS_OF, session_id)]


async def next_to_ask_again(conn: Connection, now: datetime) -> tuple[UUID, UUID] | None:
    """Return session and id of what is to be asked for again first; its order is locked."""
    row = await conn.fetchrow(NEXT_TO_ASK_AGAIN, now)
    return (row["session_id"], row["reversal_id"]) if row else None


async def ask_no_more(conn: Connection, session_id: UUID) -> None:
    """Have nothing of a session asked for again by itself; its order is locked."""
    await conn.execute(ASK_NO_MORE, session_id)


async def lock_debt(conn: Connection, mentor_id: UUID, currency: str, now: datetime) -> Debt:
    """Return what a mentor owes, locked until the transaction ends; the order is locked first."""
    await conn.execute(ADD_DEBT, mentor_id, currency, now)
    owed = await conn.fetchval(LOCK_DEBT, mentor_id, currency)
    # Read in a statement that begins when the debt is locked.
    asked = await conn.fetchval(ASKED, mentor_id, currency)
    return Debt(mentor_id, Money(owed, currency), Money(asked, currency))


async def steps_of_debt(conn: Connection, mentor_id: UUID, currency: str) -> list[DebtStep]:
    """Return all that changed a mentor's debt, in the order of posting; the debt is locked."""
    return [DebtStep(**dict(row)) for row in await conn.fetch(STEPS_OF_DEBT, mentor_id, currency)]


async def save_debt(conn: Connection, debt: Debt, now: datetime) -> None:
    """Store what a mentor owes; the row is locked."""
    await conn.execute(
        SAVE_DEBT, debt.mentor_id, debt.owed.currency, debt.owed.minor, debt.beyond_floor, now
    )


async def debts_of(conn: Connection, mentor_id: UUID) -> list[dict[str, Any]]:
    """Return what a mentor owes per currency, and what of it Stripe is being asked for."""
    return [dict(row) for row in await conn.fetch(DEBTS_OF, mentor_id)]


async def list_debts(conn: Connection, after: tuple[UUID, str] | None, limit: int) -> list[Owing]:
    """Return a page of the mentors who owe something."""
    mentor_id, currency = after or (None, None)
    return [Owing(**dict(row)) for row in await conn.fetch(DEBTS, mentor_id, currency, limit)]


async def debt_lines(conn: Connection, mentor_id: UUID, limit: int) -> list[DebtLine]:
    """Return what changed a mentor's debts, newest first."""
    return [DebtLine(**dict(row)) for row in await conn.fetch(DEBT_LINES, mentor_id, limit)]


async def refused_reversal(
    conn: Connection, mentor_id: UUID, currency: str
) -> tuple[UUID, UUID] | None:
    """Return order and session of the reversal that was refused last, of what is still there."""
    row = await conn.fetchrow(REFUSED_REVERSAL, mentor_id, currency)
    return (row["order_id"], row["session_id"]) if row else None


def _transfer(row: asyncpg.Record) -> Transfer:
    fields: dict[str, Any] = dict(row)
    currency = fields.pop("currency")
    amount = Money(fields.pop("amount_minor"), currency)
    netted = Money(fields.pop("netted_minor"), currency)
    return Transfer(**fields, amount=amount, netted=netted)


def _reversal(row: asyncpg.Record) -> Reversal:
    fields: dict[str, Any] = dict(row)
    amount = Money(fields.pop("amount_minor"), fields.pop("currency"))
    return Reversal(**fields, amount=amount)
