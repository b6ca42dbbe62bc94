"""Light or dark: a choice of the browser, not of the account."""

from __future__ import annotations

from aiohttp import web

from web.client import wrong_fields
from web.forms import safe_path
from web.pages.searching import search
from web.routes import Row, do
from web.visit import THEME_COOKIE, THEMES, Visit


async def choose(visit: Visit) -> web.Response:
    """Remember the appearance and go back to the page it was chosen on."""
    theme = visit.form.text("theme")
    if theme not in THEMES:
        raise wrong_fields(theme="Choose system, light or dark.")
    response = visit.go(safe_path(visit.form.text("next")), visit.session.notice)
    visit.remember(response, THEME_COOKIE, theme)
    return response


ROUTES: tuple[Row, ...] = (do("/theme", choose, search, signed_in=False),)
