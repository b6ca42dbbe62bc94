"""How a page says at which address it is, who may see it, and what to show when its form fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from web.visit import Visit

Page = Callable[[Visit], Awaitable[web.Response]]
ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""The form of an identifier in a path; nothing else is passed on to a service."""


@dataclass(frozen=True)
class Row:
    """One address. `again` is the page that a failed form is shown on, with what was typed."""

    method: str
    path: str
    page: Page
    signed_in: bool = True
    again: Page | None = None


def see(path: str, page: Page) -> Row:
    """Return the row of a page for signed-in people."""
    return Row("GET", path, page)


def open_to_all(path: str, page: Page) -> Row:
    """Return the row of a page for everybody."""
    return Row("GET", path, page, signed_in=False)


def do(path: str, page: Page, again: Page, *, signed_in: bool = True) -> Row:
    """Return the row of a form."""
    return Row("POST", path, page, signed_in, again)
