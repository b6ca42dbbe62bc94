"""Every kind of call to Stripe by its name."""

from __future__ import annotations

from services.payments.domain.requests import REQUESTS as _ABOUT_MONEY
from services.payments.domain.requests import Request
from services.payments.domain.subscription_calls import SUBSCRIPTION_REQUESTS

REQUESTS: dict[str, type[Request]] = {
    **_ABOUT_MONEY,
    **{request.kind: request for request in SUBSCRIPTION_REQUESTS},
}
