"""Several sessions bought as one: one confirmation, and each session followed for itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.notifications.domain.clocks import clock_change
from services.notifications.domain.orders import Order, Session
from shared.contracts import booking, payments, profiles
from shared.ids import calendar_uid, new_id
from tests.notifications.conftest import NOW, STARTS, Marketplace, calendar_of

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(weeks=1)
MENTOR, MENTEE = "mia@example.test", "tom@example.test"


async def buy(market: Marketplace, *later: UUID) -> None:
    """Hear that a series was bought: the order's own session and later ones."""
    sold = market.sold(market.session, *later)
    await market.meet()
    await market.hear(market.held(sessions=sold, price_minor=12_000))
    await market.hear(market.paid())
    await market.hear(market.told(booking.BookingConfirmed, 2, title="Career talk", sessions=sold))
    await market.work()


def of_second(market: Marketplace, second: UUID, **said: Any) -> dict[str, Any]:
    """Return what a fact says about the second session."""
    starts = STARTS + WEEK
    return {"session_id": second, "starts_at": starts, "ends_at": starts + HOUR, **said}


async def test_a_series_is_confirmed_in_one_mail_with_all_its_dates(market: Marketplace):
    """One letter each, three events in one published file, nobody as attendee."""
    second, third = new_id(), new_id()
    await buy(market, second, third)
    assert sorted(market.mailbox.subjects) == [
        "Confirmed: 3 sessions of Career talk with Mia Mentor",
        "Confirmed: 3 sessions of Career talk with Tom Mentee",
        "Receipt: $120.00 for Career talk",
    ]
    (mail,) = (each for each in market.mailbox.to(MENTOR))
    types = [part.get_content_type() for part in mail.walk()]
    assert "text/calendar" not in types, "no mail program may take it for one invitation"
    calendar = calendar_of(mail)
    assert calendar["METHOD"] == "PUBLISH"
    events = calendar.walk("VEVENT")
    ids = (market.session, second, third)
    assert [event["UID"] for event in events] == [calendar_uid(each) for each in ids]
    assert [event["DTSTART"].dt for event in events] == [STARTS + n * WEEK for n in range(3)]
    assert all("ATTENDEE" not in event for event in events)
    ((_, text),) = market.words_to(MENTOR)
    assert "1. Friday, March 6, 2026, 3:00 PM" in text
    assert "3. Friday, March 20, 2026, 3:00 PM" in text
    for _, text in market.words_to(MENTEE):
        assert "2. Friday, March 13, 2026, 7:45 PM" in text


async def test_each_session_of_a_series_has_reminders_of_its_own(market: Marketplace):
    """Each is reminded of by its own time, and a cancelled one not."""
    second = new_id()
    await buy(market, second)
    reminders = [at for kind, at in await market.due() if kind == "mail:reminder_day"]
    assert reminders == [*[STARTS - DAY] * 2, *[STARTS + WEEK - DAY] * 2]
    before = len(market.mailbox.mails)
    said = of_second(market, second, calendar_sequence=1, refund_basis_points=10_000)
    await market.hear(market.told(booking.BookingCancelled, 3, by="mentee", **said))
    await market.work()
    gone = market.mailbox.mails[before:]
    assert {calendar_of(mail)["METHOD"] for mail in gone} == {"CANCEL"}
    ((event,), _) = [calendar_of(mail).walk("VEVENT") for mail in gone]
    assert (event["UID"], event["SEQUENCE"]) == (calendar_uid(second), 1)
    await market.advance_to(STARTS - DAY)
    await market.advance_to(STARTS + WEEK - DAY)
    assert sorted(await market.states("reminder_day"), key=str) == [
        *[("sent", None)] * 2,
        *[("skipped", "session_cancelled")] * 2,
    ]


async def test_who_did_not_cancel_is_led_to_the_reason(market: Marketplace):
    """To the page of that one session; whoever wrote the reason knows it."""
    second = new_id()
    await buy(market, second)
    before = len(market.mailbox.mails)
    said = of_second(market, second, refund_basis_points=10_000, reason_given=True)
    await market.hear(market.told(booking.BookingCancelled, 3, by="mentee", **said))
    await market.work()
    del market.mailbox.mails[:before], market.mailbox.recipients[:before]
    ((_, to_mentor),) = market.words_to(MENTOR)
    ((_, to_mentee),) = market.words_to(MENTEE)
    assert "A reason was given; you find it on the page of the session." in to_mentor
    assert f"/sessions/{market.order}?session={second}" in to_mentor
    assert "A reason was given" not in to_mentee


async def test_a_series_confirmed_late_lists_what_still_takes_place(market: Marketplace):
    """Composed from the present state: a session called off meanwhile is in no list."""
    second = new_id()
    sold = market.sold(market.session, second)
    await market.hear(market.held(sessions=sold))
    await market.hear(market.told(booking.BookingConfirmed, 2, title="Career talk", sessions=sold))
    said = of_second(market, second, calendar_sequence=1, refund_basis_points=0)
    await market.hear(market.told(booking.BookingCancelled, 3, by="mentor", **said))
    await market.meet()
    await market.work()
    confirmed = [mail for mail in market.mailbox.mails if "Confirmed" in str(mail["Subject"])]
    assert {str(mail["Subject"]) for mail in confirmed} == {
        "Confirmed: Career talk with Mia Mentor",
        "Confirmed: Career talk with Tom Mentee",
    }
    assert {calendar_of(mail)["METHOD"] for mail in confirmed} == {"REQUEST"}


async def test_a_review_answers_the_question_of_its_session_alone(market: Marketplace):
    """Who reviewed the first session is still asked about the second."""
    second = new_id()
    await buy(market, second)
    review: dict[str, Any] = {
        "order_id": market.order,
        "mentor_id": market.mentor,
        "mentee_id": market.mentee,
    }
    written = profiles.ReviewWritten(**review, session_id=market.session, version=1, by="mentee")
    await market.hear(written)
    done = {"by": "mentee", "completed_at": STARTS + HOUR}
    await market.hear(market.told(booking.SessionCompleted, 3, **done))
    said = of_second(market, second)
    await market.hear(market.told(booking.SessionCompleted, 4, **said, **done))
    await market.work()
    assert sorted(await market.states("review_wanted"), key=str) == [
        *[("sent", None)] * 3,
        ("skipped", "reviewed_already"),
    ]


async def test_money_of_one_session_names_its_date(market: Marketplace):
    """A refund and a transfer say which session they are for."""
    second = new_id()
    await buy(market, second)
    about: dict[str, Any] = {"amount_minor": 4_000, "currency": "USD", "session_id": second}
    await market.hear(
        payments.RefundIssued(**market.money(3), **about, refund_id=new_id(), reason="cancelled")
    )
    await market.hear(payments.TransferSent(**market.money(4), **about))
    await market.work()
    (refund,) = [text for subject, text in market.words_to(MENTEE) if "way back" in subject]
    (transfer,) = [text for subject, text in market.words_to(MENTOR) if "is yours" in subject]
    assert "The session: Friday, March 13, 2026, 7:45 PM" in refund
    assert "The session: Friday, March 13, 2026, 3:00 PM" in transfer


def series(*starts: datetime, sequence: int = 0) -> Order:
    """Return a confirmed series."""
    sessions = tuple(Session(new_id(), each, each + HOUR, "confirmed", sequence) for each in starts)
    return Order(new_id(), new_id(), new_id(), "Career talk", False, False, 2, sessions)


BEFORE = datetime(2026, 3, 27, 14, tzinfo=UTC)
AFTER = datetime(2026, 4, 3, 13, tzinfo=UTC)
"""15:00 in Berlin on two Fridays; the clocks change there in between."""


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Berlin", "here"),
        ("Asia/Kathmandu", "there"),
        ("America/New_York", "there"),
        ("Europe/London", "here"),
    ],
)
def test_readers_are_warned_of_a_change_of_clocks(zone: str, expected: str):
    """One's own clocks, or the other side's that move the session on one's own."""
    order = series(BEFORE, AFTER)
    assert clock_change(order, order.sessions[1], ZoneInfo(zone)) == expected
    assert clock_change(order, order.sessions[0], ZoneInfo(zone)) is None


def test_a_moved_session_is_no_change_of_clocks():
    """Who was moved to another hour knows it; a single session has no hour before."""
    moved = series(BEFORE, AFTER, sequence=1)
    assert clock_change(moved, moved.sessions[1], ZoneInfo("Asia/Kathmandu")) is None
    alone = series(AFTER)
    assert clock_change(alone, alone.sessions[0], ZoneInfo("Asia/Kathmandu")) is None
    assert clock_change(alone, alone.sessions[0], ZoneInfo("Europe/Berlin")) == "here"


async def test_the_reminder_of_the_day_before_warns_of_the_clocks(market: Marketplace):
    """The mentor's clocks change, so the mentee's session moves by an hour: both are told."""
    sold = market.sold(market.session, new_id())
    weeks = [BEFORE, AFTER]
    sold = [
        each.model_copy(update={"starts_at": at, "ends_at": at + HOUR})
        for each, at in zip(sold, weeks, strict=True)
    ]
    await market.meet(mentee_locale="de")
    market.clock.instant = NOW
    await market.hear(market.held(sessions=sold))
    await market.hear(market.told(booking.BookingConfirmed, 2, title="Career talk", sessions=sold))
    await market.work()
    await market.advance_to(BEFORE - DAY)
    assert not any("Mind the clock" in text for _, text in market.words_to(MENTOR))
    await market.advance_to(AFTER - DAY)
    warned = [text for _, text in market.words_to(MENTOR) if "Mind the clock" in text]
    assert len(warned) == 1
    assert "where you are, the clocks change" in warned[0]
    (told,) = [text for _, text in market.words_to(MENTEE) if "Achte auf die Uhr" in text]
    assert "Auf der anderen Seite wurden die Uhren umgestellt" in told


async def test_the_request_for_a_series_names_all_its_dates(market: Marketplace):
    """The mentor says yes to every one of them, and so reads every one."""
    sold = market.sold(market.session, new_id(), new_id())
    await market.meet()
    await market.hear(market.requested(sessions=sold))
    await market.work()
    ((_, text),) = market.words_to(MENTOR)
    assert "1. Friday, March 6, 2026, 3:00 PM" in text
    assert "3. Friday, March 20, 2026, 3:00 PM" in text
