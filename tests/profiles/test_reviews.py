"""Reviews: after a completed session only, blind until both are in or 14 days are over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.profiles.domain.reviews import (
    BLIND_FOR,
    AlreadyReviewed,
    Review,
    ReviewCase,
    ReviewsClosed,
    SessionNotCompleted,
    open_for_reviews,
    publish,
    write,
)
from shared.clock import BusinessInstant
from shared.contracts.booking import BookingCancelled, BookingConfirmed, SessionCompleted
from shared.contracts.profiles import ReviewFact, ReviewsPublished, ReviewWritten
from shared.ids import OrderId, PersonId, SessionId, new_id
from tests.profiles.conftest import Marketplace, Person

START = BusinessInstant(datetime(2030, 1, 1, tzinfo=UTC))


async def review(
    market: Marketplace, person: Person, session_id: object, rating: int = 5, **extra: Any
) -> tuple[int, Any]:
    body = {"rating": rating, "text": f"{rating} stars"} | extra
    path = f"/v1/sessions/{session_id}/reviews"
    return await market.call("POST", path, as_=person, json=body)


async def see(market: Marketplace, person: Person, session_id: object) -> Any:
    status, shown = await market.call("GET", f"/v1/sessions/{session_id}/reviews", as_=person)
    assert status == 200
    return shown


async def test_reviews_show_when_both_are_in(market: Marketplace, operator: Person) -> None:
    """Until then nobody sees the other's, not even in facts; then the mentor's rank moves."""
    mentor = await market.mentor(operator, "Grace")
    mentee = await market.person("ada@mentorium.test", "Ada")
    session_id = await market.completed_session(mentor, mentee)
    public = f"/v1/mentors/{mentor.person_id}"
    status, mine = await review(market, mentee, session_id, 2, sub_scores={"knowledge": 3})
    assert (status, mine["mine"]["rating"], mine["theirs"]) == (201, 2, None)
    assert await see(market, mentor, session_id) == {
        "state": "open", "publish_at": "2030-05-20T12:00:00Z", "mine": None, "theirs": None,
    }  # fmt: skip
    assert (await market.call("GET", f"{public}/reviews"))[1]["items"] == []
    assert (await market.call("GET", public))[1]["rating"] == {"mean": None, "count": 0}
    status, refused = await review(market, mentee, session_id, 5)
    assert (status, refused["code"]) == (409, "already_reviewed")
    status, theirs = await review(market, mentor, session_id, 4)
    assert (status, theirs["state"], theirs["theirs"]["rating"]) == (201, "published", 2)
    assert (await see(market, mentee, session_id))["theirs"]["rating"] == 4
    _, page = await market.call("GET", f"{public}/reviews")
    assert [(r["author_name"], r["rating"], r["sub_scores"]) for r in page["items"]] == [
        ("Ada", 2, {"knowledge": 3})
    ]
    _, shown = await market.call("GET", public)
    assert shown["rating"] == {"mean": 2.0, "count": 1}
    assert shown["ratings"] == {"1": 0, "2": 1, "3": 0, "4": 0, "5": 0}
    facts = await market.facts(ReviewFact)
    assert [(type(f), f.version) for f in facts] == [
        (ReviewWritten, 1), (ReviewWritten, 2), (ReviewsPublished, 3),
    ]  # fmt: skip
    assert (facts[2].mentor_rating, facts[2].mentee_rating) == (2, 4)
    assert "stars" not in str(await market.pool.fetch("SELECT value FROM outbox"))


async def test_one_review_shows_after_fourteen_days(market: Marketplace, operator: Person) -> None:
    """Not a moment before; afterwards the other side can no longer answer back."""
    mentor = await market.mentor(operator, "Grace")
    mentee = await market.person("ada@mentorium.test")
    written = await market.completed_session(mentor, mentee)
    silent = await market.completed_session(mentor, mentee)
    await review(market, mentee, written, 5)
    due = await market.pool.fetch("SELECT kind, subject, due_at FROM due ORDER BY subject")
    at = market.clock.now() + timedelta(days=14)
    assert [tuple(row) for row in due] == [
        ("publish_reviews", str(session_id), at) for session_id in sorted((written, silent))
    ]
    market.clock.instant = at - timedelta(microseconds=1)
    assert await market.turn("publish_reviews") == 0
    market.clock.instant = at
    status, refused = await review(market, mentor, written, 1)
    assert (status, refused["code"]) == (409, "reviews_closed")
    both = await asyncio.gather(*(market.turn("publish_reviews") for _ in range(2)))
    assert sum(both) == 2
    assert await market.turn("publish_reviews") == 0
    assert (await see(market, mentor, written))["theirs"]["rating"] == 5
    assert (await see(market, mentor, silent))["state"] == "closed"
    (shown,) = await market.facts(ReviewsPublished)
    assert (shown.session_id, shown.mentor_rating, shown.mentee_rating) == (written, 5, None)
    assert await market.pool.fetch("SELECT 1 FROM due") == []
    assert (await market.call("GET", f"/v1/mentors/{mentor.person_id}"))[1]["rating"]["count"] == 1


async def test_only_who_met_reviews_and_only_afterwards(
    market: Marketplace, operator: Person
) -> None:
    """Strangers find nothing; before completion and after a cancellation it is refused."""
    mentor = await market.mentor(operator, "Grace")
    mentee = await market.person("ada@mentorium.test")
    session_id = await market.completed_session(mentor, mentee)
    for stranger in (operator, await market.person("eve@mentorium.test")):
        assert (await review(market, stranger, session_id))[0] == 404
        path = f"/v1/sessions/{session_id}/reviews"
        assert (await market.call("GET", path, as_=stranger))[0] == 404
    assert (await review(market, mentee, new_id()))[0] == 404
    times = session(market, mentor, mentee)
    await market.hear(BookingConfirmed(version=2, title="An hour", **times))
    status, refused = await review(market, mentee, times["session_id"])
    assert (status, refused["code"]) == (409, "session_not_completed")
    cancelled = BookingCancelled(version=3, by="mentee", refund_basis_points=10_000, **times)
    await market.hear(cancelled)
    status, refused = await review(market, mentee, times["session_id"])
    assert (status, refused["code"]) == (409, "reviews_closed")


def session(market: Marketplace, mentor: Person, mentee: Person) -> dict[str, Any]:
    now = market.clock.now()
    return {
        "order_id": new_id(), "session_id": new_id(), "mentor_id": mentor.person_id,
        "mentee_id": mentee.person_id, "starts_at": now, "ends_at": now + timedelta(hours=1),
        "calendar_sequence": 0,
    }  # fmt: skip


async def test_facts_told_again_or_late_change_nothing(
    market: Marketplace, operator: Person
) -> None:
    """A completion opens the case by itself; a confirmation that comes later leaves it open."""
    mentee = await market.person("ada@mentorium.test")
    times = session(market, operator, mentee)
    completed = SessionCompleted(version=3, by="system", completed_at=market.clock.now(), **times)
    await market.hear(completed)
    assert (await review(market, mentee, times["session_id"]))[0] == 201
    market.clock.instant += timedelta(days=1)
    late = completed.model_copy(update={"completed_at": market.clock.now()})
    for fact in (late, BookingConfirmed(version=2, title="An hour", **times)):
        assert await market.hear(fact) == "handled"
    shown = await see(market, mentee, times["session_id"])
    assert (shown["state"], shown["publish_at"]) == ("open", "2030-05-20T12:00:00Z")


async def test_bad_reviews_are_refused(market: Marketplace, operator: Person) -> None:
    """Ratings of one to five in whole stars, with words, from signed-in people with a key."""
    mentee = await market.person("ada@mentorium.test")
    session_id = await market.completed_session(operator, mentee)
    for bad in (
        {"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": "5"}, {"rating": True},
        {"text": "  "}, {"text": "x" * 4001}, {"sub_scores": {"looks": 5}},
        {"sub_scores": {"knowledge": 9}}, {"author": "mentor"},
    ):  # fmt: skip
        status, refused = await review(market, mentee, session_id, **bad)
        assert (status, refused["code"]) == (422, "shape_invalid"), bad
    path = f"/v1/sessions/{session_id}/reviews"
    status, _ = await market.call("POST", path, json={"rating": 5, "text": "Hi"})
    assert status == 401
    status, refused = await market.call(
        "POST", path, as_=mentee, json={"rating": 5, "text": "Hi"}, headers={"Idempotency-Key": ""}
    )
    assert (status, refused["code"]) == (428, "idempotency_key_missing")
    assert await market.facts(ReviewFact) == []
    assert (await review(market, mentee, session_id, 4.0))[0] == 201


@given(
    st.lists(
        st.tuples(st.sampled_from(["mentee", "mentor", "publish", "complete"]), st.integers(0, 16)),
        max_size=12,
    )
)
def test_reviews_stay_blind_in_any_order_of_things(steps: list[tuple[Any, int]]) -> None:
    """A side's review is published only with the other's or after 14 days, and versions rise."""
    ids = [new_id() for _ in range(4)]
    case = ReviewCase(SessionId(ids[0]), OrderId(ids[1]), PersonId(ids[2]), PersonId(ids[3]))
    told: list[ReviewFact] = []
    for step, day in sorted(steps, key=lambda each: each[1]):
        now = BusinessInstant(START + timedelta(days=day))
        if step == "complete":
            case = open_for_reviews(case, now)
        elif step == "publish":
            if case.is_due(now):
                case, shown = publish(case, now)
                told += [shown] if shown else []
        else:
            try:
                case, facts = write(case, Review(step, 5, "Good", {}, now))
                told += facts
            except (AlreadyReviewed, ReviewsClosed, SessionNotCompleted):
                continue
        if case.state == "published":
            assert case.publish_at
            assert case.published_at
            assert len(case.reviews) == 2 or case.published_at >= case.publish_at
            assert case.published_at <= case.publish_at or len(case.reviews) == 1
    assert [fact.version for fact in told] == list(range(1, len(told) + 1))
    assert sum(isinstance(fact, ReviewsPublished) for fact in told) <= 1
    assert timedelta(days=14) == BLIND_FOR
