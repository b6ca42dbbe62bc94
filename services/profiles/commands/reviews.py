"""Reviews: opened by a completed session, written once by each side, shown together."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.profiles.commands.office import Office
from services.profiles.domain import reviews as domain
from services.profiles.domain.mentors import rating_mean
from services.profiles.domain.reviews import Review, ReviewCase
from services.profiles.store import mentors
from services.profiles.store import reviews as store
from shared.clock import BusinessInstant
from shared.contracts.booking import BookingCancelled, OrderFact, SessionCompleted
from shared.contracts.profiles import ReviewsPublished
from shared.db import Connection
from shared.errors import NotFound
from shared.ids import OrderId, PersonId, SessionId


@dataclass(frozen=True)
class Words:
    """What somebody says about a session; ratings are 1 to 5."""

    rating: int
    text: str
    sub_scores: dict[str, int]


async def expect_reviews(conn: Connection, told: OrderFact) -> ReviewCase:
    """Begin the case of a session, unless it is there; return it with its row locked.

    Every fact about a purchase says who meets, so whichever is heard first will do.
    """
    case = ReviewCase(
        session_id=SessionId(told.session_id),
        order_id=OrderId(told.order_id),
        mentor_id=PersonId(told.mentor_id),
        mentee_id=PersonId(told.mentee_id),
    )
    await store.add_case(conn, case)
    return await store.lock_case(conn, case.session_id) or case


async def open_reviews(conn: Connection, told: SessionCompleted) -> None:
    """Let both sides write."""
    case = await expect_reviews(conn, told)
    await store.save_case(conn, domain.open_for_reviews(case, BusinessInstant(told.completed_at)))


async def close_reviews(conn: Connection, told: BookingCancelled) -> None:
    """Expect no reviews of a session that was called off."""
    await store.save_case(conn, domain.call_off(await expect_reviews(conn, told)))


async def write_review(
    conn: Connection,
    office: Office,
    session_id: UUID,
    person_id: PersonId,
    words: Words,
    *,
    now: BusinessInstant,
) -> ReviewCase:
    """Write one side's review; shown at once when it is the second.

    Raises `NotFound`, `SessionNotCompleted`, `AlreadyReviewed`, `ReviewsClosed`.
    """
    case = await store.lock_case(conn, session_id)
    if case is None:
        raise NotFound
    review = Review(case.side_of(person_id), words.rating, words.text, words.sub_scores, now)
    case, facts = domain.write(case, review)
    await store.add_review(conn, case.session_id, review)
    await store.save_case(conn, case)
    await office.announcer.announce(conn, *facts, at=now)
    for fact in facts:
        if isinstance(fact, ReviewsPublished):
            await _rate(conn, fact)
    return case


async def publish_reviews(
    conn: Connection, office: Office, session_id: SessionId, now: BusinessInstant
) -> bool:
    """Show what was written when the time is over; return False when it was done already."""
    case = await store.lock_case(conn, session_id)
    if case is None or not case.is_due(now):
        return False
    case, fact = domain.publish(case, now)
    await store.save_case(conn, case)
    if fact:
        await office.announcer.announce(conn, fact, at=now)
        await _rate(conn, fact)
    return True


async def _rate(conn: Connection, shown: ReviewsPublished) -> None:
    if shown.mentor_rating is None:
        return
    mentor_id = PersonId(shown.mentor_id)
    if totals := await mentors.rate_mentor(conn, mentor_id, shown.mentor_rating):
        await mentors.set_rating_mean(conn, mentor_id, rating_mean(*totals))
