"""What an operator may do with the money of one session. Pure.

A refund that fails comes back to the platform's balance; Stripe sends it nowhere else by itself
(https://docs.stripe.com/refunds#failed-refunds). The rest of the charge may be refunded once more,
which helps when the bank was only away, or the mentee is paid from the platform's own account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.payments.domain.orders import ENDED, Order, Session
from services.payments.domain.outcomes import Earnings, Refund, is_held_back
from services.payments.domain.splits import Split
from shared.errors import Kind, Refusal


class NothingToRelease(Refusal):
    """The earnings are not waiting, or the session has not ended."""

    code = "nothing_to_release"
    detail = "Only earnings of an ended session that are held back can be released."


class NotRefundable(Refusal):
    """The money of the order cannot be given back from here."""

    code = "not_refundable"
    detail = (
        "Only the price of an ended session, of which nothing was refunded or released yet, can be"
        " given back here; a session ahead is cancelled instead, and an objection is settled."
    )


class NothingToRefund(Refusal):
    """The fraction comes to no amount."""

    code = "nothing_to_refund"
    detail = "This fraction of the price comes to nothing."


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
    retry_refund: bool


def possible(
    order: Order, session: Session, earnings: Earnings | None, refunds: Sequence[Refund]
) -> Possible:
    """Return what an operator may do now."""
    return Possible(
        release=earnings is not None and may_release(session, earnings),
        refund=may_refund(order, session, earnings, refunds),
        retry_refund=failed_of(refunds) is not None,
    )


def failed_of(refunds: Sequence[Refund]) -> Refund | None:
    """Return the first refund that came back and still has to reach the mentee."""
    return next((refund for refund in refunds if refund.state == "failed"), None)


def may_release(session: Session, earnings: Earnings) -> bool:
    """Return whether the earnings can be released before their time, or be sent again."""
    return is_held_back(session, earnings) or is_refused(earnings)


def is_refused(earnings: Earnings) -> bool:
    """Return whether Stripe refused the transfer of what was released."""
    return earnings.transfer_state == "refused"


def may_refund(
    order: Order, session: Session, earnings: Earnings | None, refunds: Sequence[Refund]
) -> bool:
    """Return whether something of the price can be given back.

    A session ahead is cancelled at booking instead, and an objection is settled there.
    """
    return (
        order.payment_intent_id is not None
        and session.decision in ENDED
        and session.objected_at is None
        and earnings is not None
        and earnings.released_at is None
        and not refunds
    )


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
