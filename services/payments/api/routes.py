"""All routes of `payments`."""

from __future__ import annotations

from services.payments.api import accounts, operators, orders, webhooks
from shared.web import Api


def build_api() -> Api:
    """Return the API of this service."""
    api = Api("Mentorium payments")
    for topic in (accounts, orders, operators, webhooks):
        topic.add_routes(api)
    return api
