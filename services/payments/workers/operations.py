"""Calls to Stripe: taken in one transaction, made outside any, recorded in another."""

from __future__ import annotations

import asyncio

from services.payments.commands.operations import (
    Outcome,
    check_platform,
    record_outcome,
    take_operation,
    tell_line,
    tell_payouts,
)
from services.payments.domain.operations import (
    TOO_LATE,
    Again,
    Operation,
    Refused,
    Step,
    Undetermined,
    after_refusal,
    next_step,
)
from services.payments.gateway.calls import AnswerLost, StripeGateway
from services.payments.gateway.lists import SearchTooLong
from shared.clock import BusinessClock, monotonic_seconds
from shared.db import Pool, in_transaction
from shared.errors import is_transient
from shared.ids import new_id
from shared.log import logger
from shared.telemetry import outside_call

CALL_SECONDS = 25.0
"""Less than a lease, so that nobody else makes the same call meanwhile."""

TELL_EVERY_SECONDS = 5.0
"""How often a worker says how it finds Stripe while nothing changes."""

LOOK_AT_PLATFORM_EVERY_SECONDS = 3_600.0
"""How often a worker looks at the platform's own account, which people change at Stripe."""

_IN_WORDS: dict[type, str] = {Again: "again", Refused: "refused", Undetermined: "undetermined"}

_log = logger("operations")


class Caller:
    """Makes the calls that were written down, one at a time; run several side by side."""

    def __init__(self, pool: Pool, gateway: StripeGateway, clock: BusinessClock) -> None:
        """Take calls from `pool` and make them through `gateway`."""
        self._pool = pool
        self._gateway = gateway
        self._clock = clock
        self._caller_id = new_id()
        self._told: tuple[str, float] = ("", 0.0)
        self._look_at_platform_at = 0.0

    async def tell_line(self) -> int:
        """Say whether Stripe answers, when that has changed and every few seconds."""
        circuit, now = self._gateway.line.circuit, monotonic_seconds()
        state = "open" if circuit.is_open else "closed"
        told, at = self._told
        if state == told and now - at < TELL_EVERY_SECONDS:
            return 0
        await in_transaction(
            self._pool,
            lambda conn: tell_line(conn, self._caller_id, state, circuit.failures),
        )
        self._told = (state, now)
        return 0

    async def make_calls(self) -> int:
        """Make the call whose turn it is; return 1, or 0 when there is none or calls must wait."""
        line = self._gateway.line
        if not line.may_call():
            return 0
        try:
            return await self._make_next()
        finally:
            line.end()

    async def _make_next(self) -> int:
        operation = await in_transaction(
            self._pool, lambda conn: take_operation(conn, self._clock.now())
        )
        if operation is None:
            return 0
        with outside_call("stripe", operation.request.kind, operation.cause) as call:
            outcome = await self._outcome(operation)
            call.outcome = _IN_WORDS.get(type(outcome), "answered")
            await self._record(operation, outcome)
        return 1

    async def _record(self, operation: Operation, outcome: Outcome) -> None:
        try:
            await in_transaction(
                self._pool,
                lambda conn: record_outcome(conn, operation, outcome, self._clock.now()),
            )
        except Exception as error:
            if is_transient(error):
                raise
            # An answer that cannot be taken in must not be asked for for ever.
            _log.exception("answer_not_recorded", kind=operation.request.kind)
            because = Undetermined(f"not recorded: {type(error).__name__}")
            await in_transaction(
                self._pool,
                lambda conn: record_outcome(conn, operation, because, self._clock.now()),
            )

    async def _outcome(self, operation: Operation) -> Outcome:
        step = next_step(operation, self._clock.now())
        if step is Step.DROP:
            return Refused(TOO_LATE)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._check_platform()
                if step is Step.LOOK_ONLY:
                    return await self._look(operation)
                return await self._call(operation, look_first=step is Step.LOOK_FIRST)
        except SearchTooLong:
            return Undetermined("absence not proved")
        except Exception as error:
            if not is_transient(error):
                _log.exception("call_failed", kind=operation.request.kind)
                return Undetermined(type(error).__name__)
            return Again(type(error).__name__)

    async def _check_platform(self) -> None:
        """Make no call with a key of another account: it would find nothing of ours there.

        Raises `KeyOfAnotherAccount`, which ends the process.
        """
        if monotonic_seconds() < self._look_at_platform_at:
            return
        own = await self._gateway.own_account()
        await in_transaction(
            self._pool, lambda conn: check_platform(conn, own.platform, self._clock.now())
        )
        tell_payouts(own)
        self._look_at_platform_at = monotonic_seconds() + LOOK_AT_PLATFORM_EVERY_SECONDS

    async def _look(self, operation: Operation) -> Outcome:
        found = await self._gateway.find(operation.request, operation.first_sent_at)
        return found or Undetermined("looked for, and not there")

    async def _call(self, operation: Operation, *, look_first: bool) -> Outcome:
        request, since = operation.request, operation.first_sent_at
        if look_first and (found := await self._gateway.find(request, since)):
            return found
        try:
            answer = await self._gateway.perform(request, operation.key)
        except AnswerLost:
            if not request.effect_once:
                return Again("answer lost", fresh_key=True)
            found = await self._gateway.find(request, since)
            return found or Undetermined("Stripe replays a failure, and no effect was found")
        return after_refusal(request, answer) if isinstance(answer, Refused) else answer
