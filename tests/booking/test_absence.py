"""Who came to a session and who did not: the record, the report, and the end without a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.booking.domain.absence import Visit, arrival, late_minutes
from shared.auth import Role
from shared.contracts.booking import SessionCompleted, SessionMissed
from tests.booking.conftest import SLOT, Marketplace, Person
from tests.booking.orders import CONFIRMED, STARTS

MINUTE = timedelta(minutes=1)
ENDED = SLOT + timedelta(hours=1)


async def join(market: Marketplace, order: Any, who: Person, minute: int = 0) -> None:
    """Come into the room some minutes after the start."""
    market.clock.instant = SLOT + minute * MINUTE
    status, answer = await market.call("POST", f"/v1/sessions/{order['session_id']}/join", who)
    assert status == 200, answer


async def leave(market: Marketplace, order: Any, who: Person, minute: int) -> None:
    """Go out of the room some minutes after the start."""
    market.clock.instant = SLOT + minute * MINUTE
    path = f"/v1/sessions/{order['session_id']}/leave"
    assert (await market.call("POST", path, who))[0] == 204


async def report(market: Marketplace, order: Any, who: Person, minute: int = 15) -> tuple[int, Any]:
    """Report some minutes after the start that the other side did not come."""
    market.clock.instant = SLOT + minute * MINUTE
    path = f"/v1/orders/{order['order_id']}/report-absence"
    return await market.call("POST", path, who, json={})


@pytest.mark.parametrize(
    ("missing", "refund", "credit"), [("mentor", 10_000, 1_000), ("mentee", 0, 0)]
)
async def test_who_waits_a_quarter_of_an_hour_may_report(
    market: Marketplace, missing: str, refund: int, credit: int
):
    """A missing mentor gives everything back and a credit; a missing mentee pays."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    waiting = mentee if missing == "mentor" else mentor
    await join(market, order, waiting)
    status, problem = await report(market, order, waiting, minute=14)
    assert (status, problem["code"]) == (409, "too_early_to_report")
    assert problem["facts"] == {"reports_from": "2026-03-06T14:15:00+00:00"}
    status, seen = await report(market, order, waiting)
    assert (status, seen["state"], seen["missed_by"]) == (200, "no_show", missing)
    (fact,) = await market.facts(SessionMissed)
    assert (fact.missed_by, fact.missed_at) == (missing, SLOT + 15 * MINUTE)
    assert (fact.refund_basis_points, fact.credit_basis_points) == (refund, credit)
    assert (await report(market, order, waiting))[1]["code"] == "not_confirmed"
    market.advance(timedelta(days=2))
    assert await market.work() == 0


async def test_the_record_speaks_against_a_false_report(market: Marketplace):
    """Who did not come, or whose other side was there in time, reports nothing."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    assert (await report(market, order, mentor))[1]["code"] == "never_came"
    market.clock.instant = SLOT
    await join(market, order, mentee, minute=14)
    await leave(market, order, mentee, minute=20)
    await join(market, order, mentor, minute=21)
    status, problem = await report(market, order, mentor, minute=40)
    assert (status, problem["code"]) == (409, "other_came")
    assert problem["facts"] == {"joined_at": "2026-03-06T14:14:00+00:00"}
    assert (await report(market, order, market.person(), minute=40))[0] == 404
    assert (await report(market, order, market.person(Role.OPERATOR), minute=40))[0] == 404


async def test_who_comes_late_does_not_report_somebody_who_came_before(market: Marketplace):
    """Both late, the mentee less so: the mentor is not the one who waited, the mentee is."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await join(market, order, mentee, minute=16)
    await join(market, order, mentor, minute=18)
    assert (await report(market, order, mentor, minute=19))[1]["code"] == "other_came"
    assert (await report(market, order, mentee, minute=19))[1]["missed_by"] == "mentor"


async def test_the_record_is_kept_and_shown(market: Marketplace):
    """Who came when and how late, to both sides and operators, also after a report."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await join(market, order, mentee, minute=-5)
    await leave(market, order, mentee, minute=-1)
    await join(market, order, mentee, minute=3)
    await report(market, order, mentee)
    path = f"/v1/sessions/{order['session_id']}/attendance"
    for who in (mentor, mentee, market.person(Role.OPERATOR)):
        status, record = await market.call("GET", path, who)
        assert status == 200
        assert [(each["party"], each["late_minutes"]) for each in record["items"]] == [
            ("mentee", 3),
            ("mentee", 3),
        ]
    assert record["items"][0]["left_at"] == "2026-03-06T13:59:00Z"
    assert record["items"][1]["left_at"] is None
    assert (await market.call("GET", path, market.person()))[0] == 404


async def test_nobody_was_late_at_a_time_that_was_moved(market: Marketplace):
    """Who looked into the room before the session moved did not come to it."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await join(market, order, mentee, minute=-10)
    path, later = f"/v1/orders/{order['order_id']}/move", SLOT + timedelta(hours=2)
    body = {"starts_at": later.isoformat(), "shown_immediate": False}
    status, _ = await market.call(
        "POST", path, mentor, json=body | {"shown_refundable_after": True}
    )
    assert status == 200
    assert (await market.call("POST", f"{path}/accept", mentee, json={}))[0] == 200
    assert (await report(market, order, mentee, minute=120 + 15))[1]["code"] == "never_came"
    await join(market, order, mentee, minute=120 + 16)
    assert (await report(market, order, mentee, minute=120 + 16))[0] == 200


@pytest.mark.parametrize(
    ("came", "fact"),
    [
        ("", SessionCompleted),
        ("mentor", SessionCompleted),
        ("mentor mentee", SessionCompleted),
        ("mentee", SessionMissed),
    ],
)
async def test_a_session_about_which_nobody_says_anything(
    market: Marketplace, came: str, fact: type
):
    """It took place, unless the record shows a mentee who waited in vain (decision 0021)."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    for name in came.split():
        await join(market, order, mentor if name == "mentor" else mentee)
    market.clock.instant = ENDED + timedelta(hours=24)
    assert await market.work() == 1
    (told,) = await market.facts(SessionCompleted, SessionMissed)
    assert type(told) is fact
    if isinstance(told, SessionMissed):
        assert (told.missed_by, told.refund_basis_points) == ("mentor", 10_000)


async def test_the_mentees_word_counts_more_than_the_record(market: Marketplace):
    """They may have met elsewhere."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    await join(market, order, mentee)
    market.clock.instant = ENDED
    path = f"/v1/orders/{order['order_id']}/complete"
    assert (await market.call("POST", path, mentee, json={}))[1]["state"] == "completed"


@pytest.mark.parametrize(
    ("joined", "left", "came"),
    [(-10, None, True), (-10, 0, False), (59, None, True), (60, None, False), (70, 80, False)],
)
def test_who_is_there_only_before_or_after_a_session_did_not_come(
    joined: int, left: int | None, came: bool
):
    """The room stays open for a while after the end, for those who overrun."""
    left_at = None if left is None else STARTS + left * MINUTE
    visits = [Visit("mentor", STARTS + joined * MINUTE, left_at)]
    assert (arrival(CONFIRMED.lead, "mentor", visits) is not None) == came


@pytest.mark.parametrize(("seconds", "late"), [(-60, 0), (0, 0), (1, 1), (60, 1), (61, 2)])
def test_a_minute_that_has_begun_counts_as_late(seconds: int, late: int):
    """On time is not late, and one second after is a minute."""
    visits = [Visit("mentor", STARTS + timedelta(seconds=seconds), None)]
    assert late_minutes(CONFIRMED.lead, arrival(CONFIRMED.lead, "mentor", visits)) == late
    assert late_minutes(CONFIRMED.lead, arrival(CONFIRMED.lead, "mentee", visits)) == 0
