"""What `payments` tells the others: what happened to the money of a purchase or of a mentor."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

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


HowMany = Annotated[int, Field(ge=0, description="How many sessions.", examples=[5])]
SubscriptionRef = Annotated[
    UUID,
    Field(
        description="Somebody's subscription to a plan.",
        examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0a01"],
    ),
]
PlanRef = Annotated[
    UUID,
    Field(description="What was agreed.", examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0b01"]),
]
PlanSide = Annotated[
    Literal["mentee", "mentor", "operator"], Field(description="Whose wish it was.")
]
PeriodEnd = Annotated[
    AwareDatetime,
    Field(description="When the month ends that was paid.", examples=["2026-04-02T10:00:00Z"]),
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


class AmendsGranted(MoneyFact):
    """The mentee pays so much less next time: a session failed through no fault of theirs."""

    session_id: SessionRef
    amount_minor: Minor
    currency: CurrencyCode
    expires_at: AwareDatetime = Field(
        description="Until when a purchase can begin with it.", examples=["2027-03-02T12:05:00Z"]
    )


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
    """The mentor's share, or a part of it, moved to the connected account."""

    amount_minor: Minor
    currency: CurrencyCode
    session_id: OfSession = None
    netted_minor: Minor = Field(
        default=0, description="What was kept of the share for what the mentor owes.", examples=[0]
    )


class DebtIncurred(MoneyFact):
    """The mentor got more of a session than is left for the mentor, and owes it.

    It comes back from the connected account, or is kept from later shares.
    """

    amount_minor: Minor
    currency: CurrencyCode
    because: Literal["refund", "dispute"] = Field(description="Where the money went.")
    session_id: OfSession = None


class DebtWrittenOff(Fact):
    """The platform bears what a mentor owed, or a part of it."""

    topic: ClassVar[str] = "payments.debts"
    key_field: ClassVar[str] = "write_off_id"

    write_off_id: UUID = Field(
        description="What was decided once.", examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0d01"]
    )
    mentor_id: MentorRef
    amount_minor: Minor
    currency: CurrencyCode


class TransferReversed(MoneyFact):
    """A part of a transfer came back from the connected account."""

    amount_minor: Minor
    currency: CurrencyCode
    session_id: OfSession = None


class DisputeFact(MoneyFact):
    """A fact about a bank that takes a payment back, or asks about it."""

    dispute_id: str = Field(
        pattern=r"^d[up]_\w+$", description="The dispute at Stripe.", examples=["du_1"]
    )
    amount_minor: Minor
    currency: CurrencyCode


class DisputeOpened(DisputeFact):
    """The mentee's bank disputes the payment, or only asks about it; the money waits meanwhile."""

    inquiry: bool = Field(
        description="Whether the bank only asks: then no money has moved.", examples=[False]
    )
    answer_by: AwareDatetime | None = Field(
        default=None,
        description="Until when it can be answered.",
        examples=["2026-03-20T23:59:59Z"],
    )


class DisputeClosed(DisputeFact):
    """The bank decided, or asks no more; a dispute that was lost can still be won later."""

    outcome: Literal["won", "lost", "inquiry_over"] = Field(
        description="`won`: the money is back; `lost`: it is not coming back."
    )


class PlanFact(Fact):
    """A fact about a mentee's subscription to a plan: sessions included in every month."""

    topic: ClassVar[str] = "payments.plans"
    key_field: ClassVar[str] = "subscription_id"

    subscription_id: SubscriptionRef
    plan_id: PlanRef
    mentor_id: MentorRef
    mentee_id: MenteeRef


class PlanStarted(PlanFact):
    """The first month of a plan was paid."""

    period_end: PeriodEnd


class PlanRenewed(PlanFact):
    """A further month of a plan was paid."""

    order_id: OrderRef
    sessions: HowMany
    amount_minor: Minor
    currency: CurrencyCode
    period_end: PeriodEnd


class PlanPaymentFailed(PlanFact):
    """The payment of a month failed; Stripe tries again, or gives up."""

    attempt: int = Field(description="Which attempt it was.", examples=[1])
    next_attempt_at: AwareDatetime | None = Field(
        default=None,
        description="When it is tried again; none when it is not.",
        examples=["2026-04-05T10:00:00Z"],
    )


class PlanPaused(PlanFact):
    """From the end of the month on nothing is paid, until the plan is resumed."""

    by: PlanSide
    period_end: PeriodEnd


class PlanResumed(PlanFact):
    """From the end of the month on the plan is paid again."""

    by: PlanSide
    period_end: PeriodEnd


class PlanRested(PlanFact):
    """Nobody can book what a plan brings: nothing is paid until somebody can, by itself."""

    period_end: PeriodEnd


class PlanContinued(PlanFact):
    """What a plan brings can be booked again: it goes on as people left it."""

    next_payment_at: AwareDatetime | None = Field(
        default=None,
        description="When a month is paid again; none where people paused or ended it.",
        examples=["2026-04-02T10:00:00Z"],
    )


class PlanEndScheduled(PlanFact):
    """A plan will end with its month, or was taken up again before it did."""

    by: PlanSide
    ends_at: AwareDatetime | None = Field(
        default=None,
        description="When it ends; none when it goes on after all.",
        examples=["2026-04-02T10:00:00Z"],
    )


class PlanEnded(PlanFact):
    """A plan is over; sessions that were paid can be booked as long as they are good."""

    because: Literal["wished", "payment_failed"] = Field(description="What ended it.")


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
    again: bool = Field(
        default=False,
        description="Whether it sends money of a payout that failed.",
        examples=[False],
    )


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


class StatementIssued(Fact):
    """The statement of a mentor's month can be opened; versions count the mentor's statements."""

    topic: ClassVar[str] = "payments.statements"
    key_field: ClassVar[str] = "mentor_id"

    mentor_id: MentorRef
    statement_id: UUID = Field(
        description="The statement.", examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0c01"]
    )
    period_from: AwareDatetime = Field(
        description="When the month began, in UTC.", examples=["2026-03-01T00:00:00Z"]
    )
    period_until: AwareDatetime = Field(
        description="When the month was over.", examples=["2026-04-01T00:00:00Z"]
    )
    currency: CurrencyCode


FACTS: tuple[type[Fact], ...] = (
    CheckoutOpened,
    CheckoutClosed,
    PaymentSucceeded,
    RefundIssued,
    RefundFailed,
    AmendsGranted,
    DisputeOpened,
    DisputeClosed,
    EarningsReleased,
    TransferSent,
    DebtIncurred,
    DebtWrittenOff,
    TransferReversed,
    PlanStarted,
    PlanRenewed,
    PlanPaymentFailed,
    PlanPaused,
    PlanResumed,
    PlanRested,
    PlanContinued,
    PlanEndScheduled,
    PlanEnded,
    AccountConnected,
    AccountChanged,
    AccountSnapshot,
    PayoutCreated,
    PayoutPaid,
    PayoutFailed,
    StatementIssued,
)
