"""What becomes of a session's part of a paid price: refunds, earnings of the rest, a transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.payments.domain.fees import divide
from services.payments.domain.orders import Order, Session
from services.payments.domain.splits import Split, fraction
from shared.contracts.payments import (
    EarningsReleased,
    RefundFailed,
    RefundIssued,
)
from shared.contracts.prepaid import CreditsRefunded, CreditsRefundFailed
from shared.ids import new_id
from shared.money import Money, charge_step

RefundReason = Literal["booking_lost", "cancelled", "operator"]
CHARGE_DISPUTED = "charge_disputed"
"""Stripe's refusal of a refund of what a bank has taken back already."""
CANNOT_RECEIVE = "insufficient_capabilities_for_transfer"
"""Stripe's refusal of a transfer to an account that it does not let receive money now."""

RefundState = Literal["planned", "issued", "settled", "failed", "paid_otherwise"]
BackTo = Literal["card", "credit", "giver"]
"""Where it goes back to: the mentee's card, the mentee's credits, or the card of who gave them."""
TransferState = Literal["waiting", "planned", "refused", "sent", "nothing"]


@dataclass(frozen=True)
class Refund:
    """Money on its way back to the mentee; `attempt` counts the refunds asked of Stripe for it.

    With a session and a lot it is the credit that came back, and no money moves; with a lot alone
    it is the money of unused credits. What of the price a promotion code had taken off goes back to
    the platform with it (`discount_minor`), and no money moves where that is all.
    """

    refund_id: UUID
    order_id: UUID
    session_id: UUID | None
    amount: Money
    reason: RefundReason
    state: RefundState
    stripe_refund_id: str | None
    planned_at: datetime
    issued_at: datetime | None = None
    failed_at: datetime | None = None
    failure_code: str | None = None
    attempt: int = 1
    lot_id: UUID | None = None
    discount_minor: int = 0


@dataclass(frozen=True)
class Earnings:
    """What stays of a session's part; `due_at` is unknown until booking says how it ended.

    Of the part `gone` has left to the mentee's side, by `gone_by_card` of the card's money when it
    was read. Of the mentor's share `payable` is released and not transferred yet. Nothing is
    released while the session is objected to or disputed.
    """

    session_id: UUID
    order_id: UUID
    mentor_id: UUID
    mentor: Money
    platform: Money
    due_at: datetime | None
    released_at: datetime | None
    transfer_state: TransferState
    gone: Money
    payable: Money
    gone_by_card: Money


def divided(order: Order, session: Session, gone: Money) -> Split:
    """Divide a session's part, of which so much has gone, by the terms frozen on the order."""
    return divide(session.price, gone, order.fees, order.borne_by(session))


def is_covered(refund: Refund) -> bool:
    """Return whether the bank paid a refund in our place, by a dispute of the same payment."""
    return refund.state == "paid_otherwise" and refund.failure_code == CHARGE_DISPUTED


def banks_part(amount: Money, paid: Money, sent_minor: int, taken_minor: int) -> Money:
    """Return what of a refund a bank has paid: what a charge does not bear beside its disputes.

    The charge brought `paid`. The mentee gets some of it by other refunds, a bank took some.
    """
    too_much = amount.minor + sent_minor + taken_minor - paid.minor
    return Money(max(0, min(amount.minor, taken_minor, too_much)), amount.currency)


def split(refund: Refund, amount: Money) -> tuple[Refund, Refund | None]:
    """Leave an amount of a refund in it; return the rest as a refund of its own.

    Stripe knows it by no name of its own, but it stays one that Stripe had sent (`issued_at`).
    """
    rest = refund.amount - amount
    if not rest.minor:
        return refund, None
    alone = replace(refund, refund_id=new_id(), amount=rest, stripe_refund_id=None)
    return replace(refund, amount=amount), replace(alone, attempt=1, discount_minor=0)


def leave_to_bank(refund: Refund) -> Refund:
    """Return a refund as one that a bank paid in our place."""
    return replace(refund, state="paid_otherwise", failure_code=CHARGE_DISPUTED)


def pay_otherwise(refund: Refund) -> Refund:
    """Return a refund as one that an operator paid: no bank's end of a dispute sends it again."""
    return replace(refund, state="paid_otherwise", failure_code=None)


def gone_after(session: Session, refund_basis_points: int, gone: Money) -> Money:
    """Return what has gone after a refund of a fraction in all; what went before counts."""
    wanted = fraction(session.price, refund_basis_points)
    return Money(max(wanted.minor, gone.minor), gone.currency)


def back_to(session: Session, gone: Money, after: Money, *, given: bool) -> BackTo:
    """Return where it goes back to if so much has gone, and so much of a session will have.

    A credit comes back whole or not at all; a part of what it paid for is money.
    """
    if session.lot_id is None:
        return "card"
    if not gone.minor and after == session.price:
        return "credit"
    return "giver" if given else "card"


def refunded_of(session: Session, refunds: Sequence[Refund]) -> Money:
    """Return what went back of a session's part, or is about to."""
    none = Money(0, session.price.currency)
    return sum((refund.amount for refund in refunds), none)


def expect(order: Order, session: Session) -> Earnings:
    """Return what will be earned when the session takes place."""
    nothing = Money(0, session.price.currency)
    split = divided(order, session, nothing)
    return Earnings(
        session.session_id,
        order.order_id,
        order.mentor_id,
        split.mentor,
        split.platform,
        None,
        None,
        "waiting" if split.mentor.minor else "nothing",
        nothing,
        nothing,
        nothing,
    )


def by_card_of(session: Session, earnings: Earnings, amount: Money) -> Money:
    """Return what goes back to the card with an amount that is left of a session's price.

    As much as makes the fraction whole that has gone then, whatever refunds and banks took before.
    Of the card's money no more stays than of the price, so that the last one takes all of it.
    """
    gone = earnings.gone + amount
    due = (session.by_card(gone) - earnings.gone_by_card).minor
    step = charge_step(amount.currency)
    due = min(max(0, due), amount.minor) // step * step
    stays = (session.price - gone).minor
    least = (session.by_card(session.price) - earnings.gone_by_card).minor - stays
    return Money(max(due, least), amount.currency)


def release_from(earnings: Earnings, due_at: datetime) -> Earnings:
    """Have the earnings released from an instant on, the latest that was named.

    What was released stays so; where nothing is left the instant waits for what may come back.
    """
    if earnings.released_at is not None:
        return earnings
    return replace(earnings, due_at=max(due_at, earnings.due_at or due_at))


def hold_back(session: Session, earnings: Earnings, objected_at: datetime) -> Session:
    """Stop the release of what is objected to; what was released before stays so."""
    released = earnings.released_at is not None
    return session if released else replace(session, objected_at=objected_at)


def issue(
    order: Order, refund: Refund, payer_id: UUID, stripe_refund_id: str, now: datetime
) -> tuple[Order, Refund, RefundIssued | CreditsRefunded]:
    """Note that Stripe accepted the refund; who was given the session hears of no money."""
    told = replace(order, version=order.version + 1)
    issued = replace(refund, state="issued", stripe_refund_id=stripe_refund_id, issued_at=now)
    about = _about(told, refund, payer_id)
    if refund.session_id is None or payer_id != order.mentee_id:
        return told, issued, CreditsRefunded(**about)
    fact = RefundIssued(**about, reason=refund.reason, session_id=refund.session_id)
    return told, issued, fact


def fail(
    order: Order, refund: Refund, payer_id: UUID, code: str | None, now: datetime
) -> tuple[Order, Refund, RefundFailed | CreditsRefundFailed]:
    """Note that the refund came back, or that Stripe refused it."""
    told = replace(order, version=order.version + 1)
    failed = replace(refund, state="failed", failed_at=now, failure_code=code)
    about = _about(told, refund, payer_id)
    if refund.session_id is None or payer_id != order.mentee_id:
        return told, failed, CreditsRefundFailed(**about)
    return told, failed, RefundFailed(**about, session_id=refund.session_id)


def _about(order: Order, refund: Refund, payer_id: UUID) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "mentor_id": order.mentor_id,
        "mentee_id": payer_id,
        "version": order.version,
        "refund_id": refund.refund_id,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
    }


def is_held_back(session: Session, earnings: Earnings) -> bool:
    """Return whether only the delay of the release is waited for."""
    waits = earnings.released_at is None and earnings.due_at is not None
    free = session.objected_at is None and session.disputed_at is None
    return waits and free and bool(earnings.mentor.minor + earnings.platform.minor)


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
    released = replace(earnings, released_at=now, payable=earnings.mentor)
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
