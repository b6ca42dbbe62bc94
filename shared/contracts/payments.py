"""What `payments` tells the others: what happened to the money of a purchase or of a mentor."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from shared.contracts.common import (
    CurrencyCode,
    MenteeRef,
    MentorRef,
    Minor,
    OrderRef,
    RefundRef,
    SessionRef,
)
from shared.contracts.envelope import Fact

OfSession = Annotated[
    SessionRef | None,
    Field(
        description="The session whose part of the money it is; none in facts told before "
        "sessions had parts of their own.",
        examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0101"],
    ),
]


class MoneyFact(Fact):
    """A fact about the money of one purchase; versions count within `payments`."""

    topic: ClassVar[str] = "payments.orders"
    key_field: ClassVar[str] = "order_id"

    order_id: OrderRef
    mentor_id: MentorRef
    mentee_id: MenteeRef


class CheckoutOpened(MoneyFact):
    """The payment page is ready; its address is asked for at the API of `payments`."""


class CheckoutClosed(MoneyFact):
    """The payment page is closed and no payment can come through it any more."""


class PaymentSucceeded(MoneyFact):
    """The mentee paid the whole price."""

    amount_minor: Minor
    currency: CurrencyCode
    paid_at: AwareDatetime = Field(
        description="When Stripe took the payment.", examples=["2026-03-02T12:05:00Z"]
    )


class RefundIssued(MoneyFact):
    """Stripe accepted a refund to the mentee; it is on its way."""

    refund_id: RefundRef
    amount_minor: Minor
    currency: CurrencyCode
    reason: Literal["booking_lost", "cancelled", "operator"] = Field(
        description="What made us give the money back."
    )
    session_id: OfSession = None


class RefundFailed(MoneyFact):
    """A refund came back from the mentee's bank; an operator must find another way."""

    refund_id: RefundRef
    amount_minor: Minor
    currency: CurrencyCode
    session_id: OfSession = None


class EarningsReleased(MoneyFact):
    """The release delay is over: what was retained is split between mentor and platform."""

    mentor_minor: Minor = Field(
        description="The mentor's share, in minor units.", examples=[10_200]
    )
    platform_minor: Minor = Field(
        description="The platform's share, in minor units.", examples=[1_800]
    )
    currency: CurrencyCode
    session_id: OfSession = None


class TransferSent(MoneyFact):
    """The mentor's share moved to the connected account."""

    amount_minor: Minor
    currency: CurrencyCode
    session_id: OfSession = None


class AccountFact(Fact):
    """A fact about a mentor's connected account; the state after it is told in full."""

    topic: ClassVar[str] = "payments.accounts"
    key_field: ClassVar[str] = "mentor_id"

    mentor_id: MentorRef
    can_receive: bool = Field(
        description="Whether Stripe lets the account take transfers.", examples=[True]
    )


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

    mentor_id: MentorRef
    stripe_payout_id: str = Field(description="The payout at Stripe.", examples=["po_1"])
    amount_minor: Minor
    currency: CurrencyCode


class PayoutCreated(PayoutFact):
    """Stripe sent money to the mentor's bank."""

    arrives_at: AwareDatetime = Field(
        description="When the bank is expected to have it.", examples=["2026-03-11T00:00:00Z"]
    )


class PayoutPaid(PayoutFact):
    """The money arrived at the mentor's bank."""


class PayoutFailed(PayoutFact):
    """The bank sent the money back; the mentor must correct the bank details."""

    failure_code: str | None = Field(
        default=None, description="Stripe's word for why.", examples=["account_closed"]
    )


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
