"""Workers that may die at any call to Stripe, and the trouble that a call can meet there."""

from __future__ import annotations

from random import Random

from services.payments.domain.operations import Refused
from services.payments.domain.requests import Request
from services.payments.domain.seen import Seen
from services.payments.gateway.calls import StripeGateway

DYING = 0.12
"""How likely a worker dies at a place where it can."""
FAULTS = ("timeout_before", "timeout_after", "500_before", "500_after", "429", "reset",
          "reset_after")  # fmt: skip
CALLS = (
    "/v1/checkout/sessions",
    "/v1/checkout/sessions/*",
    "/v1/refunds",
    "/v1/transfers",
    "/v1/*",
)
HURRY = (
    "UPDATE operations SET next_try_at = now(), lease_until = NULL"
    " WHERE state IN ('planned', 'sent')",
    "UPDATE webhooks SET next_try_at = now() WHERE state = 'waiting'",
)
"""Ends every wait of calls and notices for their next try (system time)."""


class Died(BaseException):
    """The worker is gone, without a word."""


class MortalGateway(StripeGateway):
    """Calls Stripe for workers that may die just before a call or just after it."""

    dice: Random | None = None

    async def perform(self, request: Request, key: str) -> Seen | Refused:
        """Make a call, unless the worker dies."""
        self._perhaps_die()
        answer = await super().perform(request, key)
        self._perhaps_die()
        return answer

    def _perhaps_die(self) -> None:
        if self.dice and self.dice.random() < DYING:
            raise Died
