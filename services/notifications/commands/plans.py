"""Plans are told of: begun, renewed, not paid, paused, resumed, at rest, ending, ended."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.notifications.commands.planning import plan
from services.notifications.domain.messages import Details, Plan, cause_of
from shared.contracts.payments import (
    PlanContinued,
    PlanEnded,
    PlanEndScheduled,
    PlanFact,
    PlanPaused,
    PlanPaymentFailed,
    PlanRenewed,
    PlanRested,
    PlanResumed,
    PlanStarted,
)
from shared.db import Connection


async def tell_of_start(conn: Connection, fact: PlanStarted, *, at: datetime) -> None:
    """Tell the mentee what was begun, and the mentor that somebody did."""
    details = _until(fact.period_end)
    await _tell(conn, fact, "plan_started", fact.mentee_id, details, at)
    await _tell(conn, fact, "plan_subscribed", fact.mentor_id, details, at)


async def tell_of_renewal(conn: Connection, fact: PlanRenewed, *, at: datetime) -> None:
    """Tell the mentee what was paid, and how many sessions that brought."""
    money = {"amount_minor": fact.amount_minor, "currency": fact.currency}
    details = {"count": fact.sessions, **money, **_until(fact.period_end)}
    await _tell(conn, fact, "plan_renewed", fact.mentee_id, details, at)


async def tell_of_failure(conn: Connection, fact: PlanPaymentFailed, *, at: datetime) -> None:
    """Tell the mentee that a payment failed, and when it is tried again."""
    details = _until(fact.next_attempt_at)
    await _tell(conn, fact, "plan_payment_failed", fact.mentee_id, details, at)


async def tell_of_pause(conn: Connection, fact: PlanPaused | PlanResumed, *, at: datetime) -> None:
    """Tell both sides from when on nothing is paid, or again."""
    kind = "plan_paused" if isinstance(fact, PlanPaused) else "plan_resumed"
    await _tell_both(conn, fact, kind, _until(fact.period_end), at)


async def tell_of_rest(conn: Connection, fact: PlanRested, *, at: datetime) -> None:
    """Tell both sides why nothing is paid, and what becomes of what is paid."""
    await _tell_both(conn, fact, "plan_rested", _until(fact.period_end), at)


async def tell_of_going_on(conn: Connection, fact: PlanContinued, *, at: datetime) -> None:
    """Tell both sides that a plan goes on that rested, and when it is paid."""
    await _tell_both(conn, fact, "plan_continued", _until(fact.next_payment_at), at)


async def tell_of_ending(conn: Connection, fact: PlanEndScheduled, *, at: datetime) -> None:
    """Tell both sides when the plan will end, or that it will not after all."""
    kind = "plan_ending" if fact.ends_at else "plan_kept"
    await _tell_both(conn, fact, kind, _until(fact.ends_at), at)


async def tell_of_end(conn: Connection, fact: PlanEnded, *, at: datetime) -> None:
    """Tell both sides that the plan is over."""
    await _tell_both(conn, fact, "plan_ended", {"reason": fact.because}, at)


async def _tell_both(
    conn: Connection, fact: PlanFact, kind: str, details: Details, at: datetime
) -> None:
    for reader in (fact.mentee_id, fact.mentor_id):
        await _tell(conn, fact, kind, reader, details, at)


async def _tell(
    conn: Connection, fact: PlanFact, kind: str, to: UUID, details: Details, at: datetime
) -> None:
    other = fact.mentor_id if to == fact.mentee_id else fact.mentee_id
    said = {"other_id": str(other), **details}
    await plan(conn, Plan(to, kind, cause_of(fact), at, details=said))


def _until(instant: datetime | None) -> Details:
    return {"until": instant.isoformat()} if instant else {}
