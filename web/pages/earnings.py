"""What a mentor earned, by order, and what reached the bank."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service
from web.pages.chart import charts
from web.routes import Row, see
from web.shapes import AllEarnings, EarningsOrder, Page, Payout
from web.visit import Visit

ROWS_SHOWN = 50


async def earnings(visit: Visit) -> web.Response:
    """Show totals, orders and payouts."""
    totals, orders, payouts = await asyncio.gather(
        visit.read(Service.PAYMENTS, "/v1/me/earnings", AllEarnings),
        visit.read(
            Service.PAYMENTS,
            "/v1/me/earnings/orders",
            Page[EarningsOrder],
            limit=ROWS_SHOWN,
            cursor=visit.query("cursor"),
        ),
        visit.read(Service.PAYMENTS, "/v1/me/payouts", Page[Payout], limit=ROWS_SHOWN),
    )
    return visit.page(
        "earnings.html",
        totals=totals.totals,
        orders=orders,
        payouts=payouts.items,
        charts=charts(orders.items, visit.zone),
    )


ROUTES: tuple[Row, ...] = (see("/earnings", earnings),)
