"""Identifiers in Stripe's shapes: a prefix that names the kind, then letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits
_LENGTHS = {"acct": 16, "cus": 14, "req": 14, "cs_test": 58}
_LENGTH_DEFAULT = 24

KIND_OF_PREFIX = {
    "acct": "account",
    "ba": "bank_account",
    "ch": "charge",
    "cs": "checkout.session",
    "cus": "customer",
    "du": "dispute",
    "evt": "event",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "po": "payout",
    "price": "price",
    "prod": "product",
    "py": "charge",
    "re": "refund",
    "sub": "subscription",
    "pyr": "refund",
    "tr": "transfer",
    "trr": "transfer_reversal",
    "txn": "balance_transaction",
    "we": "webhook_endpoint",
}


def new_id(prefix: str) -> str:
    """Return a fresh identifier such as `ch_1a2B…`."""
    length = _LENGTHS.get(prefix, _LENGTH_DEFAULT)
    letters = (_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))
    return f"{prefix}_{''.join(letters)}"


def kind_of(identifier: str) -> str | None:
    """Return the object kind an identifier speaks of, or None when it is no identifier."""
    prefix, separator, _ = identifier.partition("_")
    return KIND_OF_PREFIX.get(prefix) if separator else None
