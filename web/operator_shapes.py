"""What the operators' console reads of purchases, dead letters and deeds."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from web.shapes import Shape

Detail = str | int | float | bool | None
Details = dict[str, Detail]


class SagaStep(Shape):
    """Something that happened to a purchase at one service."""

    at: AwareDatetime
    kind: str
    what: str
    state: str
    details: Details


class SagaWait(Shape):
    """Something a purchase waits for at one service."""

    order_id: str
    waits_for: str
    since: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    needs_operator: bool = False
    details: Details


class Saga(Shape):
    """A purchase as one service knows it."""

    steps: list[SagaStep]
    waits: list[SagaWait]


class CanMend(Shape):
    """What may be done with the money of a purchase now."""

    release: bool = False
    refund: bool = False


class FailedRefund(Shape):
    """A refund that the bank sent back."""

    refund_id: str
    amount_minor: int


class MoneyPart(Shape):
    """Where the money of one session stands."""

    session_id: str
    failed: list[FailedRefund] = Field(default_factory=list[FailedRefund])
    can: CanMend = CanMend()


class MoneyState(Shape):
    """Where the money of a purchase stands, session by session, and what came back of it."""

    state: str
    price_minor: int
    currency: str
    failed: list[FailedRefund] = Field(default_factory=list[FailedRefund])
    sessions: list[MoneyPart] = Field(default_factory=list[MoneyPart])

    def part(self, session_id: str) -> MoneyPart | None:
        """Return what is known of one session."""
        return next((each for each in self.sessions if each.session_id == session_id), None)


class DeadLetter(Shape):
    """An event a service could not handle."""

    event_id: str
    topic: str
    key: str
    type: str | None = None
    error: str | None = None
    attempts: int = 0
    kept_at: AwareDatetime
    behind: int = 0


class LoggedDeed(Shape):
    """What an operator did."""

    who: str
    action: str
    subject: str
    order_id: str | None = None
    reason: str
    outcome: str
    acted_at: AwareDatetime
