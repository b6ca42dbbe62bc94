"""Messages are sent: claimed, decided on from the present state, handed over, recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.notifications.domain.messages import Message, Situation
from services.notifications.domain.relevance import reason_to_skip
from services.notifications.store import messages as store
from shared.clock import system_now
from shared.contracts import sealed as contents
from shared.contracts.notifications import MessageSent
from shared.db import Connection
from shared.outbox import Announcer
from shared.seal import SealBroken

CLAIM_BATCH = 10
"""How many messages one turn takes, and so how many letters are handed over at once."""
LEASE_SECONDS = 30.0
"""How long a claim lasts (system time); then another worker takes the message over."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
DOUBLINGS_AT_MOST = 10

Opener = Callable[[str], contents.OneTimeMessage]
"""Opens a sealed one-time message; raises `SealBroken`."""

_announcer = Announcer("notifications")


@dataclass(frozen=True)
class Claimed:
    """What one turn took: how many messages in all, and the letters still to be handed over."""

    messages: int
    letters: tuple[Situation, ...]


async def claim_messages(conn: Connection, open_secret: Opener, *, now: datetime) -> Claimed:
    """Claim messages that are due, and decide from the present state what becomes of each.

    What makes no sense any more is skipped, feed items show at once, letters are returned.
    """
    taken = await store.claim_due(conn, now=now, limit=CLAIM_BATCH, lease_seconds=LEASE_SECONDS)
    secrets = {due.message_id: due.sealed for due in taken if due.sealed}
    letters: list[Situation] = []
    for found in await store.load_situations(conn, [due.message_id for due in taken], now=now):
        situation = await _with_secret(conn, found, secrets, open_secret)
        if situation and await _is_letter(conn, situation):
            letters.append(situation)
    return Claimed(len(taken), tuple(letters))


async def _with_secret(
    conn: Connection, situation: Situation, secrets: Mapping[UUID, str], open_secret: Opener
) -> Situation | None:
    """Return the situation with its secret opened, or nothing when the seal is broken."""
    sealed = secrets.get(situation.message.message_id)
    if sealed is None:
        return situation
    try:
        secret = open_secret(sealed)
    except SealBroken:
        await record_refused(conn, situation.message, reason="seal_broken", now=situation.now)
        return None
    # Links are good by the system clock, like every token.
    return replace(situation, secret=secret, secret_over=secret.expires_at <= system_now())


async def _is_letter(conn: Connection, situation: Situation) -> bool:
    """Skip the message, show it in the feed, or say that it is a letter to be handed over."""
    message, now = situation.message, situation.now
    if reason := reason_to_skip(situation):
        await store.finish(conn, message, "skipped", reason=reason, now=now)
        return False
    if message.channel == "feed":
        await store.finish(conn, message, "sent", now=now)
        return False
    return True


async def record_sent(conn: Connection, message: Message, *, now: datetime) -> None:
    """Note and announce that a letter was handed over, unless the claim was lost meanwhile."""
    if await store.finish(conn, message, "sent", now=now):
        fact = MessageSent(
            version=1,
            message_id=message.message_id,
            person_id=message.person_id,
            kind=message.kind,
        )
        await _announcer.announce(conn, fact, at=now)


async def record_refused(conn: Connection, message: Message, *, reason: str, now: datetime) -> None:
    """Note that a letter can never be delivered, and why."""
    await store.finish(conn, message, "failed", reason=reason, now=now)


async def postpone_message(conn: Connection, message: Message, *, reason: str) -> None:
    """Try a letter again later, after pauses that grow and never end."""
    doublings = min(message.attempt - 1, DOUBLINGS_AT_MOST)
    pause = min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS)
    await store.postpone(conn, message, reason=reason, seconds=pause)
