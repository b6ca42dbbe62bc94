"""Rate limits across replicas: token buckets in PostgreSQL, drawn from in handfuls.

A replica takes several tokens at once and spends them by itself, so that an ordinary request does
not cost a write; `handful` is how far one replica may overshoot.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta

from shared.clock import monotonic_seconds, system_now
from shared.db import Pool
from shared.errors import Kind, Refusal

BUCKETS_REMEMBERED = 10_000
HANDFUL_SECONDS = 10.0
"""How long a handful may be kept before it is worth nothing."""
FORGET_AFTER = timedelta(days=1)
"""Every bucket is full again long before, and a full bucket is the same as none."""
PRUNE_BATCH = 5_000

DRAW = """
INSERT INTO rate_buckets AS b (name, tokens, filled_at) VALUES ($1, $2::float8 - $4::float8, $5)
ON CONFLICT (name) DO UPDATE SET
    tokens = LEAST($2, b.tokens + $3::float8 * EXTRACT(epoch FROM $5 - b.filled_at)) - $4,
    filled_at = $5
WHERE LEAST($2, b.tokens + $3::float8 * EXTRACT(epoch FROM $5 - b.filled_at)) >= $4
RETURNING tokens
"""
GIVE_BACK = "UPDATE rate_buckets SET tokens = LEAST($2, tokens + 1) WHERE name = $1"
PRUNE = """
DELETE FROM rate_buckets WHERE name IN (
    SELECT name FROM rate_buckets WHERE filled_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


class TooManyRequests(Refusal):
    """The bucket is empty."""

    code = "too_many_requests"
    kind = Kind.TOO_MANY
    detail = "Wait as long as Retry-After says."


@dataclass(frozen=True)
class Limit:
    """`burst` requests at once, then `per_second` on average; `handful` are drawn at a time."""

    name: str
    burst: int
    per_second: float
    handful: int = 1


PER_PERSON = Limit("person", burst=200, per_second=20, handful=20)
SIGN_IN_PER_ADDRESS = Limit("sign_in", burst=30, per_second=0.5)
SIGN_IN_FAILURES = Limit("sign_in_failures", burst=20, per_second=0.1)
"""Wrong passwords for one account, from wherever they come: some 8,600 guesses a day."""
SIGN_UP_PER_ADDRESS = Limit("sign_up", burst=20, per_second=0.2)


@dataclass
class _Hand:
    """Tokens drawn and not yet spent; `turn` lets one request draw for all that wait."""

    left: int = 0
    drawn_at: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """Spends tokens of one service."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._hands: OrderedDict[str, _Hand] = OrderedDict()

    async def spend(self, limit: Limit, subject: str) -> None:
        """Take one token of `subject`; raises `TooManyRequests` with `retry_after_seconds`."""
        name = f"{limit.name}:{subject}"
        hand = self._hands.setdefault(name, _Hand())
        self._hands.move_to_end(name)
        while len(self._hands) > BUCKETS_REMEMBERED:
            self._hands.popitem(last=False)
        async with hand.turn:
            if hand.left == 0 or monotonic_seconds() - hand.drawn_at > HANDFUL_SECONDS:
                hand.left, hand.drawn_at = await self._draw(limit, name), monotonic_seconds()
            hand.left -= 1

    async def give_back(self, limit: Limit, subject: str) -> None:
        """Put back a token of `subject` that was spent and turned out not to count."""
        await self._pool.execute(GIVE_BACK, f"{limit.name}:{subject}", float(limit.burst))

    async def _draw(self, limit: Limit, name: str) -> int:
        for wanted in dict.fromkeys((limit.handful, 1)):
            got = await self._pool.fetchval(
                DRAW, name, float(limit.burst), limit.per_second, float(wanted), system_now()
            )
            if got is not None:
                return wanted
        raise TooManyRequests(retry_after_seconds=max(1, round(1 / limit.per_second)))


async def prune_buckets(pool: Pool) -> int:
    """Forget the buckets of whoever has not been here for long; return how many."""
    done = await pool.execute(PRUNE, system_now() - FORGET_AFTER, PRUNE_BATCH)
    return int(done.split()[-1])
