"""What we ask of Stripe about a subscription, and what it shows: the whole of it every time.

Whatever we do, and whichever event comes, the answer is the subscription with its page and the
invoices that are not settled; so one command follows all of them, in any order.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from services.payments.domain.requests import Request
from services.payments.domain.seen import PaymentSeen, Seen

SubscriptionStatus = Literal[
    "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid",
    "paused",
]  # fmt: skip
InvoiceStatus = Literal["draft", "open", "paid", "uncollectible", "void"]


class SubscriptionRequest(Request):
    """A call about a subscription."""

    subscription_id: UUID

    @property
    def subject(self) -> str:
        """Return the subscription."""
        return str(self.subscription_id)


class OpenSubscription(SubscriptionRequest):
    """Open the page on which somebody subscribes; `send_before` is when that is too late."""

    kind: ClassVar[str] = "subscription.open"
    effect_once: ClassVar[bool] = True

    plan_id: UUID
    mentee_id: UUID
    title: str
    amount_minor: int
    currency: str
    expires_at: AwareDatetime
    send_before: AwareDatetime
    success_url: str
    cancel_url: str

    def too_late(self, now: datetime) -> bool:
        """Stripe makes no page that closes soon."""
        return now >= self.send_before


class LookAtSubscription(SubscriptionRequest):
    """Read the page, the subscription that began there, and its invoices from `since` on."""

    kind: ClassVar[str] = "subscription.retrieve"

    checkout_id: str
    stripe_subscription_id: str | None = None
    since: AwareDatetime | None = None


class PlanPrice(Seen):
    """What a subscription shall cost from its next period on."""

    item_id: str
    product_id: str
    amount_minor: int
    currency: str


class UpdateSubscription(LookAtSubscription):
    """Put a subscription into a state: sent twice it says the same.

    It is `paused` by people, `resting` because nobody can book its sessions, or both.

    `send_before` is when another price is too late: the next renewal may be under way.
    """

    kind: ClassVar[str] = "subscription.update"

    paused: bool
    ending: bool
    resting: bool = False
    plan_id: UUID
    price: PlanPrice | None = None
    send_before: AwareDatetime | None = None

    def too_late(self, now: datetime) -> bool:
        """Return whether it would change the price of a renewal that is under way."""
        return self.send_before is not None and now >= self.send_before


class CancelSubscription(LookAtSubscription):
    """End a subscription at once; what is unused goes back in refunds of ours."""

    kind: ClassVar[str] = "subscription.cancel"


class NameCharge(LookAtSubscription):
    """Write the purchase on the charge of an invoice, by which its transfers are grouped."""

    kind: ClassVar[str] = "charge.name"

    order_id: UUID
    charge_id: str

    @property
    def subject(self) -> str:
        """Return the purchase."""
        return str(self.order_id)


class InvoiceSeen(Seen):
    """An invoice; `plan_id` is the plan it is for, `url` where it can be paid by hand."""

    invoice_id: str
    plan_id: UUID
    status: InvoiceStatus
    attempts: int
    next_attempt_at: AwareDatetime | None
    url: str | None
    created_at: AwareDatetime
    payment: PaymentSeen | None = None


class SubscribedSeen(Seen):
    """A subscription that began, and those of its invoices that may have changed."""

    stripe_subscription_id: str
    item_id: str
    product_id: str
    status: SubscriptionStatus
    plan_id: UUID
    period_start: AwareDatetime
    period_end: AwareDatetime
    paused: bool
    ending: bool
    resting: bool = False
    ended_at: AwareDatetime | None
    ended_because: str | None
    invoices: tuple[InvoiceSeen, ...] = ()


class SubscriptionSeen(Seen):
    """The page of a subscription; `subscribed` once it was paid."""

    checkout_id: str
    page: Literal["open", "complete", "expired"]
    url: str | None = None
    subscribed: SubscribedSeen | None = None


SUBSCRIPTION_REQUESTS: tuple[type[SubscriptionRequest], ...] = (
    OpenSubscription,
    LookAtSubscription,
    UpdateSubscription,
    CancelSubscription,
    NameCharge,
)
