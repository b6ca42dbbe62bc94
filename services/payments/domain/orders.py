"""A purchase as `payments` sees it: the payment page, the payment, and what booking decided.

being_prepared → open → closing → closed, and from each of the first three → paid. The page and the
payment are the whole purchase's; from then on each of its sessions has a part of the price, and
what becomes of that follows booking's decision alone: confirmed, lost, cancelled, completed or
no_show. What costs nothing is paid from the start, without a page, a posting or a word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.payments.domain.fees import FeeTerms
from services.payments.domain.promotions import Why
from services.payments.domain.requests import CreateCheckout
from services.payments.domain.seen import PaymentSeen
from services.payments.ledger.entries import Part
from shared.contracts.booking import BookingHeld
from shared.contracts.payments import CheckoutClosed, CheckoutOpened, PaymentSucceeded
from shared.errors import Kind as RefusalKind
from shared.errors import NotFound, Refusal
from shared.money import CURRENCIES, Money, charge_step, spread

CreditKind = Literal["package", "gift", "sponsorship", "plan"]
Kind = Literal["sessions"] | CreditKind
"""What is bought: sessions that booking holds, or credits for sessions to come."""
State = Literal["being_prepared", "open", "closing", "closed", "paid"]
Decision = Literal["held", "confirmed", "expired", "lost", "cancelled", "completed", "no_show"]

ENDED = frozenset({"completed", "no_show", "cancelled"})
"""What booking says of a session that is over, one way or another."""

LOOK_EVERY = timedelta(minutes=5)
"""How often at most an open page is looked at by itself, should every notice be lost."""
LOOKS_PER_HOLD = 12
"""A page that is open for a day is looked at less often."""
FEE_LOOK_EVERY = timedelta(hours=1)
"""How often a payment is looked at until Stripe's fee is known."""
CLOSES_BY_ITSELF_AFTER = timedelta(minutes=31)
"""After the hold; Stripe demands 30 minutes from creation, and the page is created before it ends
(https://docs.stripe.com/api/checkout/sessions/create#create_checkout_session-expires_at)."""
PAGE_LIVES_AT_LEAST = timedelta(minutes=30)
"""Stripe's, from when it makes the page."""
PAGE_LIVES_AT_MOST = timedelta(hours=23, minutes=55)
"""Stripe's 24 hours, less what our clock may be ahead of Stripe's."""
RETURN_PATH = "{web}/{what}/{order_id}/return"
BACK_PATH = "{web}/{what}/{order_id}"


@dataclass(frozen=True)
class Terms:
    """The platform's terms, frozen on each purchase when it begins.

    Nobody is charged in a currency that the platform's Stripe account would exchange.
    """

    web_url: str
    platform_share_basis_points: int
    release_delay: timedelta
    settlement_currencies: frozenset[str] = CURRENCIES


@dataclass(frozen=True)
class Session:
    """What of a price is for one session; nothing of it is released while it is objected to.

    Nor while a bank disputes its charge. Of the price the platform gives `discount_minor`, and a
    code of the mentor's lowered it by `taken_off_minor`; credits of the lot pay in place of the
    card.
    """

    session_id: UUID
    price: Money
    decision: Decision = "held"
    objected_at: datetime | None = None
    discount_minor: int = 0
    lot_id: UUID | None = None
    disputed_at: datetime | None = None
    taken_off_minor: int = 0

    @property
    def discount(self) -> Money:
        """Return what the platform gives of the price."""
        return Money(self.discount_minor, self.price.currency)

    @property
    def to_pay(self) -> Money:
        """Return what the card pays of the price."""
        if self.lot_id is not None:
            return Money(0, self.price.currency)
        return self.price - self.discount

    def by_card(self, gone: Money) -> Money:
        """Return what a card had paid of so much of the price; the rest a code had taken off.

        Of a fraction of the price the mentee gets that fraction of what was paid.
        """
        paid = self.price - self.discount
        if gone.minor >= self.price.minor:
            return paid
        minor = paid.minor * gone.minor // self.price.minor
        return Money(minor, gone.currency).in_steps(charge_step(gone.currency))


@dataclass(frozen=True, kw_only=True)
class Order:
    """One purchase; see the module for its states.

    `sessions` are in order; only a purchase of credits has none. `taken_off_minor` is what a code
    of the mentor's took off the price; `borne_fee_minor` what the mentor bears of Stripe's fee,
    none while that is waited for.
    """

    order_id: UUID
    mentor_id: UUID
    mentee_id: UUID
    title: str
    price: Money
    platform_share_basis_points: int
    release_delay: timedelta
    hold_until: datetime
    state: State = "being_prepared"
    close_at: datetime
    look_at: datetime | None = None
    checkout_id: str | None = None
    checkout_url: str | None = None
    payment_intent_id: str | None = None
    charge_id: str | None = None
    stripe_fee_minor: int | None = None
    paid_at: datetime | None = None
    closed_because: str | None = None
    opened_at: datetime
    version: int = 0
    sessions: tuple[Session, ...]
    kind: Kind = "sessions"
    minimum_fee_minor: int = 0
    fee_rule: int | None = None
    borne_fee_minor: int | None = 0
    promotion_code: str | None = None
    promotion_refused: Why | None = None
    taken_off_minor: int = 0

    @property
    def fees(self) -> FeeTerms:
        """Return what was frozen of the rule by which the platform takes its share."""
        bears = self.borne_fee_minor != 0
        return FeeTerms(
            self.platform_share_basis_points, self.minimum_fee_minor, bears, self.fee_rule
        )

    @property
    def awaits_fee(self) -> bool:
        """Return whether the mentor bears Stripe's fee, and Stripe has not said what it is."""
        return self.borne_fee_minor is None

    def borne_by(self, session: Session) -> int:
        """Return what of Stripe's fee the mentor bears for a session, in minor units."""
        if not self.borne_fee_minor:
            return 0
        prices = [each.price for each in self.sessions]
        whole = Money(min(self.borne_fee_minor, self.price.minor), self.price.currency)
        ids = [each.session_id for each in self.sessions]
        return spread(whole, prices)[ids.index(session.session_id)].minor

    @property
    def discount(self) -> Money:
        """Return what a code takes off, whoever pays for it."""
        given = sum(each.discount_minor for each in self.sessions)
        return Money(self.taken_off_minor + given, self.price.currency)

    @property
    def has_amends(self) -> bool:
        """Return whether what is taken off is amends: nobody named a code for it."""
        return self.promotion_code is None and self.discount.minor > 0

    @property
    def to_pay(self) -> Money:
        """Return what the card pays in all."""
        if not self.sessions:
            return self.price
        nothing = Money(0, self.price.currency)
        return sum((each.to_pay for each in self.sessions), nothing)

    def named(self, session_id: UUID | None) -> Session | None:
        """Return the session that is named, if one is; raises `NotFound`."""
        return self.session(session_id) if session_id else None

    def session(self, session_id: UUID | None) -> Session:
        """Return one session, the only one when none is named.

        Raises `SessionUnnamed` or `NotFound`.
        """
        if session_id is None:
            if len(self.sessions) != 1:
                raise SessionUnnamed
            return self.sessions[0]
        named = (each for each in self.sessions if each.session_id == session_id)
        found = next(named, None)
        if found is None:
            raise NotFound
        return found

    def part(self, session_id: UUID | None) -> Part:
        """Return what the ledger calls a session of this purchase; none for unused credits.

        The only session of a purchase goes under the purchase's name, as before there were several.
        """
        name = session_id if session_id and len(self.sessions) > 1 else self.order_id
        return Part(self.order_id, session_id, name)


class SessionUnnamed(Refusal):
    """The purchase has several sessions, and it was not said which one is meant."""

    code = "session_unnamed"
    kind = RefusalKind.SHAPE
    detail = "This purchase has several sessions; say in session_id which one you mean."


class PaymentMismatch(Exception):
    """Stripe's payment is not the price of the order: nothing is posted, an operator looks."""


class PartsMismatch(Exception):
    """The parts of the sessions do not sum to the price: booking made a mistake."""


def begin(held: BookingHeld, terms: Terms, now: datetime) -> Order:
    """Begin a purchase with what booking froze in the fact; raises `PartsMismatch`."""
    return Order(
        order_id=held.order_id,
        mentor_id=held.mentor_id,
        mentee_id=held.mentee_id,
        title=held.title,
        price=Money(held.price_minor, held.currency),
        platform_share_basis_points=terms.platform_share_basis_points,
        release_delay=terms.release_delay,
        hold_until=held.hold_until,
        close_at=held.hold_until,
        opened_at=now,
        sessions=_parts(held),
    )


def _parts(held: BookingHeld) -> tuple[Session, ...]:
    prices = {each.session_id: each.price_minor for each in held.sessions}
    prices = prices or {held.session_id: held.price_minor}
    if sum(prices.values()) != held.price_minor:
        raise PartsMismatch(str(held.order_id))
    return tuple(Session(each, Money(minor, held.currency)) for each, minor in prices.items())


def is_free(order: Order) -> bool:
    """Return whether nothing was ever to be paid: booking confirms such a purchase by itself."""
    return order.price.minor + order.taken_off_minor == 0


def settle_without_card(order: Order, now: datetime) -> tuple[Order, PaymentSucceeded]:
    """Note that nothing is left for a card to pay: a code or credits paid the whole price."""
    borne = order.borne_fee_minor or 0
    paid = replace(settle_price(order, now), borne_fee_minor=borne, version=order.version + 1)
    return paid, _succeeded(paid, now)


def decide(order: Order, decision: Decision, session_id: UUID | None = None) -> Order:
    """Note what booking decided about one session, or about all when none is named."""
    if session_id is not None:
        return change(order, replace(order.session(session_id), decision=decision))
    sessions = tuple(replace(each, decision=decision) for each in order.sessions)
    return replace(order, sessions=sessions)


def change(order: Order, session: Session) -> Order:
    """Return the order with one of its sessions changed."""
    sessions = tuple(
        session if each.session_id == session.session_id else each for each in order.sessions
    )
    return replace(order, sessions=sessions)


def look_again_after(order: Order) -> timedelta:
    """Return how long an open page is left alone."""
    return max(LOOK_EVERY, (order.hold_until - order.opened_at) / LOOKS_PER_HOLD)


def checkout_for(order: Order, terms: Terms) -> CreateCheckout:
    """Return the call that opens the payment page of an order.

    The hold of an accepted request may be as long as a page can live: that page closes a little
    sooner, and can be made until shortly before the end only.
    """
    expires_at = min(
        order.hold_until + CLOSES_BY_ITSELF_AFTER, order.opened_at + PAGE_LIVES_AT_MOST
    )
    what = "orders" if order.sessions else "purchases"
    places = {"web": terms.web_url.rstrip("/"), "what": what, "order_id": order.order_id}
    return CreateCheckout(
        order_id=order.order_id,
        mentee_id=order.mentee_id,
        title=order.title,
        amount_minor=order.to_pay.minor,
        currency=order.price.currency,
        expires_at=expires_at,
        send_before=min(order.hold_until, expires_at - PAGE_LIVES_AT_LEAST),
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
        look_at=now + look_again_after(order),
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
    if (payment.amount_minor, payment.currency) != (order.to_pay.minor, order.price.currency):
        raise PaymentMismatch(str(order.order_id))
    paid = replace(
        settle_price(order, payment.paid_at),
        payment_intent_id=payment.payment_intent_id,
        charge_id=payment.charge_id,
        look_at=now + FEE_LOOK_EVERY,
        version=order.version + 1,
    )
    return paid, _succeeded(paid, payment.paid_at)


def _succeeded(paid: Order, at: datetime) -> PaymentSucceeded:
    return PaymentSucceeded(
        order_id=paid.order_id,
        mentor_id=paid.mentor_id,
        mentee_id=paid.mentee_id,
        version=paid.version,
        amount_minor=paid.to_pay.minor,
        currency=paid.price.currency,
        paid_at=at,
    )


def settle_price(order: Order, paid_at: datetime) -> Order:
    """Note that nothing is left to pay: the price came, or it is zero."""
    return replace(order, state="paid", checkout_url=None, look_at=None, paid_at=paid_at)
