"""People are followed: how to reach them, and what they are as mentors."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.notifications.commands.planning import BELL, plan
from services.notifications.domain.messages import Contact, Plan, cause_of
from services.notifications.store import messages, people
from shared.contracts.payments import AccountFact
from shared.contracts.profiles import PersonFact
from shared.db import Connection, ring


async def learn_contact(conn: Connection, contact: Contact, *, version: int) -> None:
    """Keep how to reach a person; mail that waited for it is due now."""
    if await people.save_contact(conn, contact, version):
        await ring(conn, BELL)


async def erase_contact(conn: Connection, person_id: UUID, *, version: int, now: datetime) -> None:
    """Forget a person for ever; nothing more is sent to them."""
    await people.erase_contact(conn, person_id, version)
    await messages.skip_planned_of(conn, person_id, reason="person_erased", now=now)


async def follow_mentor(
    conn: Connection, fact: PersonFact, *, at: datetime, kind: str | None, reason: str | None
) -> None:
    """Keep a person's state as a mentor; tell them (`kind`) when that is news."""
    kept = await people.save_mentor_state(conn, fact.person_id, fact.version, fact.mentor_state)
    if kept and kind:
        details = {"reason": reason.replace("_", " ")} if reason else {}
        await plan(conn, Plan(fact.person_id, kind, cause_of(fact), at, details=details))


async def follow_account(conn: Connection, fact: AccountFact, *, at: datetime, tell: bool) -> None:
    """Keep what a mentor's account may do; tell them (`tell`) when it became able to receive."""
    became_able = await people.save_account(
        conn, fact.mentor_id, fact.version, can_receive=fact.can_receive
    )
    if became_able and tell:
        await plan(conn, Plan(fact.mentor_id, "account_ready", cause_of(fact), at))
