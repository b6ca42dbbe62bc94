"""What we ask of Stripe: one shape per kind of call, as it is written down before it is made.

`subject` is the row of ours the call is about; at most one call of a kind is open per subject.
`effect_once` marks calls that must take effect at most once: an unclear answer is settled by
looking for the effect, never by a fresh key.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

PLATFORM = "platform"


class Request(BaseModel):
    """A call to Stripe."""

    model_config = ConfigDict(frozen=True)

    kind: ClassVar[str]
    effect_once: ClassVar[bool] = False
    waits_for_balance: ClassVar[bool] = True
    """Whether a refusal for want of balance is one that our own sales will lift."""
    paced: ClassVar[bool] = False
    """Whether it is made anew at a time of its own, and needs no pause besides."""

    @property
    def subject(self) -> str:
        """Return the id of the row of ours the call is about."""
        raise NotImplementedError

    def too_late(self, now: datetime) -> bool:
        """Whether the call must not be made for the first time any more."""
        del now
        return False


class CreateCheckout(Request):
    """Open a payment page; `send_before` is when the hold ends."""

    kind: ClassVar[str] = "checkout.create"
    effect_once: ClassVar[bool] = True

    order_id: UUID
    mentee_id: UUID
    title: str
    amount_minor: int
    currency: str
    expires_at: AwareDatetime
    send_before: AwareDatetime
    success_url: str
    cancel_url: str

    @property
    def subject(self) -> str:
        """Return the order."""
        return str(self.order_id)

    def too_late(self, now: datetime) -> bool:
        """Nobody may pay for a hold that has ended."""
        return now >= self.send_before


class OrderRequest(Request):
    """A call about the payment page of an order."""

    order_id: UUID
    checkout_id: str

    @property
    def subject(self) -> str:
        """Return the order."""
        return str(self.order_id)


class ExpireCheckout(OrderRequest):
    """Close a payment page; one that is already complete is read instead."""

    kind: ClassVar[str] = "checkout.expire"


class LookAtCheckout(OrderRequest):
    """Read a payment page with its payment and Stripe's fee."""

    kind: ClassVar[str] = "checkout.retrieve"


class CreateRefund(Request):
    """Send money back to the mentee; `attempt` counts the refunds asked for after failed ones."""

    kind: ClassVar[str] = "refund.create"
    effect_once: ClassVar[bool] = True

    refund_id: UUID
    order_id: UUID
    payment_intent_id: str
    amount_minor: int
    attempt: int = 1

    @property
    def subject(self) -> str:
        """Return the refund."""
        return str(self.refund_id)


class LookAtRefund(Request):
    """Read a refund."""

    kind: ClassVar[str] = "refund.retrieve"

    refund_id: UUID
    stripe_refund_id: str

    @property
    def subject(self) -> str:
        """Return the refund."""
        return str(self.refund_id)


class CreateTransfer(Request):
    """Move a mentor's share to the connected account; `session_id` where there are several.

    `transfer_id` is missing in calls from before a session could have several transfers. Without
    `charge_id` the share comes out of the platform's balance. `paid_with` is the purchase of the
    credit that paid for the session: the transfer is of the group of that charge.
    """

    kind: ClassVar[str] = "transfer.create"
    effect_once: ClassVar[bool] = True

    order_id: UUID
    mentor_id: UUID
    account_id: str
    charge_id: str | None
    amount_minor: int
    currency: str
    session_id: UUID | None = None
    transfer_id: UUID | None = None
    paid_with: UUID | None = None

    @property
    def group(self) -> str:
        """Return what Stripe knows the charge and its transfers by."""
        return str(self.paid_with or self.order_id)

    @property
    def subject(self) -> str:
        """Return the transfer, whose first goes under the name of the session's part."""
        return str(self.transfer_id or self.session_id or self.order_id)


class CreateReversal(Request):
    """Take a part of a transfer back; what the account does not hold is refused, asked daily."""

    kind: ClassVar[str] = "transfer.reverse"
    effect_once: ClassVar[bool] = True
    waits_for_balance: ClassVar[bool] = False
    paced: ClassVar[bool] = True

    reversal_id: UUID
    order_id: UUID
    session_id: UUID
    stripe_transfer_id: str
    amount_minor: int

    @property
    def subject(self) -> str:
        """Return the reversal."""
        return str(self.reversal_id)


class DisputeRequest(Request):
    """A call about a dispute of a purchase's payment."""

    order_id: UUID
    dispute_id: str

    @property
    def subject(self) -> str:
        """Return the dispute."""
        return self.dispute_id


class LookAtDispute(DisputeRequest):
    """Read a dispute and the money it moved."""

    kind: ClassVar[str] = "dispute.retrieve"


class SubmitEvidence(DisputeRequest):
    """Hand evidence to the bank, which takes it once."""

    kind: ClassVar[str] = "dispute.submit"
    effect_once: ClassVar[bool] = True

    evidence: dict[str, str]


class AcceptDispute(DisputeRequest):
    """Give a dispute up: it is lost."""

    kind: ClassVar[str] = "dispute.close"
    effect_once: ClassVar[bool] = True


class MentorRequest(Request):
    """A call about a mentor's connected account."""

    mentor_id: UUID

    @property
    def subject(self) -> str:
        """Return the mentor."""
        return str(self.mentor_id)


class CreateAccount(MentorRequest):
    """Make a connected account; Stripe asks the mentor for everything itself."""

    kind: ClassVar[str] = "account.create"
    effect_once: ClassVar[bool] = True

    country: str


class CreateAccountLink(MentorRequest):
    """Make a link into Stripe's onboarding; it works once and for minutes."""

    kind: ClassVar[str] = "account_link.create"

    account_id: str
    return_url: str
    refresh_url: str


class LookAtAccount(MentorRequest):
    """Read a connected account."""

    kind: ClassVar[str] = "account.retrieve"

    account_id: str


class LookAtPayout(Request):
    """Read a payout of a connected account and which transfers it pays out."""

    kind: ClassVar[str] = "payout.retrieve"

    mentor_id: UUID
    account_id: str
    payout_id: str

    @property
    def subject(self) -> str:
        """Return the payout."""
        return self.payout_id


class ReadEvents(Request):
    """Read the event list of the platform, or of a connected account, from an instant on.

    Stripe lists the newest first; a long list is read in stretches, `before` the event that the
    last stretch ended with, and `newest` is how far the list is known once all are read.
    """

    kind: ClassVar[str] = "events.list"

    account_id: str | None
    since: AwareDatetime
    before: str | None = None
    newest: AwareDatetime | None = None

    @property
    def source(self) -> str:
        """Return whose events they are."""
        return self.account_id or PLATFORM

    @property
    def subject(self) -> str:
        """Return whose events they are, and which stretch."""
        return f"{self.source}:{self.before}" if self.before else self.source


class ReadMovements(Request):
    """Read the platform's balance transactions from an instant on, or those of one payout.

    They are listed as events are, the newest first, and read in stretches in the same way.
    """

    kind: ClassVar[str] = "movements.list"

    account_id: str | None
    payout_id: str | None
    since: AwareDatetime
    before: str | None = None
    newest: AwareDatetime | None = None

    @property
    def name(self) -> str:
        """Return which list it is."""
        return self.payout_id or PLATFORM

    @property
    def subject(self) -> str:
        """Return which list it is, and which stretch."""
        return f"{self.name}:{self.before}" if self.before else self.name


_KINDS: tuple[type[Request], ...] = (
    CreateCheckout,
    ExpireCheckout,
    LookAtCheckout,
    CreateRefund,
    LookAtRefund,
    LookAtDispute,
    SubmitEvidence,
    AcceptDispute,
    CreateTransfer,
    CreateReversal,
    CreateAccount,
    CreateAccountLink,
    LookAtAccount,
    LookAtPayout,
    ReadEvents,
    ReadMovements,
)
REQUESTS: dict[str, type[Request]] = {request.kind: request for request in _KINDS}
"""Every kind of call by its name."""
