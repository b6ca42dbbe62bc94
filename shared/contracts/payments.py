"""What `payments` tells the others: what happened to the money of a purchase or of a mentor."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.common import CurrencyCode, Minor
from shared.contracts.envelope import Fact


class MoneyFact(Fact):
    """A fact about the money of one purchase; versions count within `payments`."""

    topic: ClassVar[str] = "payments.orders"
    key_field: ClassVar[str] = "order_id"

    order_id: UUID
    mentor_id: UUID
    mentee_id: UUID


class CheckoutOpened(MoneyFact):
    """The payment page is ready; its address is asked for at the API of `payments`."""


class CheckoutClosed(MoneyFact):
    """The payment page is closed and no payment can come through it any more."""


class PaymentSucceeded(MoneyFact):
    """The mentee paid the whole price."""

    amount_minor: Minor
    currency: CurrencyCode
    paid_at: AwareDatetime


class RefundIssued(MoneyFact):
    """Stripe accepted a refund to the mentee; it is on its way."""

    refund_id: UUID
    amount_minor: Minor
    currency: CurrencyCode
    reason: Literal["booking_lost", "cancelled", "operator"]


class RefundFailed(MoneyFact):
    """A refund came back from the mentee's bank; an operator must find another way."""

    refund_id: UUID
    amount_minor: Minor
    currency: CurrencyCode


class EarningsReleased(MoneyFact):
    """The release delay is over: the price is split between mentor and platform."""

    mentor_minor: Minor
    platform_minor: Minor
    currency: CurrencyCode


class TransferSent(MoneyFact):
    """The mentor's share moved to the connected account."""

    amount_minor: Minor
    currency: CurrencyCode


class AccountFact(Fact):
    """A fact about a mentor's connected account; the state after it is told in full."""

    topic: ClassVar[str] = "payments.accounts"
    key_field: ClassVar[str] = "mentor_id"

    mentor_id: UUID
    can_receive: bool = Field(description="Whether Stripe lets the account take transfers.")


class AccountConnected(AccountFact):
    """A mentor began to connect an account with Stripe."""


class AccountChanged(AccountFact):
    """Stripe changed what the account may do."""


class AccountSnapshot(AccountFact):
    """The same state told again to rebuild projections; causes neither mail nor money."""


class PayoutFact(Fact):
    """A fact about money on its way from Stripe to a mentor's bank."""

    topic: ClassVar[str] = "payments.payouts"
    key_field: ClassVar[str] = "mentor_id"

    mentor_id: UUID
    stripe_payout_id: str
    amount_minor: Minor
    currency: CurrencyCode


class PayoutCreated(PayoutFact):
    """Stripe sent money to the mentor's bank."""

    arrives_at: AwareDatetime


class PayoutPaid(PayoutFact):
    """The money arrived at the mentor's bank."""


class PayoutFailed(PayoutFact):
    """The bank sent the money back; the mentor must correct the bank details."""

    failure_code: str | None = None


FACTS: tuple[type[Fact], ...] = (
    CheckoutOpened,
    CheckoutClosed,
    PaymentSucceeded,
    RefundIssued,
    RefundFailed,
    EarningsReleased,
    TransferSent,
    AccountConnected,
    AccountChanged,
    AccountSnapshot,
    PayoutCreated,
    PayoutPaid,
    PayoutFailed,
)
