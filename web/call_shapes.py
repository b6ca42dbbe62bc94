"""What the operators' console reads of calls to Stripe and of its notices."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime

from web.shapes import Shape


class CallRow(Shape):
    """A call to Stripe in a list."""

    operation_id: str
    kind: str
    subject: str
    state: str
    attempts: int = 0
    planned_at: AwareDatetime
    outcome: dict[str, Any] | None = None

    @property
    def because(self) -> str:
        """What came of it, if that needs a word."""
        said = self.outcome or {}
        return str(said.get("because") or said.get("code") or "")


class CanCall(Shape):
    """What may be done about a call now."""

    retry: bool = False
    look: bool = False


class WatchedCall(CallRow):
    """One call with everything an operator may know of it."""

    order_id: str | None = None
    parameters: dict[str, Any]
    idempotency_key: str = ""
    generation: int = 1
    first_sent_at: AwareDatetime | None = None
    next_try_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    can: CanCall = CanCall()


class OpenCalls(Shape):
    """Calls of one kind and state that have not ended."""

    kind: str
    state: str
    calls: int
    oldest_at: AwareDatetime
    most_attempts: int = 0


class Line(Shape):
    """How a worker finds Stripe."""

    state: str
    failures: int = 0
    since: AwareDatetime


class CallsOverview(Shape):
    """Whether Stripe answers, and what is under way."""

    lines: list[Line]
    items: list[OpenCalls]

    @property
    def lost(self) -> Line | None:
        """The worker that has gone without an answer for longest."""
        return next((line for line in self.lines if line.state == "open"), None)


class NoticeRow(Shape):
    """A notice of Stripe, and the call it led to."""

    event_id: str
    type: str
    account_id: str | None = None
    object_id: str = ""
    received_at: AwareDatetime
    created_at: AwareDatetime
    state: str
    attempts: int = 0
    operation_id: str | None = None
    call: str | None = None
    call_state: str | None = None
    order_id: str | None = None


class WaitingNotices(Shape):
    """Notices of one state that nobody has obeyed."""

    state: str
    notices: int
    oldest_at: AwareDatetime


class NoticesOverview(Shape):
    """Notices that are not obeyed, and how far Stripe's lists were read for others."""

    items: list[WaitingNotices]
    sources: int = 0
    read_until: AwareDatetime | None = None
