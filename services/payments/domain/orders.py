"""A purchase as `payments` sees it: the payment page, the payment, and what booking decided.

being_prepared → open → closing → closed, and from each of the first three → paid. What becomes of
paid money follows booking's decision alone: confirmed, lost, cancelled or completed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.payments.domain.requests import CreateCheckout
from services.payments.domain.seen import PaymentSeen
from shared.contracts.booking import BookingHeld
from shared.contracts.payments import CheckoutClosed, CheckoutOpened, PaymentSucceeded
from shared.money import Money

State = Literal["being_prepared", "open", "closing", "closed", "paid"]
Decision = Literal["held", "confirmed", "expired", "lost", "cancelled", "completed"]

LOOK_EVERY = timedelta(minutes=5)
"""How often an open page is looked at by itself, should every notice of Stripe be lost."""
FEE_LOOK_EVERY = timedelta(hours=1)
"""How often a payment is looked at until Stripe's fee is known."""
CLOSES_BY_ITSELF_AFTER = timedelta(minutes=31)
"""After the hold; Stripe demands 30 minutes from creation, and the page is created before it ends
(https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at)."""
RETURN_PATH = "{web}/orders/{order_id}/return"
BACK_PATH = "{web}/orders/{order_id}"


@dataclass(frozen=True)
class Terms:
    """The platform's terms, frozen on each purchase when it begins."""

    web_url: str
    platform_share_basis_points: int
    release_delay: timedelta


@dataclass(frozen=True)
class Order:
    """One purchase; see the module for its states."""

    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    title: str
    price: Money
    platform_share_basis_points: int
    release_delay: timedelta
    hold_until: datetime
    state: State
    close_at: datetime
    look_at: datetime | None
    decision: Decision
    checkout_id: str | None
    checkout_url: str | None
    payment_intent_id: str | None
    charge_id: str | None
    stripe_fee_minor: int | None
    paid_at: datetime | None
    closed_because: str | None
    opened_at: datetime
    version: int


class PaymentMismatch(Exception):
    """Stripe's payment is not the price of the order: nothing is posted, an operator looks."""


def begin(held: BookingHeld, terms: Terms, now: datetime) -> Order:
    """Begin a purchase with what booking froze in the fact."""
    return Order(
        order_id=held.order_id,
        session_id=held.session_id,
        mentor_id=held.mentor_id,
        mentee_id=held.mentee_id,
        title=held.title,
        price=Money(held.price_minor, held.currency),
        platform_share_basis_points=terms.platform_share_basis_points,
        release_delay=terms.release_delay,
        hold_until=held.hold_until,
        state="being_prepared",
        close_at=held.hold_until,
        look_at=None,
        decision="held",
        checkout_id=None,
        checkout_url=None,
        payment_intent_id=None,
        charge_id=None,
        stripe_fee_minor=None,
        paid_at=None,
        closed_because=None,
        opened_at=now,
        version=0,
    )


def checkout_for(order: Order, terms: Terms) -> CreateCheckout:
    """Return the call that opens the payment page of an order."""
    places = {"web": terms.web_url.rstrip("/"), "order_id": order.order_id}
    return CreateCheckout(
        order_id=order.order_id,
        mentee_id=order.mentee_id,
        title=order.title,
        amount_minor=order.price.minor,
        currency=order.price.currency,
        expires_at=order.hold_until + CLOSES_BY_ITSELF_AFTER,
        send_before=order.hold_until,
        success_url=RETURN_PATH.format(**places),
        cancel_url=BACK_PATH.format(**places),
    )


def page_opened(
    order: Order, checkout_id: str, url: str | None, now: datetime
) -> tuple[Order, CheckoutOpened]:
    """Note that the payment page exists."""
    opened = replace(
        order,
        state="open",
        checkout_id=checkout_id,
        checkout_url=url,
        look_at=now + LOOK_EVERY,
        version=order.version + 1,
    )
    return opened, CheckoutOpened(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=opened.version,
    )


def page_closed(order: Order, because: str) -> tuple[Order, CheckoutClosed]:
    """Note that no payment can come through the page any more."""
    closed = replace(
        order,
        state="closed",
        checkout_url=None,
        look_at=None,
        closed_because=because,
        version=order.version + 1,
    )
    return closed, CheckoutClosed(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=closed.version,
    )


def pay(order: Order, payment: PaymentSeen, now: datetime) -> tuple[Order, PaymentSucceeded]:
    """Note that the price was paid, from whichever state; raises `PaymentMismatch`."""
    if (payment.amount_minor, payment.currency) != (order.price.minor, order.price.currency):
        raise PaymentMismatch(str(order.order_id))
    paid, fact = settle_price(order, payment.paid_at)
    return replace(
        paid,
        payment_intent_id=payment.payment_intent_id,
        charge_id=payment.charge_id,
        look_at=now + FEE_LOOK_EVERY,
    ), fact


def settle_price(order: Order, paid_at: datetime) -> tuple[Order, PaymentSucceeded]:
    """Note that nothing is left to pay: the price came, or it is zero."""
    paid = replace(
        order,
        state="paid",
        checkout_url=None,
        look_at=None,
        paid_at=paid_at,
        version=order.version + 1,
    )
    return paid, PaymentSucceeded(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=paid.version,
        amount_minor=order.price.minor,
        currency=order.price.currency,
        paid_at=paid_at,
    )
