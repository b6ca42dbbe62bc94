"""What becomes of a session: moved or not, missed, objected to and decided on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.contracts import booking
from shared.contracts.booking import OrderFact
from shared.ids import calendar_uid
from tests.notifications.conftest import NOW, STARTS, Marketplace, calendar_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEW = STARTS + DAY
MENTOR, MENTEE = "mia@example.test", "tom@example.test"


async def confirmed(market: Marketplace, **locales: str) -> None:
    """Let both be known and the session confirmed, and forget the mails about it."""
    await market.meet(**locales)
    await market.confirm()
    await market.work()
    market.mailbox.mails.clear()
    market.mailbox.recipients.clear()


def proposed(market: Marketplace, by: str, version: int = 3) -> OrderFact:
    """Return the fact that one side asks to move the session by a day."""
    return market.told(
        booking.MoveProposed,
        version,
        by=by,
        proposed_starts_at=NEW,
        proposed_ends_at=NEW + HOUR,
        answer_by=NOW + timedelta(hours=48),
        reason_given=True,
    )


def moved(market: Marketplace, version: int = 4, **said: Any) -> OrderFact:
    """Return the fact that the session takes place a day later."""
    told: dict[str, Any] = {
        "by": "mentor",
        "starts_at": NEW,
        "ends_at": NEW + HOUR,
        "was_starts_at": STARTS,
        "was_ends_at": STARTS + HOUR,
        "calendar_sequence": 1,
        "refundable": True,
    }
    return market.told(booking.SessionMoved, version, **told | said)


async def test_a_proposed_move_is_told_to_the_other_side(market: Marketplace):
    """With both times, where to read why, and until when to answer; no invitation yet."""
    await confirmed(market, mentee_locale="de")
    await market.hear(proposed(market, "mentor"))
    await market.work()
    assert market.mailbox.recipients == [MENTEE]
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "Ein anderer Termin für Career talk mit Mia Mentor?"
    assert "Vorschlag: Samstag, 7. März 2026, 19:45 – 20:45" in text
    assert "Bisher: Freitag, 6. März 2026, 19:45 – 20:45" in text
    assert "Ein Grund wurde genannt; er steht dort, wo du antwortest." in text
    assert "antworte bis 4. März 2026, 17:45" in text
    assert "text/calendar" not in {
        part.get_content_type() for part in market.mailbox.mails[0].walk()
    }


async def test_an_answer_to_a_move_is_told_to_who_asked(market: Marketplace):
    """Declined, lapsed or withdrawn: each is told to the one who does not know yet."""
    await confirmed(market)
    stories = (("mentee", "mentor"), ("mentor", "system"), ("mentee", "mentee"))
    for number, (asked, by) in enumerate(stories):
        await market.hear(proposed(market, asked, version=3 + 2 * number))
        await market.work()
        market.mailbox.mails.clear()
        market.mailbox.recipients.clear()
        await market.hear(market.told(booking.MoveDeclined, 4 + 2 * number, by=by))
        await market.work()
        told = {"mentee": MENTEE, "mentor": MENTOR}
        if by == "mentee":
            assert market.mailbox.recipients == [MENTOR], "the other side of a withdrawal"
            ((_, text),) = market.words_to(MENTOR)
            assert "The proposal was withdrawn." in text
        else:
            assert market.mailbox.recipients == [told[asked]]
            ((_, text),) = market.words_to(told[asked])
            said = "lapsed without an answer" if by == "system" else "Your proposal was declined."
            assert said in text


async def test_a_proposal_answered_before_the_mail_went_out_is_not_told(market: Marketplace):
    """Only the proposal that is open now is told."""
    await market.confirm()
    await market.hear(proposed(market, "mentor"))
    await market.hear(market.told(booking.MoveDeclined, 4, by="mentee"))
    await market.hear(proposed(market, "mentee", version=5))
    await market.meet()
    await market.work()
    proposals = [each for each in market.mailbox.subjects if each.startswith("Another time")]
    assert proposals == ["Another time for Career talk with Tom Mentee?"]
    assert await market.states("move_proposed") == [
        ("skipped", "answered_already"),
        ("sent", None),
    ]


async def test_a_moved_session_updates_both_calendars_and_its_reminders(market: Marketplace):
    """Same UID, higher SEQUENCE, the new time; the reminders of the old time are not sent."""
    await confirmed(market)
    await market.hear(moved(market))
    await market.work()
    assert sorted(market.mailbox.recipients) == [MENTOR, MENTEE]
    for mail in market.mailbox.mails:
        calendar = calendar_of(mail)
        (event,) = calendar.walk("VEVENT")
        assert calendar["METHOD"] == "REQUEST"
        assert (event["UID"], event["SEQUENCE"]) == (calendar_uid(market.session), 1)
        assert event["DTSTART"].dt == NEW
    ((_, text),) = market.words_to(MENTEE)
    assert "as Mia Mentor wished." in text
    assert "Now: Saturday, March 7, 2026, 7:45 PM" in text
    assert "Before: Friday, March 6, 2026, 7:45 PM" in text
    await market.advance_to(STARTS - DAY)
    assert await market.states("reminder_day") == [
        *[("skipped", "session_moved")] * 2,
        *[("planned", None)] * 2,
    ]
    await market.advance_to(NEW - DAY)
    await market.advance_to(NEW - HOUR)
    assert await market.states("reminder_hour") == [
        *[("skipped", "session_moved")] * 2,
        *[("sent", None)] * 2,
    ]
    assert len(market.mailbox.mails) == 2 + 2 + 2


async def test_a_session_moved_back_is_reminded_of_once(market: Marketplace):
    """There and back again: the reminders planned first serve again."""
    await confirmed(market)
    await market.hear(moved(market))
    back = {"starts_at": STARTS, "ends_at": STARTS + HOUR, "calendar_sequence": 2}
    was = {"was_starts_at": NEW, "was_ends_at": NEW + HOUR}
    await market.hear(moved(market, 5, by="mentee", refundable=False, **back, **was))
    await market.work()
    assert [subject.split(":")[0] for subject in market.mailbox.subjects] == ["Moved"] * 2
    ((_, text),) = market.words_to(MENTEE)
    assert "if you cancel it now, no money goes back to you" in text
    assert await market.states("session_moved") == [
        *[("skipped", "moved_again")] * 2,
        *[("sent", None)] * 2,
    ]
    await market.advance_to(STARTS - DAY)
    await market.advance_to(STARTS - HOUR)
    assert len(market.mailbox.mails) == 2 + 2 + 2


async def test_a_missed_session_is_told_to_both(market: Marketplace):
    """Each reads what it means for them; nobody is asked for a review or reminded."""
    await confirmed(market)
    said = {"missed_by": "mentor", "missed_at": STARTS, "refund_basis_points": 10_000}
    await market.hear(market.told(booking.SessionMissed, 3, **said))
    await market.work()
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "Missed: Career talk with Mia Mentor"
    assert "nobody came from the other side" in text
    assert "Of the price, 100% goes back to whoever paid" in text
    ((_, text),) = market.words_to(MENTOR)
    assert "You did not come to “Career talk” with Tom Mentee" in text
    assert "Of the price, 100% goes back to whoever paid." in text
    await market.advance_to(STARTS)
    assert len(market.mailbox.mails) == 2
    assert await market.states("reminder_hour") == [("skipped", "session_no_show")] * 2


async def test_an_absent_mentee_reads_that_nothing_comes_back(market: Marketplace):
    """In German, and from the mentee's side."""
    await confirmed(market, mentee_locale="de")
    said = {"missed_by": "mentee", "missed_at": STARTS, "refund_basis_points": 0}
    await market.hear(market.told(booking.SessionMissed, 3, **said))
    await market.work()
    ((subject, text),) = market.words_to(MENTEE)
    assert subject == "Versäumt: Career talk mit Mia Mentor"
    assert "Du bist zu „Career talk“ mit Mia Mentor nicht rechtzeitig gekommen" in text
    assert "Vom Preis geht nichts an dich zurück." in text


async def test_an_objection_is_told_to_the_other_side_and_its_decision_to_both(
    market: Marketplace,
):
    """That there is an objection goes to one person, the decision to two; the words stay."""
    await confirmed(market)
    await market.hear(market.told(booking.ObjectionRaised, 3, by="mentee"))
    await market.work()
    assert market.mailbox.recipients == [MENTOR]
    ((subject, text),) = market.words_to(MENTOR)
    assert subject == "An objection to Career talk with Tom Mentee"
    assert "What is objected to stands on the page of the session." in text
    market.mailbox.mails.clear()
    decided = {"refund_basis_points": 5_000, "settled_at": NOW}
    await market.hear(market.told(booking.ObjectionSettled, 4, **decided))
    await market.work()
    ((_, text),) = market.words_to(MENTEE)
    assert "The reason stands on the page of the session." in text
    assert "Of the price, 50% goes back to whoever paid" in text
    ((_, text),) = market.words_to(MENTOR)
    assert "50% goes back to whoever paid. Your share of what is kept is released" in text


async def test_a_settled_objection_is_not_told_as_open(market: Marketplace):
    """When the mail comes late, only the decision is news."""
    await market.confirm()
    await market.hear(market.told(booking.ObjectionRaised, 3, by="mentor"))
    decided = {"refund_basis_points": 0, "settled_at": NOW}
    await market.hear(market.told(booking.ObjectionSettled, 4, **decided))
    await market.meet()
    await market.work()
    assert await market.states("objection_raised") == [("skipped", "settled_already")]
    assert await market.states("objection_settled") == [("sent", None)] * 2
