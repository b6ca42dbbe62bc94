"""All routes of `payments`."""

from __future__ import annotations

from services.payments.api import (
    accounts,
    amends,
    disputes,
    documents,
    fees,
    giving,
    mending,
    operators,
    orders,
    packages,
    plans,
    promotions,
    quotes,
    refunding,
    statements,
    steering,
    subscribers,
    subscriptions,
    watching,
    webhooks,
)
from services.payments.api import credits as purchases
from shared.web import Api
from shared.web.operators import add_operator_routes


def build_api() -> Api:
    """Return the API of this service."""
    api = Api("Mentorium payments")
    for topic in (
        accounts,
        orders,
        packages,
        plans,
        purchases,
        giving,
        subscriptions,
        subscribers,
        steering,
        quotes,
        promotions,
        amends,
        fees,
        operators,
        mending,
        refunding,
        disputes,
        documents,
        statements,
        watching,
        webhooks,
    ):
        topic.add_routes(api)
    add_operator_routes(api)
    return api
