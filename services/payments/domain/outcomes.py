"""What becomes of a session's part of a paid price: refunds, earnings of the rest, a transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.domain.splits import Split, fraction, retain
from shared.contracts.payments import EarningsReleased, RefundFailed, RefundIssued, TransferSent
from shared.money import Money

RefundReason = Literal["booking_lost", "cancelled", "operator"]
CANNOT_RECEIVE = "insufficient_capabilities_for_transfer"
"""Stripe's refusal of a transfer to an account that it does not let receive money now."""

RefundState = Literal["planned", "issued", "settled", "failed", "paid_otherwise"]
TransferState = Literal["waiting", "planned", "refused", "sent", "nothing"]


@dataclass(frozen=True)
class Refund:
    """Money on its way back to the mentee; `attempt` counts the refunds asked of Stripe for it."""

    refund_id: UUID
    order_id: UUID
    session_id: UUID
    amount: Money
    reason: RefundReason
    state: RefundState
    stripe_refund_id: str | None
    planned_at: datetime
    issued_at: datetime | None = None
    failed_at: datetime | None = None
    failure_code: str | None = None
    attempt: int = 1


@dataclass(frozen=True)
class Earnings:
    """What stays of a session's part; `due_at` is unknown until booking says how it ended.

    Nothing is released while the session is objected to, however long ago it was due.
    """

    session_id: UUID
    order_id: UUID
    mentor_id: UUID
    mentor: Money
    platform: Money
    due_at: datetime | None
    released_at: datetime | None
    transfer_state: TransferState
    stripe_transfer_id: str | None = None
    transferred_at: datetime | None = None


class AlreadyReleased(Exception):
    """Booking takes back a session whose money was given out: an operator must settle it."""


def divided(order: Order, session: Session, gone: Money) -> Split:
    """Divide a session's part, of which so much has gone, by the terms frozen on the order."""
    return retain(session.price, gone, order.platform_share_basis_points)


def gone_after(session: Session, refund_basis_points: int, gone: Money) -> Money:
    """Return what has gone after a refund of a fraction in all; what went before counts."""
    wanted = fraction(session.price, refund_basis_points)
    return Money(max(wanted.minor, gone.minor), gone.currency)


def refunded_of(session: Session, refunds: Sequence[Refund]) -> Money:
    """Return what went back of a session's part, or is about to."""
    none = Money(0, session.price.currency)
    return sum((refund.amount for refund in refunds), none)


def expect(order: Order, session: Session) -> Earnings:
    """Return what will be earned when the session takes place."""
    split = divided(order, session, Money(0, session.price.currency))
    return Earnings(
        session.session_id,
        order.order_id,
        order.mentor_id,
        split.mentor,
        split.platform,
        None,
        None,
        "waiting",
    )


def keep_part(earnings: Earnings, split: Split) -> Earnings:
    """Reduce the earnings to what is retained after a refund; raises `AlreadyReleased`."""
    if earnings.released_at is not None:
        raise AlreadyReleased(str(earnings.session_id))
    return replace(
        earnings,
        mentor=split.mentor,
        platform=split.platform,
        due_at=earnings.due_at if split.retained.minor else None,
        transfer_state="waiting" if split.mentor.minor else "nothing",
    )


def release_from(earnings: Earnings, due_at: datetime) -> Earnings:
    """Have the earnings released from an instant on, the latest that was named.

    What was released stays so, and where nothing is left there is nothing to release.
    """
    nothing = not earnings.mentor.minor + earnings.platform.minor
    if nothing or earnings.released_at is not None:
        return earnings
    return replace(earnings, due_at=max(due_at, earnings.due_at or due_at))


def hold_back(session: Session, earnings: Earnings, objected_at: datetime) -> Session:
    """Stop the release of what is objected to; what was released before stays so."""
    released = earnings.released_at is not None
    return session if released else replace(session, objected_at=objected_at)


def issue(
    order: Order, refund: Refund, stripe_refund_id: str, now: datetime
) -> tuple[Order, Refund, RefundIssued]:
    """Note that Stripe accepted the refund."""
    told = replace(order, version=order.version + 1)
    issued = replace(refund, state="issued", stripe_refund_id=stripe_refund_id, issued_at=now)
    return (
        told,
        issued,
        RefundIssued(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=told.version,
            refund_id=refund.refund_id,
            amount_minor=refund.amount.minor,
            currency=refund.amount.currency,
            reason=refund.reason,
            session_id=refund.session_id,
        ),
    )


def fail(
    order: Order, refund: Refund, code: str | None, now: datetime
) -> tuple[Order, Refund, RefundFailed]:
    """Note that the refund came back, or that Stripe refused it."""
    told = replace(order, version=order.version + 1)
    failed = replace(refund, state="failed", failed_at=now, failure_code=code)
    return (
        told,
        failed,
        RefundFailed(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=told.version,
            refund_id=refund.refund_id,
            amount_minor=refund.amount.minor,
            currency=refund.amount.currency,
            session_id=refund.session_id,
        ),
    )


def is_held_back(session: Session, earnings: Earnings) -> bool:
    """Return whether only the delay of the release is waited for."""
    waits = earnings.released_at is None and earnings.due_at is not None
    return waits and session.objected_at is None


def is_due(session: Session, earnings: Earnings, now: datetime) -> bool:
    """Return whether the earnings are to be released now."""
    return (
        is_held_back(session, earnings) and earnings.due_at is not None and earnings.due_at <= now
    )


def release(
    order: Order, earnings: Earnings, now: datetime
) -> tuple[Order, Earnings, EarningsReleased]:
    """Make the split final: the release delay is over."""
    told = replace(order, version=order.version + 1)
    transfer_state: TransferState = "waiting" if earnings.mentor.minor else "nothing"
    released = replace(earnings, released_at=now, transfer_state=transfer_state)
    return (
        told,
        released,
        EarningsReleased(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=told.version,
            mentor_minor=earnings.mentor.minor,
            platform_minor=earnings.platform.minor,
            currency=earnings.mentor.currency,
            session_id=earnings.session_id,
        ),
    )


def sent(
    order: Order, earnings: Earnings, stripe_transfer_id: str, now: datetime
) -> tuple[Order, Earnings, TransferSent]:
    """Note that the mentor's share is at the connected account."""
    told = replace(order, version=order.version + 1)
    moved = replace(
        earnings,
        transfer_state="sent",
        stripe_transfer_id=stripe_transfer_id,
        transferred_at=now,
    )
    return (
        told,
        moved,
        TransferSent(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=told.version,
            amount_minor=earnings.mentor.minor,
            currency=earnings.mentor.currency,
            session_id=earnings.session_id,
        ),
    )
