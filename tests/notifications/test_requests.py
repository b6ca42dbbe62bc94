"""Before anything is paid: requests, their answers, and slots offered from a waitlist."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import booking
from shared.contracts.booking import OrderFact
from shared.ids import new_id
from tests.notifications.conftest import NOW, STARTS, Marketplace, contact

MENTOR, MENTEE = "mia@example.test", "tom@example.test"
LATER = NOW + timedelta(days=1)


def held(market: Marketplace, **said: Any) -> booking.BookingHeld:
    """Return the fact that the mentor accepted."""
    return market.held(version=2, hold_until=LATER, **said)


def offered(market: Marketplace) -> OrderFact:
    """Return the fact that a slot is kept for who waits."""
    sale = {"title": "Career talk", "price_minor": 12_000, "currency": "USD"}
    return market.told(booking.WaitlistOffered, 1, offering_id=new_id(), answer_by=LATER, **sale)


async def test_a_request_is_told_to_both_and_its_acceptance_to_the_mentee(market: Marketplace):
    """The mentor reads until when to answer, the mentee until when to pay."""
    await market.meet()
    await market.hear(market.requested())
    await market.work()
    ((subject, text),) = market.words_to(MENTOR)
    assert subject == "Request: Career talk from Tom Mentee"
    assert "“Career talk”, for $120.00." in text
    assert "accept or decline by March 4, 2026, 1:00 PM (Central European" in text
    assert f"https://mentorium.test/sessions/{market.order}" in text
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "Your request: Career talk with Mia Mentor"
    assert "You pay nothing yet" in text
    await market.hear(held(market))
    await market.work()
    ((subject, text), _) = market.words_to(MENTEE)
    assert subject == "Accepted: Career talk with Mia Mentor"
    assert "The price is $120.00, less what your credits" in text
    assert "What is left is to be paid by March 3, 2026, 5:45 PM (GMT+05:45)" in text
    assert len(market.mailbox.to(MENTOR)) == 1


async def test_an_ordinary_hold_is_told_to_nobody(market: Marketplace):
    """Who is about to pay needs no mail, nor does who takes an offered slot."""
    await market.meet()
    await market.hear(market.held())
    market.order, market.session = new_id(), new_id()
    await market.hear(offered(market))
    await market.hear(held(market))
    await market.work()
    assert market.mailbox.mails == []
    assert await market.states("waitlist_offered") == [("skipped", "session_held")]


async def test_a_request_answered_before_the_mail_went_out_is_not_told(market: Marketplace):
    """Who reads late reads the present state alone; the same fact again changes nothing."""
    await market.hear(market.requested())
    await market.hear(held(market))
    await market.hear(market.confirmed(version=3))
    await market.hear(market.requested())
    await market.meet()
    await market.work()
    assert sorted(market.mailbox.subjects) == [
        "Confirmed: Career talk with Mia Mentor",
        "Confirmed: Career talk with Tom Mentee",
    ]
    assert await market.states("request_accepted") == [("skipped", "session_confirmed")]


async def test_nobody_is_asked_to_answer_or_pay_when_it_is_too_late(market: Marketplace):
    """After an outage a request whose time is over is no news."""
    await market.meet()
    await market.hear(market.requested())
    await market.advance_to(NOW + timedelta(hours=48))
    assert await market.states("request_received") == [("skipped", "time_over")]
    assert market.mailbox.mails == []


async def test_an_accepted_request_that_is_not_paid_is_told_to_both(market: Marketplace):
    """The mentor kept the time for it; an ordinary hold that lapses is no news."""
    await market.meet()
    await market.hear(market.requested())
    await market.hear(held(market))
    await market.hear(market.told(booking.BookingExpired, 3))
    market.order, market.session = new_id(), new_id()
    await market.hear(market.held())
    await market.hear(market.told(booking.BookingExpired, 2))
    await market.work()
    assert sorted(market.mailbox.subjects) == [
        "Not paid: Career talk with Mia Mentor",
        "Not paid: Career talk with Tom Mentee",
    ]


@pytest.mark.parametrize(("by", "told"), [
    ("mentor", {MENTEE: "Request declined: Career talk with Mia Mentor"}),
    ("mentee", {MENTOR: "Request withdrawn: Career talk with Tom Mentee"}),
])  # fmt: skip
async def test_an_accepted_request_that_one_side_calls_off_is_told_to_the_other(
    market: Marketplace, by: str, told: dict[str, str]
):
    """It did not lapse: somebody said so, and the page says why."""
    await market.hear(market.requested())
    await market.hear(held(market))
    await market.hear(market.told(booking.BookingExpired, 3, by=by, reason_given=True))
    await market.meet()
    await market.work()
    assert dict(zip(market.mailbox.recipients, market.mailbox.subjects, strict=True)) == told
    ((_, text),) = market.words_to(*told)
    assert "A reason was given; you find it on the page of the request." in text


async def test_a_declined_request_is_told_to_the_mentee(market: Marketplace):
    """With where to read the reason the mentor gave; the mentor knows already."""
    await market.meet(mentee_locale="de")
    await market.hear(market.requested())
    await market.work()
    declined = market.told(booking.RequestDeclined, 2, by="mentor", reason_given=True)
    await market.hear(declined)
    await market.work()
    ((subject, text), _) = market.words_to(MENTEE)
    assert subject == "Anfrage abgelehnt: Career talk mit Mia Mentor"
    assert "Ein Grund wurde genannt; er steht auf der Seite der Anfrage." in text
    assert len(market.mailbox.to(MENTOR)) == 1


async def test_a_withdrawn_request_is_told_to_the_mentor(market: Marketplace):
    """The mentee took it back: nothing is left to answer."""
    await market.meet()
    await market.hear(market.requested())
    await market.hear(market.told(booking.RequestDeclined, 2, by="mentee"))
    await market.work()
    assert market.mailbox.subjects == ["Request withdrawn: Career talk with Tom Mentee"]
    assert set(market.mailbox.recipients) == {MENTOR}


async def test_a_lapsed_request_names_the_next_best_mentor(market: Marketplace):
    """The mentee is led to somebody who has time; the mentor reads what was missed."""
    await market.meet()
    await market.hear(market.requested())
    best = booking.Suggestion(offering_id=new_id(), mentor_id=new_id(), starts_at=STARTS)
    await market.hear(market.told(booking.RequestLapsed, 2, next_best=best))
    await market.work()
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "No answer from Mia Mentor: Career talk"
    assert "Another mentor has time close to what you wished for: March 6" in text
    assert f"https://mentorium.test/mentors/{best.mentor_id}" in text
    ((subject, text),) = market.words_to(MENTOR)
    assert subject == "A request lapsed: Career talk with Tom Mentee"
    assert str(best.mentor_id) not in text


async def test_a_waiting_mentee_is_offered_a_slot_and_told_when_it_goes_on(market: Marketplace):
    """The mentor hears nothing before somebody takes it."""
    await market.meet()
    await market.hear(offered(market))
    await market.work()
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "A slot for you: Career talk with Mia Mentor"
    assert "We keep it for you until March 3, 2026, 5:45 PM" in text
    await market.hear(market.told(booking.WaitlistOfferEnded, 2, by="system"))
    await market.work()
    assert market.mailbox.subjects[1:] == ["The slot is gone: Career talk with Mia Mentor"]
    assert set(market.mailbox.recipients) == {MENTEE}


async def test_who_passes_a_slot_on_is_told_nothing_more(market: Marketplace):
    """They said so themselves."""
    await market.hear(contact(market.mentee))
    await market.hear(offered(market))
    await market.work()
    await market.hear(market.told(booking.WaitlistOfferEnded, 2, by="mentee"))
    await market.work()
    assert len(market.mailbox.mails) == 1


async def test_a_free_purchase_says_that_it_costs_nothing(market: Marketplace):
    """No receipt, no price, and cancelling it speaks of no money."""
    await market.meet()
    await market.hear(market.held(price_minor=0))
    await market.hear(market.confirmed())
    await market.work()
    for who in (MENTOR, MENTEE):
        ((_, text),) = market.words_to(who)
        assert "is booked; it costs nothing." in text
        assert "paid" not in text
    await market.hear(market.cancelled())
    await market.work()
    for who in (MENTOR, MENTEE):
        ((_, text), _) = market.words_to(who)
        assert "The session cost nothing, so no money moves." in text
