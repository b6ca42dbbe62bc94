"""Stripe's lists, the newest first: searched page by page, or read for a while and then gone on."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from services.payments.gateway.shapes import Json
from shared.clock import monotonic_seconds

PAGE = 100
PAGES_AT_MOST = 20
READ_FOR_SECONDS = 6.0
"""How long a call goes on to another page. The last one may still need all its tries, and the call
must end by itself: what it read counts, and the next call goes on from there."""


class SearchTooLong(Exception):
    """Looking for an effect would read too much to prove its absence."""


async def stretch(
    list_page: Callable[..., Awaitable[Any]], params: Json, options: Any
) -> tuple[list[Json], bool]:
    """Read a list for a while; return what was read, and whether that is all."""
    rows: list[Json] = []
    until = monotonic_seconds() + READ_FOR_SECONDS
    try:
        async for row in pages(list_page, params, options, until):
            rows.append(row)
    except SearchTooLong:
        return rows, False
    return rows, True


async def pages(
    list_page: Callable[..., Awaitable[Any]],
    params: Json,
    options: Any = None,
    until: float = math.inf,
) -> AsyncGenerator[Json]:
    """Give what a list holds, the newest first; raises `SearchTooLong` before it is too long."""
    after: Json = {}
    for _ in range(PAGES_AT_MOST):
        page = (await list_page({**params, **after, "limit": PAGE}, options or {})).to_dict()
        for item in page["data"]:
            yield item
        if not page["has_more"]:
            return
        if monotonic_seconds() > until:
            break
        after = {"starting_after": page["data"][-1]["id"]}
    raise SearchTooLong
