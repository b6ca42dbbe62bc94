"""Stored answers: the same key and parameters get the same answer (https://docs.stripe.com/api/idempotent_requests).

Stored is whatever came of a request that began to execute, 500s included; not what failed
validation, was rate limited, or met its own twin. Keys are forgotten after 24 hours of the
business clock.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from simulators.stripe.act import Act
from simulators.stripe.errors import Json, StripeError

KEY_LIFETIME_SECONDS = 24 * 60 * 60
KEY_CHARS_MAX = 255


@dataclass(frozen=True)
class Asked:
    """What a key stands for: the endpoint and a fingerprint of the parameters."""

    path: str
    fingerprint: str


@dataclass(frozen=True)
class Answer:
    """A stored answer and the request that first got it."""

    status: int
    body: Json
    request_id: str


def asked(method: str, path: str, given: dict[str, Any]) -> Asked:
    """Return what identifies a request under its key."""
    canonical = json.dumps(given, sort_keys=True)
    return Asked(f"{method} {path}", hashlib.sha256(canonical.encode()).hexdigest())


def recall(act: Act, key: str, what: Asked) -> Answer | None:
    """Return the answer stored under a key, or refuse when it was used for something else."""
    oldest = act.moment - KEY_LIFETIME_SECONDS
    act.store.sql.execute("DELETE FROM idempotency WHERE created <= ?", (oldest,))
    row = act.store.sql.execute(
        "SELECT path, fingerprint, status, body, request_id FROM idempotency "
        "WHERE owner = ? AND key = ?",
        (act.owner, key),
    ).fetchone()
    if row is None:
        return None
    if row["path"] != what.path:
        endpoint = row["path"].partition(" ")[2]
        raise _mismatch(f"for the same endpoint they were first used for ('{endpoint}')", key)
    if row["fingerprint"] != what.fingerprint:
        raise _mismatch("with the same parameters they were first used with", key)
    return Answer(row["status"], json.loads(row["body"]), row["request_id"])


def remember(act: Act, key: str, what: Asked, answer: Answer) -> None:
    """Store an answer under its key, in the transaction of its effects."""
    act.store.sql.execute(
        "INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?,?,?,?,?)",
        (
            act.owner,
            key,
            act.moment,
            what.path,
            what.fingerprint,
            answer.status,
            json.dumps(answer.body),
            answer.request_id,
        ),
    )


def check_length(key: str) -> None:
    """Refuse a key that is too long."""
    if len(key) > KEY_CHARS_MAX:
        message = f"The idempotency key must be at most {KEY_CHARS_MAX} characters."
        raise StripeError(400, "idempotency_error", message)


def in_flight(key: str) -> StripeError:
    """Refuse a request whose twin is being executed; trying again later helps."""
    message = (
        f"There is currently another in-progress request using this Idempotent Key ({key}); that "
        "probably means you submitted twice, and the other request is still going through. "
        "Please try again later."
    )
    error = StripeError(409, "idempotency_error", message, code="idempotency_key_in_use")
    error.headers["Stripe-Should-Retry"] = "true"
    return error


def _mismatch(rule: str, key: str) -> StripeError:
    message = (
        f"Keys for idempotent requests can only be used {rule}. Try using a key other than "
        f"'{key}' if you meant to execute a different request."
    )
    return StripeError(400, "idempotency_error", message)
