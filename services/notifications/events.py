"""Facts heard from the other services, and the commands they lead to."""

from __future__ import annotations

from services.notifications.commands import orders, people, planning, plans, prepaid, sessions
from services.notifications.domain.messages import Contact
from shared.contracts import booking, payments, profiles
from shared.contracts import prepaid as ahead
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
    _hear_requests(ears)
    _hear_orders(ears)
    _hear_moves(ears)
    _hear_outcomes(ears)
    _hear_money(ears)
    _hear_disputes(ears)
    _hear_amends(ears)
    _hear_credits(ears)
    _hear_plans(ears)
    _hear_accounts(ears)
    return ears


def _hear_contacts(ears: Ears, seal_private_key: str) -> None:
    @ears.on(profiles.ContactSealed)
    async def learn(conn: Connection, heard: Heard[profiles.ContactSealed]) -> None:
        opened = unseal(heard.fact.sealed, seal_private_key, contents.Contact)
        if opened.person_id != heard.fact.person_id:
            raise SealBroken("the sealed contact is another person's")
        contact = Contact(opened.person_id, opened.name, opened.email, opened.locale, opened.zone)
        await people.learn_contact(conn, contact, version=heard.fact.version)

    @ears.on(profiles.ContactErased)
    async def erase(conn: Connection, heard: Heard[profiles.ContactErased]) -> None:
        person_id, version = heard.fact.person_id, heard.fact.version
        await people.erase_contact(conn, person_id, version=version, now=heard.now)

    @ears.on(profiles.MessageSealed)
    async def plan(conn: Connection, heard: Heard[profiles.MessageSealed]) -> None:
        await planning.plan_one_time_message(conn, heard.fact, at=heard.happened_at)


def _hear_people(ears: Ears) -> None:
    for kind in QUIET:
        ears.on(kind)(_follow_quietly)

    @ears.on(profiles.MentorApproved)
    async def approved(conn: Connection, heard: Heard[profiles.MentorApproved]) -> None:
        await people.follow_mentor(
            conn, heard.fact, at=heard.happened_at, kind="mentor_approved", reason=None
        )

    @ears.on(profiles.MentorChangesRequested)
    async def changes(conn: Connection, heard: Heard[profiles.MentorChangesRequested]) -> None:
        await people.follow_mentor(
            conn,
            heard.fact,
            at=heard.happened_at,
            kind="mentor_changes_requested",
            reason=heard.fact.reason_code,
        )

    @ears.on(profiles.MentorSuspended)
    async def suspended(conn: Connection, heard: Heard[profiles.MentorSuspended]) -> None:
        await people.follow_mentor(
            conn,
            heard.fact,
            at=heard.happened_at,
            kind="mentor_suspended",
            reason=heard.fact.reason_code,
        )


async def _follow_quietly(conn: Connection, heard: Heard[profiles.PersonFact]) -> None:
    await people.follow_mentor(conn, heard.fact, at=heard.happened_at, kind=None, reason=None)


def _hear_reviews(ears: Ears) -> None:
    @ears.on(profiles.ReviewWritten)
    async def written(conn: Connection, heard: Heard[profiles.ReviewWritten]) -> None:
        await orders.note_review(conn, heard.fact, by=heard.fact.by)

    @ears.on(profiles.ReviewsPublished)
    async def published(conn: Connection, heard: Heard[profiles.ReviewsPublished]) -> None:
        await orders.tell_of_reviews(conn, heard.fact, at=heard.happened_at)


def _hear_requests(ears: Ears) -> None:
    @ears.on(booking.BookingRequested)
    async def requested(conn: Connection, heard: Heard[booking.BookingRequested]) -> None:
        await orders.open_request(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.RequestDeclined)
    async def declined(conn: Connection, heard: Heard[booking.RequestDeclined]) -> None:
        await orders.decline_request(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.RequestLapsed)
    async def lapsed(conn: Connection, heard: Heard[booking.RequestLapsed]) -> None:
        await orders.lapse_request(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.WaitlistOffered)
    async def offered(conn: Connection, heard: Heard[booking.WaitlistOffered]) -> None:
        await orders.offer_slot(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.WaitlistOfferEnded)
    async def not_taken(conn: Connection, heard: Heard[booking.WaitlistOfferEnded]) -> None:
        await orders.end_offer(conn, heard.fact, at=heard.happened_at)


def _hear_orders(ears: Ears) -> None:
    @ears.on(booking.BookingHeld)
    async def held(conn: Connection, heard: Heard[booking.BookingHeld]) -> None:
        await orders.hold_order(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.BookingConfirmed)
    async def confirmed(conn: Connection, heard: Heard[booking.BookingConfirmed]) -> None:
        await orders.confirm_order(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.BookingExpired)
    async def expired(conn: Connection, heard: Heard[booking.BookingExpired]) -> None:
        await orders.expire_order(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.BookingLost)
    async def lost(conn: Connection, heard: Heard[booking.BookingLost]) -> None:
        await orders.lose_order(conn, heard.fact, at=heard.happened_at)


def _hear_moves(ears: Ears) -> None:
    @ears.on(booking.MoveProposed)
    async def proposed(conn: Connection, heard: Heard[booking.MoveProposed]) -> None:
        await sessions.propose_move(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.MoveDeclined)
    async def declined(conn: Connection, heard: Heard[booking.MoveDeclined]) -> None:
        await sessions.decline_move(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.SessionMoved)
    async def moved(conn: Connection, heard: Heard[booking.SessionMoved]) -> None:
        await sessions.move_session(conn, heard.fact, at=heard.happened_at)


def _hear_outcomes(ears: Ears) -> None:
    @ears.on(booking.BookingCancelled)
    async def cancelled(conn: Connection, heard: Heard[booking.BookingCancelled]) -> None:
        await sessions.cancel_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.SessionCompleted)
    async def completed(conn: Connection, heard: Heard[booking.SessionCompleted]) -> None:
        await sessions.complete_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.SessionMissed)
    async def missed(conn: Connection, heard: Heard[booking.SessionMissed]) -> None:
        await sessions.miss_session(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.ObjectionRaised)
    async def raised(conn: Connection, heard: Heard[booking.ObjectionRaised]) -> None:
        await sessions.raise_objection(conn, heard.fact, at=heard.happened_at)

    @ears.on(booking.ObjectionSettled)
    async def settled(conn: Connection, heard: Heard[booking.ObjectionSettled]) -> None:
        await sessions.settle_objection(conn, heard.fact, at=heard.happened_at)


def _hear_money(ears: Ears) -> None:
    @ears.on(payments.PaymentSucceeded)
    async def paid(conn: Connection, heard: Heard[payments.PaymentSucceeded]) -> None:
        if heard.fact.amount_minor:  # Credits and codes paid the rest: no card, no receipt.
            await _tell_of_money(conn, heard, "payment_receipt", to_mentor=False)

    @ears.on(payments.RefundIssued)
    async def refunded(conn: Connection, heard: Heard[payments.RefundIssued]) -> None:
        await _tell_of_money(conn, heard, "refund_issued", to_mentor=False)

    @ears.on(payments.RefundFailed)
    async def refund_failed(conn: Connection, heard: Heard[payments.RefundFailed]) -> None:
        await _tell_of_money(conn, heard, "refund_failed", to_mentor=False)

    @ears.on(payments.TransferSent)
    async def transferred(conn: Connection, heard: Heard[payments.TransferSent]) -> None:
        netted = heard.fact.netted_minor
        more = {"netted_minor": netted} if netted else {}
        await _tell_of_money(conn, heard, "transfer_sent", to_mentor=True, **more)

    @ears.on(payments.DebtIncurred)
    async def owed(conn: Connection, heard: Heard[payments.DebtIncurred]) -> None:
        because = heard.fact.because
        await _tell_of_money(conn, heard, "debt_incurred", to_mentor=True, reason=because)

    @ears.on(payments.DebtWrittenOff)
    async def written_off(conn: Connection, heard: Heard[payments.DebtWrittenOff]) -> None:
        await prepaid.tell_of_write_off(conn, heard.fact, at=heard.happened_at)


def _hear_disputes(ears: Ears) -> None:
    @ears.on(payments.DisputeOpened)
    async def disputed(conn: Connection, heard: Heard[payments.DisputeOpened]) -> None:
        # A bank that only asks takes nothing yet, and stops nothing.
        if not heard.fact.inquiry:
            await _tell_of_money(conn, heard, "dispute_opened", to_mentor=True)

    @ears.on(payments.DisputeClosed)
    async def decided(conn: Connection, heard: Heard[payments.DisputeClosed]) -> None:
        if heard.fact.outcome != "inquiry_over":
            await _tell_of_money(conn, heard, f"dispute_{heard.fact.outcome}", to_mentor=True)


def _hear_amends(ears: Ears) -> None:
    @ears.on(payments.AmendsGranted)
    async def made_amends(conn: Connection, heard: Heard[payments.AmendsGranted]) -> None:
        await prepaid.tell_of_amends(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.AmendsReminded)
    async def amends_end(conn: Connection, heard: Heard[ahead.AmendsReminded]) -> None:
        await prepaid.remind_of_amends(conn, heard.fact, at=heard.happened_at)


def _hear_credits(ears: Ears) -> None:
    @ears.on(ahead.CreditsBought)
    async def bought(conn: Connection, heard: Heard[ahead.CreditsBought]) -> None:
        await prepaid.tell_of_purchase(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.GiftRedeemed)
    async def redeemed(conn: Connection, heard: Heard[ahead.GiftRedeemed]) -> None:
        await prepaid.tell_of_redemption(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsGranted)
    async def granted(conn: Connection, heard: Heard[ahead.CreditsGranted]) -> None:
        await prepaid.tell_of_grant(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsReturned)
    async def returned(conn: Connection, heard: Heard[ahead.CreditsReturned]) -> None:
        await prepaid.tell_of_return(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsReminded)
    async def reminded(conn: Connection, heard: Heard[ahead.CreditsReminded]) -> None:
        await prepaid.remind(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsExpired)
    async def over(conn: Connection, heard: Heard[ahead.CreditsExpired]) -> None:
        await prepaid.tell_of_end(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsRefunded)
    async def refunded(conn: Connection, heard: Heard[ahead.CreditsRefunded]) -> None:
        await prepaid.tell_of_refund(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.CreditsRefundFailed)
    async def refund_failed(conn: Connection, heard: Heard[ahead.CreditsRefundFailed]) -> None:
        await prepaid.tell_of_refund(conn, heard.fact, at=heard.happened_at)

    @ears.on(ahead.SponsoredSessionCompleted)
    async def thanked(conn: Connection, heard: Heard[ahead.SponsoredSessionCompleted]) -> None:
        await prepaid.thank(conn, heard.fact, at=heard.happened_at)


def _hear_plans(ears: Ears) -> None:
    @ears.on(payments.PlanStarted)
    async def begun(conn: Connection, heard: Heard[payments.PlanStarted]) -> None:
        await plans.tell_of_start(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanRenewed)
    async def renewed(conn: Connection, heard: Heard[payments.PlanRenewed]) -> None:
        await plans.tell_of_renewal(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanPaymentFailed)
    async def unpaid(conn: Connection, heard: Heard[payments.PlanPaymentFailed]) -> None:
        await plans.tell_of_failure(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanPaused)
    async def paused(conn: Connection, heard: Heard[payments.PlanPaused]) -> None:
        await plans.tell_of_pause(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanResumed)
    async def resumed(conn: Connection, heard: Heard[payments.PlanResumed]) -> None:
        await plans.tell_of_pause(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanRested)
    async def rested(conn: Connection, heard: Heard[payments.PlanRested]) -> None:
        await plans.tell_of_rest(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanContinued)
    async def continued(conn: Connection, heard: Heard[payments.PlanContinued]) -> None:
        await plans.tell_of_going_on(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanEndScheduled)
    async def ending(conn: Connection, heard: Heard[payments.PlanEndScheduled]) -> None:
        await plans.tell_of_ending(conn, heard.fact, at=heard.happened_at)

    @ears.on(payments.PlanEnded)
    async def ended(conn: Connection, heard: Heard[payments.PlanEnded]) -> None:
        await plans.tell_of_end(conn, heard.fact, at=heard.happened_at)


_MoneyHeard = (
    Heard[payments.PaymentSucceeded]
    | Heard[payments.RefundIssued]
    | Heard[payments.RefundFailed]
    | Heard[payments.TransferSent]
    | Heard[payments.DebtIncurred]
    | Heard[payments.DisputeOpened]
    | Heard[payments.DisputeClosed]
)
_ABOUT_ALL = (payments.PaymentSucceeded, payments.DisputeFact)
"""Facts about the money of all sessions of a purchase together."""


async def _tell_of_money(
    conn: Connection, heard: _MoneyHeard, kind: str, *, to_mentor: bool, **more: str | int
) -> None:
    fact = heard.fact
    await orders.tell_of_money(
        conn,
        fact,
        kind=kind,
        to=fact.mentor_id if to_mentor else fact.mentee_id,
        session_id=None if isinstance(fact, _ABOUT_ALL) else fact.session_id,
        details={"amount_minor": fact.amount_minor, "currency": fact.currency, **more},
        at=heard.happened_at,
    )


def _hear_accounts(ears: Ears) -> None:
    @ears.on(payments.AccountConnected)
    async def connected(conn: Connection, heard: Heard[payments.AccountConnected]) -> None:
        await people.follow_account(conn, heard.fact, at=heard.happened_at, tell=True)

    @ears.on(payments.AccountChanged)
    async def changed(conn: Connection, heard: Heard[payments.AccountChanged]) -> None:
        await people.follow_account(conn, heard.fact, at=heard.happened_at, tell=True)

    @ears.on(payments.AccountSnapshot)
    async def told_again(conn: Connection, heard: Heard[payments.AccountSnapshot]) -> None:
        await people.follow_account(conn, heard.fact, at=heard.happened_at, tell=False)

    @ears.on(payments.PayoutPaid)
    async def paid_out(conn: Connection, heard: Heard[payments.PayoutPaid]) -> None:
        await _tell_of_payout(conn, heard, "payout_paid", reason=None)

    @ears.on(payments.PayoutFailed)
    async def payout_failed(conn: Connection, heard: Heard[payments.PayoutFailed]) -> None:
        await _tell_of_payout(conn, heard, "payout_failed", reason=heard.fact.failure_code)

    @ears.on(payments.StatementIssued)
    async def stated(conn: Connection, heard: Heard[payments.StatementIssued]) -> None:
        fact = heard.fact
        details: dict[str, str | int] = {
            "currency": fact.currency,
            "month": fact.period_from.isoformat(),
        }
        await planning.tell_of_payout(
            conn, fact, kind="statement_ready", to=fact.mentor_id, details=details,
            at=heard.happened_at,
        )  # fmt: skip


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
    if fact.again:
        details["again"] = 1
    if reason:
        details["reason"] = reason.replace("_", " ")
    await planning.tell_of_payout(
        conn, fact, kind=kind, to=fact.mentor_id, details=details, at=heard.happened_at
    )
