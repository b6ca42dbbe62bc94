"""The operators' console, on the books: the balances of a day, and what Stripe says of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from aiohttp import web

from web.book_shapes import BalanceLine, Reconciliation
from web.client import Service
from web.routes import Row, see
from web.shapes import Page
from web.visit import Visit

TRIAL_BALANCE = "/v1/operator/ledger/trial-balance"
RECONCILIATION = "/v1/operator/ledger/reconciliation"


async def ledger(visit: Visit) -> web.Response:
    """Show every account, now or at the end of a day, and that each currency sums to zero."""
    day = _day(visit.query("at"))
    query = f"?{urlencode({'before': _end_of(day).isoformat()})}" if day else ""
    found = await visit.read(Service.PAYMENTS, TRIAL_BALANCE + query, Page[BalanceLine])
    sums: Counter[str] = Counter()
    for line in found.items:
        sums[line.currency] += line.amount_minor
    return visit.page("operator_ledger.html", lines=found.items, sums=sums, day=day)


async def reconciliation(visit: Visit) -> web.Response:
    """Show where the ledger and Stripe's list say different amounts, and what explains it."""
    found = await visit.read(Service.PAYMENTS, RECONCILIATION, Reconciliation)
    return visit.page("operator_reconciliation.html", found=found)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


ROUTES: tuple[Row, ...] = (
    see("/operator/ledger", ledger),
    see("/operator/reconciliation", reconciliation),
)
