"""What `payments` tells of sessions that are paid before they are booked."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.contracts.common import (
    CurrencyCode,
    Minor,
    OfferingRef,
    PersonRef,
    RefundRef,
    SessionRef,
)
from shared.contracts.envelope import Fact
from shared.contracts.payments import HowMany, MoneyFact

LotRef = Annotated[
    UUID,
    Field(
        description="So many sessions that were bought at once.",
        examples=["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0701"],
    ),
]
GoodUntil = Annotated[
    AwareDatetime,
    Field(description="Until when it can be booked.", examples=["2027-03-02T12:05:00Z"]),
]
WhatAhead = Literal["package", "gift", "sponsorship", "plan"]
OwnerRef = Annotated[
    PersonRef | None,
    Field(description="Who may book with it; nobody yet of a gift or a fund.", examples=[None]),
]


class CreditsBought(MoneyFact):
    """Sessions were paid before they are booked; the mentee is who bought them."""

    kind: WhatAhead = Field(
        description="For oneself, for somebody who has the code, for a mentor's fund, or by a plan."
    )
    offering_id: OfferingRef
    sessions: HowMany
    amount_minor: Minor
    currency: CurrencyCode
    expires_at: GoodUntil


class GiftRedeemed(MoneyFact):
    """Somebody redeemed the code of a gift; the mentee is who gave it."""

    recipient_id: PersonRef
    sessions: HowMany
    expires_at: GoodUntil


class CreditsGranted(MoneyFact):
    """A mentor gave a session that a sponsor had paid; the mentee is who may book it."""

    expires_at: GoodUntil


class CreditsReturned(MoneyFact):
    """The credit that paid for a session can be booked again: it did not take place."""

    session_id: SessionRef
    lot_id: LotRef
    expires_at: GoodUntil


class CreditsReminded(MoneyFact):
    """Credits end soon that nobody has booked with; the mentee is who bought them."""

    owner_id: OwnerRef = None
    kind: WhatAhead | None = Field(
        default=None,
        description="How they were bought; none in facts told before it was said.",
        examples=["package"],
    )
    remaining: HowMany
    expires_at: GoodUntil


class AmendsReminded(MoneyFact):
    """Amends end soon that were not used up; the mentee is whose they are."""

    session_id: SessionRef
    amount_minor: Minor = Field(description="What is left of them, in minor units.")
    currency: CurrencyCode
    expires_at: GoodUntil


class CreditsExpired(MoneyFact):
    """Credits ended that nobody had booked with; the mentee is who bought them."""

    owner_id: OwnerRef = None
    remaining: HowMany
    refunded: bool = Field(
        description="Whether their money goes back to who bought them.", examples=[False]
    )
    unbookable: bool = Field(
        default=False,
        description="Whether it is so because nobody could book them for long.",
        examples=[False],
    )


class CreditsRefunded(MoneyFact):
    """Stripe accepted a refund to who bought credits, of unused ones or of a session they paid."""

    refund_id: RefundRef
    amount_minor: Minor
    currency: CurrencyCode


class CreditsRefundFailed(MoneyFact):
    """A refund to who bought credits came back from the bank; an operator finds another way."""

    refund_id: RefundRef
    amount_minor: Minor
    currency: CurrencyCode


class SponsoredSessionCompleted(MoneyFact):
    """A session took place that a sponsor had paid; who came is told to no sponsor."""

    session_id: SessionRef
    sponsor_id: PersonRef


FACTS: tuple[type[Fact], ...] = (
    CreditsBought,
    GiftRedeemed,
    CreditsGranted,
    CreditsReturned,
    CreditsReminded,
    AmendsReminded,
    CreditsExpired,
    CreditsRefunded,
    CreditsRefundFailed,
    SponsoredSessionCompleted,
)
