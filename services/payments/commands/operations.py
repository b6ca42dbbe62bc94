"""Calls to Stripe: written down, taken by a worker, and ended with their effects in one commit."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from uuid import UUID

from services.payments.commands.effects import apply_answer, apply_refusal
from services.payments.commands.plans import OPERATIONS_BELL
from services.payments.domain.operations import (
    Again,
    NothingToLookFor,
    Operation,
    Refused,
    Undetermined,
    pause_seconds,
)
from services.payments.domain.platform import MANUAL, OwnAccount, Platform, check_same
from services.payments.domain.seen import Seen
from services.payments.store import operations as store
from services.payments.store import watching
from services.payments.store.gauges import PAYS_OUT_BY_ITSELF
from services.payments.store.platform import keep_first
from shared.db import Connection, ring
from shared.errors import NotFound
from shared.log import logger

Outcome = Seen | Refused | Again | Undetermined
"""What came of a call."""

_log = logger("operations")


async def check_platform(conn: Connection, ours: Platform, now: datetime) -> None:
    """Keep whose key was used first; raises `KeyOfAnotherAccount` when ours is of another."""
    check_same(ours, await keep_first(conn, ours, now))


def tell_payouts(own: OwnAccount) -> None:
    """Have an operator hear of a balance that Stripe pays out; what mentees want goes on."""
    PAYS_OUT_BY_ITSELF.set(own.pays_out_by_itself)
    if own.pays_out_by_itself:
        _log.error("platform_pays_out_by_itself", payouts=own.payouts, do=f"set it to {MANUAL}")


async def take_operation(conn: Connection, now: datetime) -> Operation | None:
    """Take the call whose turn it is; it counts as sent from here on."""
    return await store.take_operation(conn, now)


async def record_outcome(
    conn: Connection, operation: Operation, outcome: Outcome, now: datetime
) -> bool:
    """End or postpone a call, with every effect of its answer; return whether it was ours still."""
    if not await store.still_ours(conn, operation):
        return False
    if isinstance(outcome, Again):
        await _postpone(conn, operation, outcome)
        return True
    if isinstance(outcome, Seen):
        sent_at = operation.first_sent_at
        await apply_answer(conn, operation.request, outcome, now, sent_at=sent_at)
        state, shown = "done", outcome.model_dump(mode="json")
    elif isinstance(outcome, Refused):
        await apply_refusal(conn, operation.request, outcome, now)
        state, shown = "refused", {"code": outcome.code, "message": outcome.message}
    else:
        state, shown = "undetermined", {"because": outcome.because}
        _log.error("operation_undetermined", kind=operation.request.kind, because=outcome.because)
    await store.finish_operation(conn, operation.operation_id, state, shown, now)
    return True


async def retry_operation(conn: Connection, operation_id: UUID) -> str:
    """Have an open call tried now, and return whom it is about; raises `NotFound`.

    An undetermined one is looked for again and, when it is absent, made with a fresh key.
    """
    subject = await store.try_again_now(conn, operation_id)
    if subject is None:
        raise NotFound
    await ring(conn, OPERATIONS_BELL)
    return subject


async def look_for_operation(conn: Connection, operation_id: UUID) -> str:
    """Have the effect of an undetermined call looked for, and return whom it is about.

    It is not sent again, whatever the look shows; raises `NothingToLookFor`.
    """
    subject = await store.look_for(conn, operation_id)
    if subject is None:
        raise NothingToLookFor
    await ring(conn, OPERATIONS_BELL)
    return subject


async def tell_line(conn: Connection, caller_id: UUID, state: str, failures: int) -> None:
    """Say how a worker finds Stripe, so that operators see it."""
    await watching.tell_line(conn, caller_id, state, failures)


async def _postpone(conn: Connection, operation: Operation, again: Again) -> None:
    luck = random.random()  # noqa: S311  Nobody gains by guessing it.
    pause = timedelta(seconds=pause_seconds(operation.attempts, luck))
    await store.postpone_operation(conn, operation, pause, again.because, fresh_key=again.fresh_key)
