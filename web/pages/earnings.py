"""What a mentor earned, by month and by order, and what reached the bank."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service
from web.earning_shapes import AllEarnings, EarnedMonths, EarningsOrder, Payout
from web.pages.chart import charts
from web.recovery_shapes import Owing
from web.routes import Row, see
from web.shapes import Account, Page
from web.visit import Visit

ROWS_SHOWN = 50


async def earnings(visit: Visit) -> web.Response:
    """Show totals, months, orders and payouts; the two lists turn their pages alone."""
    older = {name: visit.query(name) for name in ("cursor", "payouts") if visit.query(name)}
    totals, months, orders, payouts, owing, account = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/earnings", AllEarnings),
        visit.read(Service.PAYMENTS, "/v1/me/earnings/months", EarnedMonths),
        visit.read(
            Service.PAYMENTS,
            "/v1/me/earnings/orders",
            Page[EarningsOrder],
            limit=ROWS_SHOWN,
            cursor=older.get("cursor", ""),
        ),
        visit.read(
            Service.PAYMENTS,
            "/v1/me/payouts",
            Page[Payout],
            limit=ROWS_SHOWN,
            cursor=older.get("payouts", ""),
        ),
        visit.read(Service.PAYMENTS, "/v1/me/debts", Owing),
        visit.read(Service.PAYMENTS, "/v1/me/account", Account),
    )
    return visit.page(
        "earnings.html",
        earned=totals,
        charts=charts(months.items),
        orders=orders,
        payouts=payouts,
        owing=owing,
        account=account,
        older=older,
    )


ROUTES: tuple[Row, ...] = (see("/earnings", earnings),)
