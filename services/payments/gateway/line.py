"""The line to Stripe: how fast we speak, and whether anybody answers.

All requests of a process go over one line. It stays below Stripe's limit
(https://docs.stripe.com/rate-limits), is silent as long as Stripe asks for it, and when nobody
answers any more it lets one call at a time try. Calls that are written down wait meanwhile; nothing
is refused to people.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import stripe

from shared.clock import monotonic_seconds
from shared.log import logger

LIVE_CALLS_PER_SECOND = 80.0
SANDBOX_CALLS_PER_SECOND = 20.0
"""Stripe allows 100 and 25 a second; what is left is for people who use its dashboard."""
CALLS_AT_ONCE = 10.0
FAILURES_TO_OPEN = 5
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 30.0
DOUBLINGS_AT_MOST = 10
PROBE_SECONDS = 30.0
"""After which a probe that has not ended counts as lost: as long as a worker keeps a call."""
SILENT_AFTER_TOO_MANY_SECONDS = 0.25
"""Unless Stripe says how long; the call itself waits ever longer besides."""
LONGEST_SILENCE_SECONDS = 60.0
TOO_MANY_REQUESTS = 429
OWN_FAULT = 500

_log = logger("line")


class Pace:
    """A token bucket: `at_once` requests in a row, then `per_second` of them."""

    def __init__(self, per_second: float, at_once: float = CALLS_AT_ONCE) -> None:
        """Begin with a full bucket."""
        self._each = 1.0 / per_second
        self._slack = at_once * self._each
        self._next = 0.0
        self._silent_until = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether Stripe has asked for silence."""
        return monotonic_seconds() < self._silent_until

    def be_silent(self, seconds: float) -> None:
        """Begin no call for a while."""
        until = monotonic_seconds() + min(seconds, LONGEST_SILENCE_SECONDS)
        self._silent_until = max(self._silent_until, until)

    async def turn(self) -> None:
        """Wait until the next request may leave."""
        now = monotonic_seconds()
        self._next = max(self._next, now - self._slack) + self._each
        if (wait := self._next - now) > 0:
            await asyncio.sleep(wait)


class Circuit:
    """Opens when nobody answers; then one call at a time tries, ever more rarely."""

    def __init__(self, first_rest_seconds: float = FIRST_REST_SECONDS) -> None:
        """Begin closed: calls go through."""
        self._first_rest = first_rest_seconds
        self._failures = 0
        self._rests = 0
        self._probing = False
        self._probe_at = 0.0

    @property
    def failures(self) -> int:
        """How many requests in a row were not answered."""
        return self._failures

    @property
    def is_open(self) -> bool:
        """Whether calls wait."""
        return self._failures >= FAILURES_TO_OPEN

    def may_call(self) -> bool:
        """Return whether a call may be made now; of an open circuit it is then the probe."""
        if not self.is_open:
            return True
        now = monotonic_seconds()
        if now < self._probe_at:
            return False
        self._probing, self._probe_at = True, now + PROBE_SECONDS
        return True

    def end_probe(self) -> None:
        """Give the turn back: whoever had it did not come to speak."""
        if self._probing:
            self._probing, self._probe_at = False, 0.0

    def answered(self) -> None:
        """Note that Stripe is there."""
        if self.is_open:
            _log.warning("stripe_answers_again", failures=self._failures)
        self._failures = self._rests = 0
        self._probing = False

    def failed(self) -> None:
        """Note that a request was not answered; what was under way when it opened adds nothing."""
        was_open = self.is_open
        self._failures += 1
        if self.is_open and (self._probing or not was_open):
            self._rest(newly=not was_open)

    def _rest(self, *, newly: bool) -> None:
        longest = self._first_rest * 2.0 ** min(self._rests, DOUBLINGS_AT_MOST)
        # Several workers that lost Stripe at one moment do not come back at one moment.
        rest = min(longest, LONGEST_REST_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
        self._probing, self._probe_at = False, monotonic_seconds() + rest
        self._rests += 1
        if newly:
            _log.error("stripe_does_not_answer", failures=self._failures)


class Line(stripe.AIOHTTPClient):
    """Stripe's HTTP client, which keeps the pace and tells the circuit what it meets."""

    def __init__(self, pace: Pace, circuit: Circuit, timeout_seconds: float) -> None:
        """Speak at that pace; give up a request after `timeout_seconds`."""
        super().__init__(timeout=timeout_seconds)
        self.pace = pace
        self.circuit = circuit

    def may_call(self) -> bool:
        """Return whether a call may begin; whoever gets leave calls `end` afterwards."""
        return not self.pace.is_silent and self.circuit.may_call()

    def end(self) -> None:
        """Say that the call is over."""
        self.circuit.end_probe()

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Make one request when it is its turn."""
        await self.pace.turn()
        try:
            content, status, received = await super().request_async(method, url, headers, post_data)
        except Exception:
            self.circuit.failed()
            raise
        self._note(status, received)
        return content, status, received

    def _note(self, status: int, received: Mapping[str, str]) -> None:
        # A stored failure that is replayed was said by a Stripe that is well.
        if status >= OWN_FAULT and "Idempotent-Replayed" not in received:
            return self.circuit.failed()
        if status == TOO_MANY_REQUESTS:
            self.pace.be_silent(_retry_after(received))
        return self.circuit.answered()


def _retry_after(received: Mapping[str, str]) -> float:
    try:
        return float(received.get("Retry-After", SILENT_AFTER_TOO_MANY_SECONDS))
    except ValueError:
        return SILENT_AFTER_TOO_MANY_SECONDS
