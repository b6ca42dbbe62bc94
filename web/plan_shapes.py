"""What the web client reads of plans and of the subscriptions to them."""

from __future__ import annotations

from pydantic import AwareDatetime

from web.shapes import Shape


class Plan(Shape):
    """So many sessions of an offering every month."""

    plan_id: str
    offering_id: str
    mentor_id: str
    title: str
    minutes: int
    sessions: int
    unit_price_minor: int
    price_minor: int
    saved_minor: int = 0
    dearer_than_alone: bool = False
    currency: str
    offered: bool = True
    bookable: bool = True


class Plans(Shape):
    """The plans of a mentor."""

    items: list[Plan]


class Subscription(Shape):
    """A subscription as either side sees it."""

    subscription_id: str
    state: str
    plan: Plan
    next_plan: Plan
    mentor_id: str
    mentee_id: str
    url: str | None = None
    period_end: AwareDatetime | None = None
    next_payment_at: AwareDatetime | None = None
    pausing: bool = False
    resting: bool = False
    ending: bool = False
    confirmed: bool = True
    invoice_url: str | None = None
    next_attempt_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    ended_because: str | None = None

    @property
    def waiting(self) -> bool:
        """Return whether it is still to be paid for the first time."""
        return self.state in ("being_prepared", "open")

    @property
    def live(self) -> bool:
        """Return whether it goes on."""
        return self.state in ("active", "past_due")

    @property
    def seen(self) -> str:
        """Return what changes when there is news."""
        return f"{self.state}-{bool(self.url)}"


class Month(Shape):
    """A month that was paid."""

    order_id: str
    paid_at: AwareDatetime
    price_minor: int
    currency: str
    sessions: int
    remaining: int
    good_until: AwareDatetime


class Months(Shape):
    """The months that were paid, the last one first."""

    items: list[Month]


class EndPreview(Shape):
    """What goes back if a plan ends at once."""

    period_end: AwareDatetime | None
    unused: int
    back_minor: int
    currency: str


class Invoice(Shape):
    """A month at Stripe."""

    stripe_invoice_id: str
    state: str
    attempts: int
    created_at: AwareDatetime
    order_id: str | None = None


class AtStripe(Shape):
    """A subscription with what Stripe has of it, as operators see it."""

    subscription: Subscription
    begun_at: AwareDatetime
    stripe_subscription_id: str | None = None
    checkout_id: str | None = None
    shown_at: AwareDatetime | None = None
    look_at: AwareDatetime | None = None
    invoices: list[Invoice]
