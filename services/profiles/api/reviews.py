"""Reviews of a session, for the two who met."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.profiles.api.front import api, desk
from services.profiles.commands import reviews as commands
from services.profiles.domain.reviews import (
    AlreadyReviewed,
    Review,
    ReviewCase,
    ReviewsClosed,
    SessionNotCompleted,
)
from services.profiles.store import reviews as store
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import PersonId
from shared.web import Body, Call, Text, View, WholeNumber

Rating = Annotated[WholeNumber, Field(ge=1, le=5)]


class SubScores(Body):
    """Ratings of one side of it each."""

    knowledge: Rating | None = None
    communication: Rating | None = None
    preparation: Rating | None = None


class ReviewBody(Body):
    """What somebody says about a session."""

    rating: Rating
    text: Text
    sub_scores: SubScores = SubScores()

    def words(self) -> commands.Words:
        """Return what is said, without the scores left out."""
        return commands.Words(self.rating, self.text, self.sub_scores.model_dump(exclude_none=True))


class ReviewView(View):
    """One side's review."""

    by: str
    rating: int
    text: str
    sub_scores: dict[str, int]
    written_at: datetime


class ReviewsView(View):
    """One's own review, and the other's once both are shown."""

    state: str
    publish_at: datetime | None
    mine: ReviewView | None
    theirs: ReviewView | None


@api.post(
    "/v1/sessions/{session_id}/reviews",
    idempotent=True,
    refusals=(SessionNotCompleted, AlreadyReviewed, ReviewsClosed),
)
async def write_review(
    session_id: UUID, body: ReviewBody, call: Call, conn: Connection
) -> ReviewsView:
    """Review a completed session, once; shown when both have written, or after 14 days."""
    case = await commands.write_review(
        conn, desk(call).office, session_id, call.person_id, body.words(), now=call.now
    )
    return _view(case, call.person_id)


@api.get("/v1/sessions/{session_id}/reviews")
async def session_reviews(session_id: UUID, call: Call, conn: Connection) -> ReviewsView:
    """Show the reviews of a session as far as one may see them."""
    case = await store.case(conn, session_id)
    if case is None:
        raise NotFound
    return _view(case, call.person_id)


def _view(case: ReviewCase, person_id: PersonId) -> ReviewsView:
    mine = case.side_of(person_id)
    theirs = case.by("mentee" if mine == "mentor" else "mentor")
    return ReviewsView(
        state=case.state,
        publish_at=case.publish_at,
        mine=_review(case.by(mine)),
        theirs=_review(theirs) if case.state == "published" else None,
    )


def _review(review: Review | None) -> ReviewView | None:
    if review is None:
        return None
    return ReviewView(
        by=review.author,
        rating=review.rating,
        text=review.text,
        sub_scores=review.sub_scores,
        written_at=review.written_at,
    )
