"""What the web client reads from the services' answers; fields it does not show are ignored."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

Item = TypeVar("Item")
_NAME_DIGITS = 12


class Shape(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = None


class Tokens(Shape):
    """The answer to signing in and to refreshing."""

    access_token: str
    refresh_token: str
    expires_in: int
    person_id: str
    roles: list[str]


class Me(Shape):
    """The signed-in person's own account."""

    person_id: str
    name: str
    email: str
    locale: str
    zone: str
    roles: list[str]
    mentor_state: str = "none"


class Expertise(Shape):
    """One entry of the curated tree."""

    slug: str
    name: str
    parent: str | None = None


class Price(Shape):
    """The lowest price of a mentor."""

    price_minor: int
    currency: str


class Rating(Shape):
    """What mentees thought of a mentor."""

    mean: float | None = None
    count: int = 0


class MentorCard(Shape):
    """A mentor as a search finds them."""

    person_id: str
    name: str
    headline: str = ""
    expertise: list[str] = []
    languages: list[str] = []
    zone: str | None = None
    rating: Rating = Rating()
    from_price: Price | None = None


class Mentor(MentorCard):
    """A mentor's whole public profile."""

    story: str = ""
    years: int | None = None
    industries: list[str] = []


class PublicReview(Shape):
    """One published review."""

    author_name: str = ""
    rating: int
    text: str = ""
    published_at: AwareDatetime


class MentorProfile(Shape):
    """A mentor's profile as its owner edits it."""

    headline: str = ""
    story: str = ""
    expertise: list[str] = []
    languages: list[str] = []
    years: int | None = None
    industries: list[str] = []
    state: str = "none"
    reason: str | None = None


class Vetted(Shape):
    """A mentor as operators see them."""

    person_id: str
    name: str = ""
    headline: str = ""
    story: str = ""
    expertise: list[str] = []
    languages: list[str] = []
    years: int | None = None
    industries: list[str] = []
    state: str = ""
    reason: str | None = None
    edited_since_approval: bool = False


class PersonName(Shape):
    """A person's public display name."""

    person_id: str
    name: str


class Step(Shape):
    """One step of a cancellation policy: from so many hours before, this share goes back."""

    hours_before: int
    refund_basis_points: int


class Policy(Shape):
    """A cancellation policy."""

    preset: str
    policy_version: int
    steps: list[Step] = []


class Question(Shape):
    """What a mentor asks before a session."""

    text: str
    required: bool = False

    @property
    def field(self) -> str:
        """Return the name of its field, which stays with its words when questions move."""
        return f"answer_{hashlib.sha256(self.text.encode()).hexdigest()[:_NAME_DIGITS]}"


class Offering(Shape):
    """A kind of session that a mentor sells."""

    offering_id: str
    mentor_id: str = ""
    title: str
    description: str = ""
    minutes: int
    price_minor: int
    currency: str
    policy: Policy | None = None
    state: str = "published"
    version: int | None = None
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    minimum_notice_minutes: int = 0
    horizon_days: int = 60
    cancellation_preset: str = "standard"
    by_request: bool = False
    daily_cap: int | None = None
    weekly_cap: int | None = None
    questions: list[Question] = []


class Slot(Shape):
    """A free time."""

    starts_at: AwareDatetime
    ends_at: AwareDatetime


class May(Shape):
    """What the asking person may do with an order now."""

    cancel: bool = False
    complete: bool = False
    join: bool = False


class Answered(Shape):
    """A mentor's question and what the mentee said to it."""

    question: str
    answer: str


class Order(Shape):
    """One purchase of a session."""

    order_id: str
    session_id: str
    offering_id: str = ""
    title: str = ""
    mentor_id: str
    mentee_id: str
    state: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    hold_until: AwareDatetime | None = None
    answer_by: AwareDatetime | None = None
    price_minor: int
    currency: str
    policy: Policy | None = None
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    refund_basis_points: int | None = None
    completed_at: AwareDatetime | None = None
    missed_by: str | None = None
    answers: list[Answered] = []
    can: May = May()


class CancellationPreview(Shape):
    """The share of the price that goes back if the session is cancelled now."""

    by: str
    refund_basis_points: int
    valid_until: AwareDatetime | None = None


class RefundPreview(Shape):
    """The amounts that a share comes to, and where the mentee's part goes back to."""

    mentee_minor: int
    mentor_minor: int
    platform_minor: int = 0
    currency: str
    back_to: str = "card"


class Room(Shape):
    """Where the session takes place."""

    room_url: str


class Goal(Shape):
    """What a mentee wants to reach."""

    goal_id: str
    title: str
    measure: str | None = None
    target_on: date | None = None
    state: str = "open"
    version: int | None = None


class PayoutSchedule(Shape):
    """When Stripe pays out."""

    interval: str
    day: str | int | None = None
    delay_days: int | None = None

    @property
    def in_words(self) -> str:
        """Return it as the end of a sentence."""
        if self.interval == "weekly":
            return f"every {str(self.day or 'week').capitalize()}"
        if self.interval == "monthly":
            return f"every month on day {self.day}"
        return {"daily": "every day", "manual": "when you ask it to"}.get(self.interval, "")


class ReturnedPayout(Shape):
    """A payout that the bank sent back, and why."""

    amount_minor: int
    currency: str
    failed_at: AwareDatetime | None = None
    words: str = ""


class Account(Shape):
    """A mentor's connected account at Stripe."""

    state: str
    can_receive: bool = False
    next_action: str = "wait"
    requirements: list[str] = []
    overdue: list[str] = []
    being_verified: list[str] = []
    requirements_until: AwareDatetime | None = None
    disabled_because: str | None = None
    payout_schedule: PayoutSchedule | None = None
    payout_returned: ReturnedPayout | None = None
    country: str | None = None
    onboarding_url: str | None = None
    refusal: str | None = None


class Message(Shape):
    """One entry of the inbox."""

    message_id: str
    kind: str = ""
    title: str
    text: str = ""
    at: AwareDatetime
    read: bool = False
    order_id: str | None = None


class Unread(Shape):
    """How many messages are new."""

    unread: int


class Review(Shape):
    """One side's review of a session."""

    rating: int
    text: str = ""


class SessionReviews(Shape):
    """Both reviews of a session, the other side's once published."""

    mine: Review | None = None
    theirs: Review | None = None
