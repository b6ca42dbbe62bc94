"""Facts heard from the other services, and the commands they lead to."""

from __future__ import annotations

from services.notifications import commands
from services.notifications.domain.messages import Contact
from shared.contracts import booking, payments, profiles
from shared.contracts import sealed as contents
from shared.contracts.payments import PayoutFact
from shared.db import Connection
from shared.inbox import Ears, Heard
from shared.seal import SealBroken, unseal

QUIET: tuple[type[profiles.PersonFact], ...] = (
    profiles.PersonRegistered,
    profiles.PersonVerified,
    profiles.MentorProfileSubmitted,
    profiles.PersonSnapshot,
)
"""Facts about people that change what we know and cause no message."""


def hear(seal_private_key: str) -> Ears:
    """Return what this service obeys."""
    ears = Ears()
    _hear_contacts(ears, seal_private_key)
    _hear_people(ears)
    _hear_reviews(ears)
    _hear_orders(ears)
    _hear_money(ears)
    _hear_accounts(ears)
    return ears


def _hear_contacts(ears: Ears, seal_private_key: str) -> None:
    @ears.on(profiles.ContactSealed)
    async def learn(conn: Connection, heard: Heard[profiles.ContactSealed]) -> None:
        opened = unseal(heard.fact.sealed, seal_private_key, contents.Contact)
        if opened.person_id != heard.fact.person_id:
            raise SealBroken("the sealed contact is another person's")
        contact = Contact(opened.person_id, opened.name, opened.email, opened.locale, opened.zone)
        await commands.learn_contact(conn, contact, version=heard.fact.version)

    @ears.on(profiles.ContactErased)
    async def erase(conn: Connection, heard: Heard[profiles.ContactErased]) -> None:
        person_id, version = heard.fact.person_id, heard.fact.version
        await commands.erase_contact(conn, person_id, version=version, now=heard.now)

    @ears.on(profiles.MessageSealed)
    async def plan(conn: Connection, heard: Heard[profiles.MessageSealed]) -> None:
        await commands.plan_one_time_message(conn, heard.fact, at=heard.happened_at)


def _hear_people(ears: Ears) -> None:
    for kind in QUIET:
        ears.on(kind)(_follow_quietly)

    @ears.on(profiles.MentorApproved)
    async def approved(conn: Connection, heard: Heard[profiles.MentorApproved]) -> None:
        await commands.follow_mentor(
            conn, heard.fact, at=heard.happened_at, kind="mentor_approved", reason=None
        )

    @ears.on(profiles.MentorChangesRequested)
    async def changes(conn: Connection, heard: Heard[profiles.MentorChangesRequested]) -> None:
        await commands.follow_mentor(
            conn,
            heard.fact,
            at=heard.happened_at,
            kind="mentor_changes_requested",
            reason=heard.fact.reason_code,
        )

    @ears.on(profiles.MentorSuspended)
    async def suspended(conn: Connection, heard: Heard[profiles.MentorSuspended]) -> None:
        await commands.follow_mentor(
            conn,
            heard.fact,
            at=heard.happened_at,
            kind="mentor_suspended",
            reason=heard.fact.reason_code,
        )


async def _follow_quietly(conn: Connection, heard: Heard[profiles.PersonFact]) -> None:
    await commands.follow_mentor(conn, heard.fact, at=heard.happened_at, kind=None, reason=None)


def _hear_reviews(ears: Ears) -> None:
    @ears.on(profiles.ReviewWritten)
    async def written(conn: Connection, heard: Heard[profiles.ReviewWritten]) -> None:
        await commands.note_review(conn, heard.fact, by=heard.fact.by)

    @ears.on(profiles.ReviewsPublished)
    async def published(conn: Connection, heard: Heard[profiles.ReviewsPublished]) -> None:
        await commands.tell_of_reviews(conn, heard.fact, at=heard.happened_at)


def _hear_orders(ears: Ears) -> None:
    @ears.on(booking.BookingHeld)
    async def held(conn: Connection, heard: Heard[booking.BookingHeld]) -> None:
        await commands.open_session(conn, heard.fact)

    @ears.on(booking.BookingConfirmed)
    async def confirmed(conn: Connection, heard: Heard[booking.BookingConfirmed]) -> None:
        await commands.confirm_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.BookingExpired)
    async def expired(conn: Connection, heard: Heard[booking.BookingExpired]) -> None:
        await commands.expire_session(conn, heard.fact)

    @ears.on(booking.BookingLost)
    async def lost(conn: Connection, heard: Heard[booking.BookingLost]) -> None:
        await commands.lose_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.BookingCancelled)
    async def cancelled(conn: Connection, heard: Heard[booking.BookingCancelled]) -> None:
        await commands.cancel_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.SessionCompleted)
    async def completed(conn: Connection, heard: Heard[booking.SessionCompleted]) -> None:
        await commands.complete_session(conn, heard.fact, at=heard.happened_at)


def _hear_money(ears: Ears) -> None:
    @ears.on(payments.PaymentSucceeded)
    async def paid(conn: Connection, heard: Heard[payments.PaymentSucceeded]) -> None:
        await _tell_of_money(conn, heard, "payment_receipt", to_mentor=False)

    @ears.on(payments.RefundIssued)
    async def refunded(conn: Connection, heard: Heard[payments.RefundIssued]) -> None:
        await _tell_of_money(conn, heard, "refund_issued", to_mentor=False)

    @ears.on(payments.RefundFailed)
    async def refund_failed(conn: Connection, heard: Heard[payments.RefundFailed]) -> None:
        await _tell_of_money(conn, heard, "refund_failed", to_mentor=False)

    @ears.on(payments.TransferSent)
    async def transferred(conn: Connection, heard: Heard[payments.TransferSent]) -> None:
        await _tell_of_money(conn, heard, "transfer_sent", to_mentor=True)


_MoneyHeard = (
    Heard[payments.PaymentSucceeded]
    | Heard[payments.RefundIssued]
    | Heard[payments.RefundFailed]
    | Heard[payments.TransferSent]
)


async def _tell_of_money(
    conn: Connection, heard: _MoneyHeard, kind: str, *, to_mentor: bool
) -> None:
    fact = heard.fact
    await commands.tell_of_money(
        conn,
        fact,
        kind=kind,
        to=fact.mentor_id if to_mentor else fact.mentee_id,
        details={"amount_minor": fact.amount_minor, "currency": fact.currency},
        at=heard.happened_at,
    )


def _hear_accounts(ears: Ears) -> None:
    @ears.on(payments.AccountConnected)
    async def connected(conn: Connection, heard: Heard[payments.AccountConnected]) -> None:
        await commands.follow_account(conn, heard.fact, at=heard.happened_at, tell=True)

    @ears.on(payments.AccountChanged)
    async def changed(conn: Connection, heard: Heard[payments.AccountChanged]) -> None:
        await commands.follow_account(conn, heard.fact, at=heard.happened_at, tell=True)

    @ears.on(payments.AccountSnapshot)
    async def told_again(conn: Connection, heard: Heard[payments.AccountSnapshot]) -> None:
        await commands.follow_account(conn, heard.fact, at=heard.happened_at, tell=False)

    @ears.on(payments.PayoutPaid)
    async def paid_out(conn: Connection, heard: Heard[payments.PayoutPaid]) -> None:
        await _tell_of_payout(conn, heard, "payout_paid", reason=None)

    @ears.on(payments.PayoutFailed)
    async def payout_failed(conn: Connection, heard: Heard[payments.PayoutFailed]) -> None:
        await _tell_of_payout(conn, heard, "payout_failed", reason=heard.fact.failure_code)


async def _tell_of_payout(
    conn: Connection,
    heard: Heard[payments.PayoutPaid] | Heard[payments.PayoutFailed],
    kind: str,
    *,
    reason: str | None,
) -> None:
    fact: PayoutFact = heard.fact
    details: dict[str, str | int] = {
        "amount_minor": fact.amount_minor,
        "currency": fact.currency,
    }
    if reason:
        details["reason"] = reason.replace("_", " ")
    await commands.tell_of_payout(
        conn, fact, kind=kind, to=fact.mentor_id, details=details, at=heard.happened_at
    )
