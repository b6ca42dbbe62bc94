"""The rules of reviews: one each way after a completed session, shown together or after 14 days."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal
from uuid import UUID

from shared.clock import BusinessInstant
from shared.contracts.profiles import ReviewsPublished, ReviewWritten
from shared.errors import NotFound, Refusal
from shared.ids import OrderId, PersonId, SessionId

BLIND_FOR = timedelta(days=14)

Author = Literal["mentee", "mentor"]
CaseState = Literal["awaiting", "open", "published", "closed"]


class SessionNotCompleted(Refusal):
    """The session has not taken place yet, or nobody told us so far."""

    code = "session_not_completed"
    detail = "Write the review once the session is completed."


class AlreadyReviewed(Refusal):
    """One review each."""

    code = "already_reviewed"
    detail = "You reviewed this session already."


class ReviewsClosed(Refusal):
    """The reviews are shown, or the time for them is over."""

    code = "reviews_closed"
    detail = "This session can no longer be reviewed."


@dataclass(frozen=True)
class Review:
    """What one side says; ratings are 1 to 5."""

    author: Author
    rating: int
    text: str
    sub_scores: dict[str, int]
    written_at: BusinessInstant


@dataclass(frozen=True)
class ReviewCase:
    """The pair of reviews of one session; `publish_at` is set once it is open."""

    session_id: SessionId
    order_id: OrderId
    mentor_id: PersonId
    mentee_id: PersonId
    state: CaseState = "awaiting"
    publish_at: BusinessInstant | None = None
    published_at: BusinessInstant | None = None
    version: int = 0
    reviews: tuple[Review, ...] = field(default=())

    def side_of(self, person_id: UUID) -> Author:
        """Return which side a person is on; raises `NotFound` for everybody else."""
        if person_id == self.mentee_id:
            return "mentee"
        if person_id == self.mentor_id:
            return "mentor"
        raise NotFound

    def is_due(self, now: BusinessInstant) -> bool:
        """Return whether the time for writing is over and nothing was done about it yet."""
        return self.state == "open" and self.publish_at is not None and now >= self.publish_at

    def by(self, author: Author) -> Review | None:
        """Return the review of one side."""
        return next((review for review in self.reviews if review.author == author), None)


def open_for_reviews(case: ReviewCase, completed_at: BusinessInstant) -> ReviewCase:
    """Return the case once its session is completed; told twice, it stays as it is."""
    if case.state != "awaiting":
        return case
    return replace(case, state="open", publish_at=BusinessInstant(completed_at + BLIND_FOR))


def call_off(case: ReviewCase) -> ReviewCase:
    """Return the case of a session that was called off: nobody writes any more."""
    return replace(case, state="closed") if case.state in ("awaiting", "open") else case


def write(
    case: ReviewCase, review: Review
) -> tuple[ReviewCase, list[ReviewWritten | ReviewsPublished]]:
    """Return the case with one more review, and what is told: published when both are in.

    Raises `SessionNotCompleted`, `AlreadyReviewed`, `ReviewsClosed`.
    """
    if case.state == "awaiting":
        raise SessionNotCompleted
    if case.by(review.author):
        raise AlreadyReviewed
    if case.state != "open" or case.is_due(review.written_at):
        raise ReviewsClosed
    written = replace(case, reviews=(*case.reviews, review), version=case.version + 1)
    fact = ReviewWritten(
        version=written.version,
        session_id=case.session_id,
        order_id=case.order_id,
        mentor_id=case.mentor_id,
        mentee_id=case.mentee_id,
        by=review.author,
    )
    if len(written.reviews) < 2:
        return written, [fact]
    published, shown = publish(written, review.written_at)
    return published, [fact, *([shown] if shown else [])]


def publish(case: ReviewCase, now: BusinessInstant) -> tuple[ReviewCase, ReviewsPublished | None]:
    """Return the case after its time: what was written is shown; nothing written, nothing told."""
    if not case.reviews:
        return replace(case, state="closed"), None
    after = replace(case, state="published", published_at=now, version=case.version + 1)
    by_mentee, by_mentor = case.by("mentee"), case.by("mentor")
    return after, ReviewsPublished(
        version=after.version,
        session_id=case.session_id,
        order_id=case.order_id,
        mentor_id=case.mentor_id,
        mentee_id=case.mentee_id,
        mentor_rating=by_mentee.rating if by_mentee else None,
        mentee_rating=by_mentor.rating if by_mentor else None,
    )
