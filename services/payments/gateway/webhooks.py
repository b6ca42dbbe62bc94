"""Whether a webhook is from Stripe, and what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import stripe

from services.payments.domain.seen import EventSeen
from services.payments.gateway.shapes import read_event
from shared.clock import system_now, to_epoch_seconds

SIGNATURE_TOLERANCE = timedelta(minutes=5)


class SignatureInvalid(Exception):
    """The webhook is not from Stripe, was altered, is too old, or comes from the future."""


def verify_webhook(raw: bytes, signature: str | None, secrets: Sequence[str]) -> EventSeen:
    """Return the event in a webhook; raises `SignatureInvalid`.

    The SDK looks at the past only, so the future is refused here; both by the system clock.
    """
    if not any(_signed(raw, signature, secret) for secret in secrets):
        raise SignatureInvalid
    if _sent_at(signature or "") > to_epoch_seconds(system_now() + SIGNATURE_TOLERANCE):
        raise SignatureInvalid
    try:
        return read_event(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SignatureInvalid from None


def _signed(raw: bytes, signature: str | None, secret: str) -> bool:
    seconds = int(SIGNATURE_TOLERANCE.total_seconds())
    try:
        stripe.WebhookSignature.verify_header(raw, signature, secret, seconds)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _sent_at(signature: str) -> int:
    """Return the seconds of the first `t=`, which the SDK has verified."""
    parts = (part.partition("=") for part in signature.split(","))
    return next(int(value) for name, _, value in parts if name == "t")
