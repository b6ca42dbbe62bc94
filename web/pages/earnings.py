"""What a mentor earned, by order, and what reached the bank."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service
from web.pages.chart import charts
from web.recovery_shapes import Owing
from web.routes import Row, see
from web.shapes import Account, AllEarnings, EarningsOrder, Page, Payout
from web.visit import Visit

ROWS_SHOWN = 50


async def earnings(visit: Visit) -> web.Response:
    """Show totals, orders and payouts."""
    cursor = visit.query("cursor")
    totals, orders, payouts, owing, account = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/earnings", AllEarnings),
        visit.read(
            Service.PAYMENTS,
            "/v1/me/earnings/orders",
            Page[EarningsOrder],
            limit=ROWS_SHOWN,
            cursor=cursor,
        ),
        visit.read(Service.PAYMENTS, "/v1/me/payouts", Page[Payout], limit=ROWS_SHOWN),
        visit.read(Service.PAYMENTS, "/v1/me/debts", Owing),
        visit.read(Service.PAYMENTS, "/v1/me/account", Account),
    )
    return visit.page(
        "earnings.html",
        totals=totals.totals,
        orders=orders,
        payouts=payouts.items,
        owing=owing,
        account=account,
        charts=charts(orders.items, visit.zone, None if cursor else visit.now),
    )


ROUTES: tuple[Row, ...] = (see("/earnings", earnings),)
