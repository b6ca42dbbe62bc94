"""SQL for plans, the subscriptions to them, and their invoices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.payments.domain.subscriptions import MentoringPlan, Subscription, Wish
from shared.db import Connection
from shared.money import Money

INSERT_PLAN = """
INSERT INTO plans (plan_id, mentor_id, offering_id, sessions, unit_minor, currency, offered)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_PLAN = "SELECT plan_id, mentor_id, offering_id, sessions, unit_minor, currency, offered FROM plans"
PLAN = f"{_PLAN} WHERE plan_id = $1"
PLANS = f"{_PLAN} WHERE plan_id = ANY($1::uuid[])"
PLANS_OF = f"{_PLAN} WHERE mentor_id = $1 AND offered ORDER BY plan_id"
WITHDRAW_PLAN = "UPDATE plans SET offered = false WHERE plan_id = $1"
INSERT_SUBSCRIPTION = """
INSERT INTO subscriptions (subscription_id, plan_id, mentor_id, mentee_id,
    platform_share_basis_points, release_delay_seconds, begun_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (mentee_id, mentor_id)
    WHERE state IN ('being_prepared', 'open', 'active', 'past_due') DO NOTHING
RETURNING subscription_id
"""
SAVE_SUBSCRIPTION = """
UPDATE subscriptions SET plan_id = $2, state = $3, checkout_id = $4, checkout_url = $5,
    stripe_subscription_id = $6, item_id = $7, product_id = $8, period_end = $9, paused = $10,
    ending = $11, wish_paused = $12, wish_ending = $13, wish_plan_id = $14, wish_end_now = $15,
    wish_by = $16, invoice_url = $17, next_attempt_at = $18, ended_at = $19, ended_because = $20,
    look_at = $21, version = $22, shown_at = $23, resting = $24, wish_resting = $25
WHERE subscription_id = $1
"""
_SUBSCRIPTION = """
SELECT subscription_id, plan_id, mentor_id, mentee_id, platform_share_basis_points,
    release_delay_seconds, begun_at, state, checkout_id, checkout_url, stripe_subscription_id,
    item_id, product_id, period_end, paused, ending, wish_paused, wish_ending, wish_plan_id,
    wish_end_now, wish_by, invoice_url, next_attempt_at, ended_at, ended_because, look_at, version,
    shown_at, resting, wish_resting
FROM subscriptions
"""
SUBSCRIPTION = f"{_SUBSCRIPTION} WHERE subscription_id = $1"
LOCK_SUBSCRIPTION = f"{_SUBSCRIPTION} WHERE subscription_id = $1 FOR UPDATE"
LIVE_BETWEEN = f"""
{_SUBSCRIPTION} WHERE mentee_id = $1 AND mentor_id = $2
    AND state IN ('being_prepared', 'open', 'active', 'past_due')
"""
SUBSCRIPTIONS_OF = f"""
{_SUBSCRIPTION} WHERE (mentee_id = $1 OR mentor_id = $1)
    AND state IN ('active', 'past_due', 'ended') AND ($2::uuid IS NULL OR subscription_id < $2)
ORDER BY subscription_id DESC LIMIT $3
"""
FIND = f"""
{_SUBSCRIPTION} WHERE ($1::uuid IS NULL OR mentee_id = $1 OR mentor_id = $1)
    AND ($2::uuid IS NULL OR subscription_id < $2)
ORDER BY subscription_id DESC LIMIT $3
"""
NEXT_TO_LOOK_AT = """
SELECT subscription_id FROM subscriptions WHERE look_at <= $1
ORDER BY look_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
SAVE_INVOICE = """
INSERT INTO plan_invoices (stripe_invoice_id, subscription_id, order_id, state, attempts, settled,
    created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (stripe_invoice_id) DO UPDATE SET order_id = excluded.order_id,
    state = excluded.state, attempts = excluded.attempts, settled = excluded.settled
"""
INVOICE = """
SELECT stripe_invoice_id, subscription_id, order_id, state, attempts, settled, created_at
FROM plan_invoices WHERE stripe_invoice_id = $1
"""
INVOICES_OF = """
SELECT stripe_invoice_id, subscription_id, order_id, state, attempts, settled, created_at
FROM plan_invoices WHERE subscription_id = $1 ORDER BY created_at DESC, stripe_invoice_id LIMIT $2
"""
READ_FROM = """
SELECT COALESCE(min(created_at) FILTER (WHERE NOT settled), max(created_at))
FROM plan_invoices WHERE subscription_id = $1
"""
HAS_DRAFT = """
SELECT EXISTS (SELECT 1 FROM plan_invoices WHERE subscription_id = $1 AND state = 'draft')
"""
SUBSCRIPTION_OF_ORDER = "SELECT subscription_id FROM plan_invoices WHERE order_id = $1"
UNUSED = """
SELECT i.order_id, l.remaining, l.unit_minor, l.currency
FROM plan_invoices AS i JOIN lots AS l ON l.purchase_id = i.order_id
WHERE i.subscription_id = $1 AND l.remaining > 0 AND l.owner_id = l.buyer_id
    AND (l.expires_at > $2 OR l.lot_id IN (SELECT lot_id FROM resting_lots))
    AND NOT EXISTS (
        SELECT FROM disputes AS d
        WHERE d.order_id = i.order_id AND d.state IN ('needs_response', 'under_review', 'lost')
    )
ORDER BY i.order_id
"""
PAID_MONTHS = """
SELECT o.order_id, o.paid_at, o.price_minor, o.currency, l.sessions, l.remaining, l.expires_at
FROM plan_invoices AS i JOIN orders AS o ON o.order_id = i.order_id
JOIN lots AS l ON l.purchase_id = i.order_id
WHERE i.subscription_id = $1 ORDER BY o.paid_at DESC, o.order_id LIMIT $2
"""


@dataclass(frozen=True)
class Invoice:
    """An invoice as it was followed last."""

    stripe_invoice_id: str
    subscription_id: UUID
    order_id: UUID | None
    state: str
    attempts: int
    settled: bool
    created_at: datetime


@dataclass(frozen=True)
class Unused:
    """Sessions of one month that are not booked and good."""

    order_id: UUID
    sessions: int
    worth: Money


@dataclass(frozen=True)
class Month:
    """A month that was paid, and how many of its sessions are left."""

    order_id: UUID
    paid_at: datetime
    price: Money
    sessions: int
    remaining: int
    good_until: datetime


async def add_plan(conn: Connection, plan: MentoringPlan) -> None:
    """Store a new plan."""
    await conn.execute(
        INSERT_PLAN,
        plan.plan_id,
        plan.mentor_id,
        plan.offering_id,
        plan.sessions,
        plan.unit.minor,
        plan.unit.currency,
        plan.offered,
    )


async def load_plan(conn: Connection, plan_id: UUID) -> MentoringPlan | None:
    """Return a plan."""
    row = await conn.fetchrow(PLAN, plan_id)
    return _plan(row) if row else None


async def load_plans(conn: Connection, plan_ids: Sequence[UUID]) -> dict[UUID, MentoringPlan]:
    """Return several plans by id."""
    found = [_plan(row) for row in await conn.fetch(PLANS, list(plan_ids))]
    return {plan.plan_id: plan for plan in found}


async def plans_of(conn: Connection, mentor_id: UUID) -> list[MentoringPlan]:
    """Return the plans a mentor offers, oldest first."""
    return [_plan(row) for row in await conn.fetch(PLANS_OF, mentor_id)]


async def withdraw_plan(conn: Connection, plan_id: UUID) -> None:
    """Offer a plan no more."""
    await conn.execute(WITHDRAW_PLAN, plan_id)


async def add_subscription(conn: Connection, subscription: Subscription) -> bool:
    """Store a new subscription unless the two have one; return whether it is new."""
    added = await conn.fetchval(
        INSERT_SUBSCRIPTION,
        subscription.subscription_id,
        subscription.plan_id,
        subscription.mentor_id,
        subscription.mentee_id,
        subscription.platform_share_basis_points,
        round(subscription.release_delay.total_seconds()),
        subscription.begun_at,
        subscription.state,
    )
    return added is not None


async def save_subscription(conn: Connection, subscription: Subscription) -> None:
    """Store what changes of a subscription that is locked."""
    wish = subscription.wish
    await conn.execute(
        SAVE_SUBSCRIPTION,
        subscription.subscription_id,
        subscription.plan_id,
        subscription.state,
        subscription.checkout_id,
        subscription.checkout_url,
        subscription.stripe_subscription_id,
        subscription.item_id,
        subscription.product_id,
        subscription.period_end,
        subscription.paused,
        subscription.ending,
        wish.paused,
        wish.ending,
        wish.plan_id,
        wish.end_now,
        wish.by,
        subscription.invoice_url,
        subscription.next_attempt_at,
        subscription.ended_at,
        subscription.ended_because,
        subscription.look_at,
        subscription.version,
        subscription.shown_at,
        subscription.resting,
        wish.resting,
    )


async def load_subscription(conn: Connection, subscription_id: UUID) -> Subscription | None:
    """Return a subscription as it stands."""
    row = await conn.fetchrow(SUBSCRIPTION, subscription_id)
    return _subscription(row) if row else None


async def lock_subscription(conn: Connection, subscription_id: UUID) -> Subscription | None:
    """Return a subscription, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_SUBSCRIPTION, subscription_id)
    return _subscription(row) if row else None


async def live_between(conn: Connection, mentee_id: UUID, mentor_id: UUID) -> Subscription | None:
    """Return the subscription of a mentee to a mentor's plan that is not over."""
    row = await conn.fetchrow(LIVE_BETWEEN, mentee_id, mentor_id)
    return _subscription(row) if row else None


async def subscriptions_of(
    conn: Connection, person_id: UUID, before: UUID | None, limit: int
) -> list[Subscription]:
    """Return somebody's subscriptions, on either side, newest first."""
    rows = await conn.fetch(SUBSCRIPTIONS_OF, person_id, before, limit)
    return [_subscription(row) for row in rows]


async def find_subscriptions(
    conn: Connection, person_id: UUID | None, before: UUID | None, limit: int
) -> list[Subscription]:
    """Return subscriptions in any state, of everybody or of a person, newest first."""
    rows = await conn.fetch(FIND, person_id, before, limit)
    return [_subscription(row) for row in rows]


async def next_to_look_at(conn: Connection, now: datetime) -> UUID | None:
    """Return and lock the subscription that must be looked at first, if one is due."""
    return await conn.fetchval(NEXT_TO_LOOK_AT, now)


async def save_invoice(conn: Connection, invoice: Invoice) -> None:
    """Store an invoice as it was followed."""
    await conn.execute(
        SAVE_INVOICE,
        invoice.stripe_invoice_id,
        invoice.subscription_id,
        invoice.order_id,
        invoice.state,
        invoice.attempts,
        invoice.settled,
        invoice.created_at,
    )


async def load_invoice(conn: Connection, stripe_invoice_id: str) -> Invoice | None:
    """Return an invoice as it was followed last."""
    row = await conn.fetchrow(INVOICE, stripe_invoice_id)
    return Invoice(**dict(row)) if row else None


async def invoices_of(conn: Connection, subscription_id: UUID, limit: int) -> list[Invoice]:
    """Return the last invoices of a subscription, the newest first."""
    rows = await conn.fetch(INVOICES_OF, subscription_id, limit)
    return [Invoice(**dict(row)) for row in rows]


async def read_from(conn: Connection, subscription_id: UUID) -> datetime | None:
    """Return from when on invoices may have changed; none when none is known."""
    return await conn.fetchval(READ_FROM, subscription_id)


async def has_draft(conn: Connection, subscription_id: UUID) -> bool:
    """Return whether an invoice is known that is not final yet."""
    return bool(await conn.fetchval(HAS_DRAFT, subscription_id))


async def subscription_of_order(conn: Connection, order_id: UUID) -> UUID | None:
    """Return the subscription that a purchase is a month of."""
    return await conn.fetchval(SUBSCRIPTION_OF_ORDER, order_id)


async def unused_of(conn: Connection, subscription_id: UUID, now: datetime) -> list[Unused]:
    """Return what is not booked of the months of a subscription that no bank disputes."""
    return [
        Unused(
            row["order_id"],
            row["remaining"],
            Money(row["remaining"] * row["unit_minor"], row["currency"]),
        )
        for row in await conn.fetch(UNUSED, subscription_id, now)
    ]


async def paid_months(conn: Connection, subscription_id: UUID, limit: int) -> list[Month]:
    """Return the months that were paid, the last one first."""
    return [
        Month(
            row["order_id"],
            row["paid_at"],
            Money(row["price_minor"], row["currency"]),
            row["sessions"],
            row["remaining"],
            row["expires_at"],
        )
        for row in await conn.fetch(PAID_MONTHS, subscription_id, limit)
    ]


def _plan(row: asyncpg.Record) -> MentoringPlan:
    fields: dict[str, Any] = dict(row)
    unit = Money(fields.pop("unit_minor"), fields.pop("currency"))
    return MentoringPlan(**fields, unit=unit)


def _subscription(row: asyncpg.Record) -> Subscription:
    fields: dict[str, Any] = dict(row)
    delay = timedelta(seconds=fields.pop("release_delay_seconds"))
    names = ("paused", "ending", "resting", "plan_id", "end_now", "by")
    wish = Wish(**{name: fields.pop(f"wish_{name}") for name in names})
    return Subscription(**fields, release_delay=delay, wish=wish)
