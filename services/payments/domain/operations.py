"""The life of a call to Stripe: when it is sent, looked for, tried again or given to an operator.

planned → sent → done | refused | undetermined. A sent call whose answer is not known is sent again
with the same key; Stripe may forget keys after 24 hours
(https://docs.stripe.com/api/idempotent_requests), so an older one is looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from services.payments.domain.requests import Request
from shared.errors import Refusal

TOO_LATE = "too_late"
"""Our own no to a call whose time is over."""
KEY_TRUSTED_FOR = timedelta(hours=23)
"""Business time, as Stripe's own 24 hours; the hour between is for slow calls."""
LOOK_BACK = timedelta(minutes=5)
"""Our clock and Stripe's may differ, so effects are looked for from a little earlier on."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
DOUBLINGS_AT_MOST = 16
SHOWN_ENDINGS = ("_id", "_minor", "_at", "_before", "currency", "country", "attempt")
"""What parameters are called that operators see; all others may hold a person's words."""
NO_BALANCE = "balance_insufficient"
FRESH_KEY_CODES = frozenset({NO_BALANCE, "lock_timeout"})
"""Refusals without any effect that time alone can lift; the stored answer needs another key."""


class NothingToLookFor(Refusal):
    """The call takes no effect, or what came of it is known."""

    code = "nothing_to_look_for"
    detail = "Only calls that are undetermined, and that take effect at Stripe, are looked for."


class Step(Enum):
    """What to do with a call now."""

    SEND = "send"
    LOOK_FIRST = "look_first"
    LOOK_ONLY = "look_only"
    DROP = "drop"


@dataclass(frozen=True)
class Operation:
    """One call in the hands of a worker; `attempts` counts this one and fences out older hands.

    `cause` is the trace of what made it necessary, if that is known.
    """

    operation_id: UUID
    request: Request
    key: str
    generation: int
    attempts: int
    planned_at: datetime
    first_sent_at: datetime
    look_first: bool
    look_only: bool = False
    cause: str | None = None


@dataclass(frozen=True)
class Refused:
    """Stripe said no for good; `code` is Stripe's."""

    code: str
    message: str = ""


@dataclass(frozen=True)
class Again:
    """No answer yet. `fresh_key` when the old key can only replay a failure without effect."""

    because: str
    fresh_key: bool = False


@dataclass(frozen=True)
class Undetermined:
    """Nobody can say whether it took effect; an operator decides."""

    because: str


def next_step(operation: Operation, now: datetime) -> Step:
    """Decide what to do with an operation that was just taken."""
    if operation.look_only:
        return Step.LOOK_ONLY
    untried = operation.attempts == 1 or not operation.request.effect_once
    if untried and operation.request.too_late(now):
        return Step.DROP
    if not operation.request.effect_once:
        return Step.SEND
    stale = operation.attempts > 1 and now - operation.first_sent_at > KEY_TRUSTED_FOR
    return Step.LOOK_FIRST if stale or operation.look_first else Step.SEND


def after_refusal(request: Request, refused: Refused) -> Refused | Again:
    """Turn a refusal that time can lift into another try with a fresh key."""
    if refused.code == NO_BALANCE and not request.waits_for_balance:
        return refused
    if refused.code in FRESH_KEY_CODES:
        return Again(refused.code, fresh_key=True)
    return refused


def pause_seconds(attempts: int, luck: float = 1.0) -> float:
    """Return how long to wait after so many attempts (system time); for ever, but ever slower.

    `luck` from 0 to 1 spreads calls that failed together, over half of the pause.
    """
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, DOUBLINGS_AT_MOST)
    return min(doubled, LONGEST_PAUSE_SECONDS) * (1.0 + luck) / 2.0


def pause_before(request: Request, generation: int) -> float:
    """Return how long a new call waits before its first try (system time).

    One that must take effect once is made anew only after a refusal: ever slower, for ever.
    """
    made_anew = request.effect_once and generation > 1 and not request.paced
    return pause_seconds(generation - 1) if made_anew else 0.0


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call that tell nothing of a person but an id."""
    return {name: value for name, value in parameters.items() if name.endswith(SHOWN_ENDINGS)}


def key_of(kind: str, subject: str, generation: int) -> str:
    """Return the idempotency key: the same for every try of one generation."""
    return f"{kind}:{subject}:{generation}"
