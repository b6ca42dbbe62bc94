"""Receipts of people who pay, and statements of mentors: to see, and to keep as files."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Ask, Service
from web.paper_shapes import Receipt, Statement, Year
from web.routes import ID, Row, see
from web.shapes import Page
from web.visit import Visit

ROWS_SHOWN = 50
_PDF, _CSV = "application/pdf", "text/csv"


async def receipts(visit: Visit) -> web.Response:
    """Show receipts and credit notes, newest first."""
    found = await visit.read(
        Service.PAYMENTS,
        "/v1/me/receipts",
        Page[Receipt],
        limit=ROWS_SHOWN,
        cursor=visit.query("cursor"),
    )
    return visit.page("receipts.html", found=found)


async def statements(visit: Visit) -> web.Response:
    """Show a mentor's statements, and the figures of one year."""
    asked = visit.query("year")
    # Which year has figures `payments` knows: without one, it shows the latest.
    year = {"year": int(asked)} if len(asked) == len("2030") and asked.isdecimal() else {}
    found, figures = await asyncio.gather(
        visit.read(
            Service.PAYMENTS,
            "/v1/me/statements",
            Page[Statement],
            limit=ROWS_SHOWN,
            cursor=visit.query("cursor"),
        ),
        visit.read(Service.PAYMENTS, "/v1/me/yearly-summary", Year, **year),
    )
    return visit.page("statements.html", found=found, figures=figures)


async def receipt_file(visit: Visit) -> web.Response:
    """Hand out a receipt as it is printed."""
    path = f"/v1/receipts/{visit.part('document_id')}/receipt.pdf"
    return await _file(visit, Ask("GET", path), "receipt.pdf", _PDF)


async def statement_pdf(visit: Visit) -> web.Response:
    """Hand out a statement as it is printed."""
    path = f"/v1/statements/{visit.part('statement_id')}/statement.pdf"
    return await _file(visit, Ask("GET", path), "statement.pdf", _PDF)


async def statement_csv(visit: Visit) -> web.Response:
    """Hand out a statement as a table."""
    path = f"/v1/statements/{visit.part('statement_id')}/statement.csv"
    return await _file(visit, Ask("GET", path), "statement.csv", _CSV)


async def year_csv(visit: Visit) -> web.Response:
    """Hand out the figures of a year as a table."""
    year = visit.part("year")
    ask = Ask("GET", "/v1/me/yearly-summary/summary.csv", query={"year": year})
    return await _file(visit, ask, f"year-{year}.csv", _CSV)


async def _file(visit: Visit, ask: Ask, name: str, kind: str) -> web.Response:
    answer = await visit.ask(Service.PAYMENTS, ask)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=answer.content, content_type=kind, headers=headers)


ROUTES: tuple[Row, ...] = (
    see("/receipts", receipts),
    see(f"/receipts/{{document_id:{ID}}}/receipt.pdf", receipt_file),
    see("/statements", statements),
    see(f"/statements/{{statement_id:{ID}}}/statement.pdf", statement_pdf),
    see(f"/statements/{{statement_id:{ID}}}/statement.csv", statement_csv),
    see("/statements/year/{year:[0-9]{4}}.csv", year_csv),
)
