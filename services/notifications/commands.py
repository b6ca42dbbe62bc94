"""What can happen here: contacts and sessions are followed, messages are planned and sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.notifications import store
from services.notifications.domain.messages import (
    Contact,
    Details,
    Message,
    Plan,
    Session,
    Situation,
    cause_of,
    plan_reminders,
    reason_to_skip,
)
from shared.clock import system_now
from shared.contracts import sealed as contents
from shared.contracts.booking import BookingCancelled, BookingConfirmed, BookingHeld, OrderFact
from shared.contracts.envelope import Fact
from shared.contracts.notifications import MessageSent
from shared.contracts.payments import AccountFact, MoneyFact
from shared.contracts.profiles import MessageSealed, PersonFact, ReviewFact
from shared.db import Connection, ring
from shared.errors import Missing
from shared.inbox import arrived
from shared.outbox import Announcer
from shared.seal import SealBroken

BELL = "notifications_messages"
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


async def learn_contact(conn: Connection, contact: Contact, *, version: int) -> None:
    """Keep how to reach a person; mail that waited for it is due now."""
    if await store.save_contact(conn, contact, version):
        await ring(conn, BELL)


async def erase_contact(conn: Connection, person_id: UUID, *, version: int, now: datetime) -> None:
    """Forget a person for ever; nothing more is sent to them."""
    await store.erase_contact(conn, person_id, version)
    await store.skip_planned_of(conn, person_id, reason="person_erased", now=now)


async def plan(conn: Connection, *plans: Plan) -> None:
    """Owe messages to people, each once per cause, kind, person and channel."""
    await store.add_plans(conn, plans)
    await ring(conn, BELL)


async def plan_one_time_message(conn: Connection, fact: MessageSealed, *, at: datetime) -> None:
    """Owe a message whose link stays sealed until it is sent."""
    # The message has an id of its own, which is the better name of its cause than a version.
    cause = f"{fact.topic}/{fact.message_id}"
    await plan(conn, Plan(fact.person_id, fact.kind, cause, at, sealed=fact.sealed))


async def follow_mentor(
    conn: Connection, fact: PersonFact, *, at: datetime, kind: str | None, reason: str | None
) -> None:
    """Keep a person's state as a mentor; tell them (`kind`) when that is news."""
    kept = await store.save_mentor_state(conn, fact.person_id, fact.version, fact.mentor_state)
    if kept and kind:
        details = {"reason": reason.replace("_", " ")} if reason else {}
        await plan(conn, Plan(fact.person_id, kind, cause_of(fact), at, details=details))


async def follow_account(conn: Connection, fact: AccountFact, *, at: datetime, tell: bool) -> None:
    """Keep what a mentor's account may do; tell them (`tell`) when it became able to receive."""
    became_able = await store.save_account(
        conn, fact.mentor_id, fact.version, can_receive=fact.can_receive
    )
    if became_able and tell:
        await plan(conn, Plan(fact.mentor_id, "account_ready", cause_of(fact), at))


async def open_session(conn: Connection, fact: BookingHeld) -> None:
    """Begin to follow a purchase; facts about it that came too early are taken up."""
    session = Session(
        order_id=fact.order_id,
        session_id=fact.session_id,
        mentor_id=fact.mentor_id,
        mentee_id=fact.mentee_id,
        title=fact.title,
        starts_at=fact.starts_at,
        ends_at=fact.ends_at,
        state="held",
        calendar_sequence=fact.calendar_sequence,
        version=fact.version,
    )
    await store.add_session(conn, session)
    await arrived(conn, _named(fact.order_id))


async def confirm_session(conn: Connection, fact: BookingConfirmed, *, at: datetime) -> None:
    """Invite both sides and plan their reminders."""
    known = await _outdated(conn, fact)
    if known is None:
        return
    session = replace(_brought_up(known, fact), state="confirmed", title=fact.title)
    await store.save_session(conn, session)
    cause = cause_of(fact)
    confirmations = _to_both(session, "session_confirmed", cause, at)
    await plan(conn, *confirmations, *plan_reminders(session, cause=cause, now=at))


async def expire_session(conn: Connection, fact: OrderFact) -> None:
    """Note that a hold lapsed."""
    if known := await _outdated(conn, fact):
        await store.save_session(conn, replace(_brought_up(known, fact), state="expired"))


async def lose_session(conn: Connection, fact: OrderFact, *, at: datetime) -> None:
    """Tell the mentee that the payment came too late and goes back."""
    known = await _outdated(conn, fact)
    if known is None:
        return
    await store.save_session(conn, replace(_brought_up(known, fact), state="lost"))
    await plan(conn, Plan(known.mentee_id, "session_lost", cause_of(fact), at, known.order_id))


async def cancel_session(conn: Connection, fact: BookingCancelled, *, at: datetime) -> None:
    """Take the session out of both calendars; its reminders find it cancelled."""
    known = await _outdated(conn, fact)
    if known is None:
        return
    session = replace(
        _brought_up(known, fact),
        state="cancelled",
        cancelled_by=fact.by,
        cancel_reason=fact.reason,
        refund_basis_points=fact.refund_basis_points,
    )
    await store.save_session(conn, session)
    await plan(conn, *_to_both(session, "session_cancelled", cause_of(fact), at))


async def complete_session(conn: Connection, fact: OrderFact, *, at: datetime) -> None:
    """Ask both sides for a review."""
    known = await _outdated(conn, fact)
    if known is None:
        return
    session = replace(_brought_up(known, fact), state="completed")
    await store.save_session(conn, session)
    await plan(conn, *_to_both(session, "review_wanted", cause_of(fact), at))


async def note_review(conn: Connection, fact: ReviewFact, *, by: str) -> None:
    """Note that one side wrote its review, so that it is not asked again."""
    session = await _known(conn, fact.order_id)
    if by == "mentor":
        await store.save_session(conn, replace(session, mentor_reviewed=True))
    elif by == "mentee":
        await store.save_session(conn, replace(session, mentee_reviewed=True))


async def tell_of_reviews(conn: Connection, fact: ReviewFact, *, at: datetime) -> None:
    """Tell both sides that the reviews show."""
    session = await _known(conn, fact.order_id)
    await plan(conn, *_to_both(session, "reviews_published", cause_of(fact), at))


async def tell_of_money(
    conn: Connection, fact: MoneyFact, *, kind: str, to: UUID, details: Details, at: datetime
) -> None:
    """Tell one side of a purchase what happened to its money; raises `Missing`."""
    session = await _known(conn, fact.order_id)
    await plan(conn, Plan(to, kind, cause_of(fact), at, session.order_id, details))


async def tell_of_payout(
    conn: Connection, fact: Fact, *, kind: str, to: UUID, details: Details, at: datetime
) -> None:
    """Tell a mentor what happened to a payout."""
    await plan(conn, Plan(to, kind, cause_of(fact), at, details=details))


def _named(order_id: UUID) -> str:
    return f"order:{order_id}"


async def _known(conn: Connection, order_id: UUID) -> Session:
    session = await store.find_session(conn, order_id)
    if session is None:
        raise Missing(_named(order_id))
    return session


async def _outdated(conn: Connection, fact: OrderFact) -> Session | None:
    """Return the purchase as known so far, or nothing when the fact is the older one."""
    session = await _known(conn, fact.order_id)
    return session if session.version < fact.version else None


def _brought_up(session: Session, fact: OrderFact) -> Session:
    return replace(
        session,
        starts_at=fact.starts_at,
        ends_at=fact.ends_at,
        calendar_sequence=fact.calendar_sequence,
        version=fact.version,
    )


def _to_both(session: Session, kind: str, cause: str, at: datetime) -> list[Plan]:
    return [Plan(person, kind, cause, at, session.order_id) for person in session.people]


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
