"""The platform's terms, for the routes that say what a purchase would freeze of them."""

from __future__ import annotations

from aiohttp import web

from services.payments.domain.orders import Terms
from shared.web import Call

TERMS = web.AppKey("payments_terms", Terms)
"""Where the wiring puts them."""


def terms_of(call: Call) -> Terms:
    """Return the terms of now."""
    return call.request.app[TERMS]
