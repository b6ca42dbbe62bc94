"""What the web client reads about moves, series, waiting and outcomes; see `web/shapes.py`."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime, Field

from web.shapes import May, Order, Shape, Slot


class Proposal(Shape):
    """A new time that one side proposes to the other."""

    by: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    answer_by: AwareDatetime
    reason: str | None = None


class Objection(Shape):
    """What one side says against a session."""

    by: str
    reason: str
    raised_at: AwareDatetime
    settled_at: AwareDatetime | None = None
    decision: str | None = None


class MayHere(May):
    """What the reader may do with a session now."""

    move: bool = False
    answer_move: bool = False
    report_absence: bool = False
    object: bool = False


class Meeting(Shape):
    """One session of a purchase."""

    session_id: str
    state: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    price_minor: int
    cancelled_by: str | None = None
    cancel_reason: str | None = None
    refund_basis_points: int | None = None
    completed_at: AwareDatetime | None = None
    missed_by: str | None = None
    proposal: Proposal | None = None
    moves_left: int = 0
    objection: Objection | None = None
    can: MayHere = MayHere()


class Purchase(Order):
    """A purchase with all its sessions."""

    sessions: list[Meeting] = Field(default_factory=list[Meeting])

    def meeting(self, session_id: str) -> Meeting | None:
        """Return the session of that id, or the next one when there is none of it."""
        named = (each for each in self.sessions if each.session_id == session_id)
        leading = (each for each in self.sessions if each.session_id == self.session_id)
        return next(named, next(leading, None))


class MovePreview(Shape):
    """What moving a session to a certain time would mean."""

    by: str
    immediate: bool
    refundable_after: bool
    moves_left: int


class Presence(Shape):
    """One side in the room, from coming to leaving."""

    party: str
    joined_at: AwareDatetime
    left_at: AwareDatetime | None = None
    late_minutes: int = 0


class SeriesDate(Shape):
    """One week of a series before it is bought."""

    on: date
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    free: bool
    alternatives: list[Slot] = Field(default_factory=list[Slot])


class ClockChange(Shape):
    """A day on which the clocks of a zone change, by so many minutes."""

    on: date
    zone: str
    shift_minutes: int


class Series(Shape):
    """A series before it is bought; the price is that of all its weeks."""

    dates: list[SeriesDate]
    price_minor: int
    currency: str
    clock_changes: list[ClockChange] = Field(default_factory=list[ClockChange])


class Waiting(Shape):
    """One's place among those who wait for a time of a mentor."""

    entry_id: str
    offering_id: str
    mentor_id: str
    starts_from: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    state: str
    place: int | None = None
    order_id: str | None = None


class Feed(Shape):
    """Whether one's calendar can be read by address, since when, and when it was read last."""

    exists: bool
    created_at: AwareDatetime | None = None
    last_read_at: AwareDatetime | None = None


class FeedAddress(Shape):
    """The secret address of one's calendar, shown once."""

    url_path: str


class Objected(Shape):
    """A session that somebody objects to, as operators see it."""

    order_id: str
    session_id: str
    title: str
    mentor_id: str
    mentee_id: str
    starts_at: AwareDatetime
    price_minor: int
    currency: str
    state: str
    missed_by: str | None = None
    refund_basis_points: int | None = None
    objection: Objection
