"""The schema and the statements: each one fits the other."""

from __future__ import annotations

import pytest

from services.notifications import store
from shared.db import Pool

STATEMENTS = sorted(
    name for name in vars(store) if name.isupper() and isinstance(getattr(store, name), str)
)


@pytest.mark.parametrize("name", [name for name in STATEMENTS if not name.startswith("_")])
async def test_every_statement_fits_the_schema(pool: Pool, name: str):
    """PostgreSQL accepts each statement as the runtime role."""
    async with pool.acquire() as conn:
        await conn.prepare(getattr(store, name))


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
