"""Refusals in Stripe's own shape (https://docs.stripe.com/api/errors).

A handler raises one of these; the dispatcher turns it into the error envelope. The messages follow
Stripe's wording, because people meet them in logs and search for them.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A JSON object as Stripe sends it; its shape is checked against Stripe's schema by the tests."""


class StripeError(Exception):
    """An answer other than success: HTTP status and the content of the error envelope."""

    def __init__(self, status: int, kind: str, message: str, **details: Any) -> None:
        """Hold the envelope; `details` are code, param, decline_code and the like."""
        super().__init__(message)
        self.status = status
        self.error: Json = {"type": kind, "message": message, **details}
        self.headers: dict[str, str] = {}

    def body(self, request_id: str) -> Json:
        """Return the error envelope."""
        code = self.error.get("code")
        page = f"https://stripe.com/docs/error-codes/{str(code).replace('_', '-')}"
        doc = {"doc_url": page} if code else {}
        log = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**self.error, **doc, "request_log_url": log}}


class InvalidParameters(StripeError):
    """The request failed validation before anything was executed (its key is not stored)."""

    def __init__(self, message: str, **details: Any) -> None:
        """Hold a 400 of type `invalid_request_error`."""
        super().__init__(400, "invalid_request_error", message, **details)


def invalid(message: str, **details: Any) -> StripeError:
    """Refuse during execution: 400, `invalid_request_error`."""
    return StripeError(400, "invalid_request_error", message, **details)


def missing(kind: str, identifier: str, *, param: str | None = None) -> StripeError:
    """Refuse an unknown object: 404 when it is the one addressed, 400 when named by a parameter."""
    return StripeError(
        400 if param else 404,
        "invalid_request_error",
        f"No such {kind}: '{identifier}'",
        code="resource_missing",
        param=param or "id",
    )


def no_access(account: str, key: str = "sk_test_****") -> StripeError:
    """Refuse to speak of an account that was closed, was disconnected, or never was."""
    return StripeError(
        403,
        "invalid_request_error",
        f"The provided key '{key}' does not have access to account '{account}' (or that account "
        "does not exist). Application access may have been revoked.",
        code="account_invalid",
    )


def insufficient_balance() -> StripeError:
    """Refuse to move more than the available balance."""
    return invalid(
        "You have insufficient available funds in your Stripe account. Try adding funds directly "
        "to your available balance by creating Charges using the 4000000000000077 test card. "
        "See: https://stripe.com/docs/testing#available-balance",
        code="balance_insufficient",
    )
