"""The schema and the statements: each one fits the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest

import services.notifications
from services.notifications.store import gauges, messages, orders, people
from shared.db import Pool
from shared.ids import new_id
from tests.engines import Database

MIGRATIONS = Path(services.notifications.__file__).parent / "migrations"

STATEMENTS = [
    (module, name)
    for module in (gauges, messages, orders, people)
    for name, value in sorted(vars(module).items())
    if name.isupper() and not name.startswith("_") and isinstance(value, str)
]


@pytest.mark.parametrize(
    ("module", "name"), STATEMENTS, ids=lambda each: getattr(each, "__name__", each)
)
async def test_every_statement_fits_the_schema(pool: Pool, module: ModuleType, name: str):
    """PostgreSQL accepts each statement as the runtime role."""
    async with pool.acquire() as conn:
        await conn.prepare(getattr(module, name))


BEFORE_SESSIONS = """
INSERT INTO sessions (order_id, session_id, mentor_id, mentee_id, title, starts_at, ends_at, state,
                      calendar_sequence, mentee_reviewed, version)
VALUES ($1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'Career talk', now(), now(),
        'completed', 1, true, 7)
"""
OWED_BEFORE = """
INSERT INTO messages (message_id, person_id, channel, kind, cause, order_id, planned_at)
VALUES (gen_random_uuid(), gen_random_uuid(), 'mail', 'review_wanted', 'x', $1, now())
"""


async def test_what_was_known_before_purchases_had_several_sessions_is_kept(
    database: Callable[..., Awaitable[Database]],
):
    """The migration leaves each purchase with its one session and what is owed about it."""
    own, order_id = await database("notifications"), new_id()
    conn = await asyncpg.connect(own.superuser_url)
    try:
        # The kit's views are found in the service's schema, everything else is made anew.
        await conn.execute("CREATE SCHEMA before; SET search_path = before, notifications")
        first, second, third = sorted(MIGRATIONS.glob("*.sql"))[:3]
        await conn.execute(first.read_text())
        await conn.execute(second.read_text())
        await conn.execute(BEFORE_SESSIONS, order_id)
        await conn.execute(OWED_BEFORE, order_id)
        await conn.execute(third.read_text())
        kept = (await orders.read_orders(conn, [order_id]))[order_id]
        assert (kept.title, kept.version, kept.free) == ("Career talk", 7, False)
        (session,) = kept.sessions
        assert (session.state, session.calendar_sequence) == ("completed", 1)
        assert (session.mentee_reviewed, session.mentor_reviewed) == (True, False)
        steps = await conn.fetch("SELECT order_id FROM saga_steps WHERE order_id = $1", order_id)
        assert len(steps) == 1
    finally:
        await conn.close()


@pytest.mark.parametrize(
    ("view", "columns"),
    [
        ("due", {"kind": "text", "subject": "text", "due_at": "timestamp with time zone"}),
        ("in_flight", {"kind": "text", "subject": "text", "since": "timestamp with time zone"}),
    ],
)
async def test_the_views_that_others_rest_on_have_their_columns(
    pool: Pool, view: str, columns: dict[str, str]
):
    """The launcher's clock, ops and metrics read these views in every schema."""
    rows = await pool.fetch(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'notifications' AND table_name = $1",
        view,
    )
    assert {row["column_name"]: row["data_type"] for row in rows} == columns


SAID_BEFORE = """
INSERT INTO messages (message_id, person_id, channel, kind, cause, planned_at, details)
VALUES (gen_random_uuid(), gen_random_uuid(), 'feed', $1, 'x', now(), '{"reason": "Eulalia"}')
"""
WORDS_STAY = MIGRATIONS / "0004_words_stay.sql"


async def test_what_people_wrote_before_is_not_kept(
    database: Callable[..., Awaitable[Database]],
):
    """The migration leaves that there was a reason; codes of ours and of Stripe's stay."""
    own = await database("notifications")
    conn = await asyncpg.connect(own.superuser_url)
    try:
        await conn.execute("SET search_path = notifications")
        await conn.execute("ALTER TABLE sessions ADD COLUMN cancel_reason text")
        for kind in ("move_proposed", "objection_raised", "objection_settled", "payout_failed"):
            await conn.execute(SAID_BEFORE, kind)
        await conn.execute(WORDS_STAY.read_text())
        kept = dict(await conn.fetch("SELECT kind, details::text FROM messages"))
    finally:
        await conn.close()
    assert [kind for kind, details in kept.items() if "Eulalia" in details] == ["payout_failed"]
    assert kept["move_proposed"] == '{"reason_given": 1}'
