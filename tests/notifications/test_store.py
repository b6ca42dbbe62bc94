"""The schema and the statements: each one fits the other."""

from __future__ import annotations

from types import ModuleType

import pytest

from services.notifications.store import gauges, messages, orders, people
from shared.db import Pool

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
