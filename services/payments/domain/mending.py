"""What an operator may do with the money of one session. Pure.

A refund that fails comes back to the platform's balance; Stripe sends it nowhere else by itself
(https://docs.stripe.com/refunds#failed-refunds). The rest of the charge may be refunded once more,
which helps when the bank was only away, or the mentee is paid from the platform's own account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.payments.domain.orders import ENDED, Order, Session
from services.payments.domain.outcomes import Earnings, Refund, gone_after, is_held_back
from services.payments.domain.splits import Split
from shared.contracts.payments import DebtWrittenOff
from shared.errors import Kind, Refusal
from shared.money import Money, charge_step, payout_step


class NothingToRelease(Refusal):
    """The earnings are not waiting, or the session has not ended."""

    code = "nothing_to_release"
    detail = "Only earnings of an ended session that are held back can be released."


class NotRefundable(Refusal):
    """The money of the order cannot be given back from here."""

    code = "not_refundable"
    detail = (
        "Only what is left of the price of an ended session can be given back here; a session ahead"
        " is cancelled instead, an objection is settled, and a dispute is the bank's to decide."
    )


class NothingToRefund(Refusal):
    """The fraction comes to nothing more than what has gone already."""

    code = "nothing_to_refund"
    detail = "This fraction of the price comes to nothing more than what went back already."


class RefundTooMuch(Refusal):
    """The amount is more than what is left of the price; the facts say how much that is."""

    code = "refund_too_much"
    detail = "No more can be given back than what is left of the price."


class RefundNotInSteps(Refusal):
    """Stripe cannot refund such an amount in this currency; the facts carry the step."""

    code = "refund_not_in_steps"
    detail = "Stripe refunds this currency in steps only; choose a multiple of the step."


class NothingToReverse(Refusal):
    """The mentor owes nothing that a transfer of theirs could bring back."""

    code = "nothing_to_reverse"
    detail = "Nothing is owed of a transfer that Stripe could not take back before."


class WriteOffTooMuch(Refusal):
    """More than the mentor owes and Stripe is not taking back just now, which the facts say."""

    code = "write_off_too_much"
    detail = "Not more can be written off than is owed and not being taken back at this moment."


class WriteOffNotInSteps(Refusal):
    """Stripe could not transfer what the debt would leave of a share; the facts carry the step."""

    code = "write_off_not_in_steps"
    detail = "Write off all of it, or a multiple of the step in which Stripe moves this currency."


class AmountsOutdated(Refusal):
    """The amounts that were shown are not those of now; the facts carry them."""

    code = "amounts_outdated"
    kind = Kind.OUTDATED
    detail = "Look at the amounts as they are now and confirm them."


class RefundNotFailed(Refusal):
    """There is no refund that came back."""

    code = "refund_not_failed"
    detail = "Only a refund that failed can be tried again or recorded as paid otherwise."


class CallOpen(Refusal):
    """Stripe is being asked about it at this moment."""

    code = "call_open"
    detail = "A call to Stripe about it has not ended; try again in a moment."


@dataclass(frozen=True)
class Possible:
    """What an operator may do with a session's money now."""

    release: bool
    refund: bool


def possible(order: Order, session: Session, earnings: Earnings | None) -> Possible:
    """Return what an operator may do now."""
    return Possible(
        release=earnings is not None and may_release(order, session, earnings),
        refund=earnings is not None and may_refund(order, session, earnings),
    )


def failed_of(refunds: Sequence[Refund]) -> list[Refund]:
    """Return the refunds that came back and still have to reach whoever paid."""
    return [refund for refund in refunds if refund.state == "failed"]


def failed_as_shown(
    refunds: Sequence[Refund], refund_id: UUID | None, amount_minor: int | None
) -> Refund:
    """Return the failed refund that was shown; raises `RefundNotFailed` or `AmountsOutdated`.

    A bank may have paid a part of it since: what is left is another refund, or has another amount.
    """
    failed = failed_of(refunds)
    if not failed:
        raise RefundNotFailed
    found = next((each for each in failed if each.refund_id == refund_id), failed[0])
    if (found.refund_id, found.amount.minor) != (refund_id, amount_minor):
        raise AmountsOutdated(
            refund_id=str(found.refund_id),
            amount_minor=found.amount.minor,
            currency=found.amount.currency,
        )
    return found


def may_release(order: Order, session: Session, earnings: Earnings) -> bool:
    """Return whether the earnings can be released before their time, or be sent again."""
    return may_release_early(order, session, earnings) or is_refused(earnings)


def may_release_early(order: Order, session: Session, earnings: Earnings) -> bool:
    """Return whether only the delay is waited for, and what there is to release is known."""
    return is_held_back(session, earnings) and not order.awaits_fee


def is_refused(earnings: Earnings) -> bool:
    """Return whether Stripe refused the transfer of what was released."""
    return earnings.transfer_state == "refused"


def may_refund(order: Order, session: Session, earnings: Earnings) -> bool:
    """Return whether something of the price can be given back, released or not.

    A session ahead is cancelled at booking instead, and an objection is settled there.
    """
    return (
        order.state == "paid"
        and session.decision in ENDED
        and session.objected_at is None
        and session.disputed_at is None
        and earnings.gone.minor < session.price.minor
    )


def amount_back(
    session: Session, earnings: Earnings, basis_points: int | None, amount_minor: int | None
) -> Money:
    """Return what goes back now: an amount, or what a fraction in all comes to.

    Raises `NothingToRefund`, `RefundTooMuch` or `RefundNotInSteps`.
    """
    left = session.price - earnings.gone
    if amount_minor is None:
        whole = gone_after(session, basis_points or 0, earnings.gone)
        back = whole - earnings.gone
    else:
        back = Money(amount_minor, left.currency)
    if back.minor <= 0:
        raise NothingToRefund
    if back.minor > left.minor:
        raise RefundTooMuch(left_minor=left.minor, currency=left.currency)
    step = charge_step(left.currency)
    if back.minor % step and back != left:
        raise RefundNotInSteps(step_minor=step, currency=left.currency)
    return back


def tell_of_write_off(write_off_id: UUID, mentor_id: UUID, amount: Money) -> DebtWrittenOff:
    """Return the fact that the platform bears what a mentor owed, told once."""
    return DebtWrittenOff(
        write_off_id=write_off_id,
        mentor_id=mentor_id,
        version=1,
        amount_minor=amount.minor,
        currency=amount.currency,
    )


def check_write_off(amount: Money, free: Money) -> None:
    """Raise `WriteOffTooMuch` or `WriteOffNotInSteps` unless so much of a debt can be forgiven."""
    if not 0 < amount.minor <= free.minor:
        raise WriteOffTooMuch(most_minor=free.minor, currency=amount.currency)
    step = payout_step(amount.currency)
    if amount.minor % step and amount != free:
        raise WriteOffNotInSteps(step_minor=step, currency=amount.currency)


def check_shown(split: Split, shown: tuple[int, int, int] | None) -> None:
    """Raise `AmountsOutdated` unless mentee's, mentor's and platform's amounts are as shown."""
    amounts = (split.mentee.minor, split.mentor.minor, split.platform.minor)
    if shown != amounts:
        mentee, mentor, platform = amounts
        raise AmountsOutdated(
            mentee_minor=mentee,
            mentor_minor=mentor,
            platform_minor=platform,
            currency=split.mentee.currency,
        )


def send_again(refund: Refund) -> Refund:
    """Return a failed refund as one that is about to be asked for once more."""
    return replace(
        refund,
        state="planned",
        stripe_refund_id=None,
        issued_at=None,
        failed_at=None,
        failure_code=None,
        attempt=refund.attempt + 1,
    )
