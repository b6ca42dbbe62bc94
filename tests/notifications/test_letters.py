"""What is written: invitations for calendars, times and money as the reader writes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from icalendar import Calendar

from services.notifications.domain import words
from services.notifications.domain.letters import Letter, compose
from services.notifications.domain.messages import SECRET_KINDS, Contact, Message, Situation
from services.notifications.domain.orders import Order, Session
from shared.contracts.sealed import OneTimeMessage
from shared.ids import new_id
from shared.money import Money
from tests.notifications.conftest import NOW, SENDER, STARTS, Marketplace, calendar_of

KINDS = sorted(path.stem for path in (words.TEMPLATES / "en").glob("*.j2") if path.stem != "frame")
NO_SESSION = {
    *SECRET_KINDS,
    "mentor_approved",
    "mentor_changes_requested",
    "mentor_suspended",
    "account_ready",
    "payout_paid",
    "payout_failed",
    "statement_ready",
}


def secret_to(reader: Contact) -> OneTimeMessage:
    """Return what is sealed into a message with a secret link."""
    return OneTimeMessage(
        email=reader.email,
        name=reader.name,
        locale=reader.locale,
        link="https://x.test/t?a=1",
        expires_at=NOW,
    )


def said_then() -> dict[str, str | int]:
    """Return everything that any kind of message says of when it happened."""
    later = [(STARTS + timedelta(hours=ahead)).isoformat() for ahead in range(3)]
    return {
        "amount_minor": 1_250,
        "netted_minor": 750,
        "currency": "USD",
        "reason": "a reason",
        "reason_given": 1,
        "until": later[0],
        "month": later[0],
        "proposed_starts_at": later[1],
        "proposed_ends_at": later[2],
        "was_starts_at": later[1],
        "was_ends_at": later[2],
        "by": "mentor",
        "asked": "mentee",
    }


def situation(
    kind: str, *, locale: str = "en", zone: str = "UTC", name: str = "Tom", **session: Any
) -> Situation:
    """Return a situation in which a message of this kind makes sense."""
    reader = Contact(new_id(), name, "tom@example.test", locale, zone)
    order = new_id()
    title = session.pop("title", "Career talk")
    told: dict[str, Any] = {"starts_at": STARTS, "state": "confirmed", "refund_basis_points": 5_000}
    about = Order(
        order_id=order,
        mentor_id=new_id(),
        mentee_id=reader.person_id,
        title=title,
        free=False,
        requested=False,
        version=2,
        sessions=(
            Session(session_id=new_id(), ends_at=STARTS + timedelta(hours=1), **told | session),
        ),
    )
    details = said_then()
    alone = kind in NO_SESSION
    return Situation(
        message=Message(
            new_id(),
            reader.person_id,
            "mail",
            kind,
            None if alone else order,
            details,
            1,
            NOW,
            None if alone else about.sessions[0].session_id,
        ),
        now=NOW,
        reader=reader,
        order=None if alone else about,
        other_name="Mia Mentor",
        secret=secret_to(reader) if kind in SECRET_KINDS else None,
    )


def written(kind: str, **options: Any) -> Letter:
    """Return the letter of a kind."""
    return compose(situation(kind, **options), SENDER)


def for_mentor(about: Situation) -> Situation:
    """Return a situation as the mentor of the purchase meets it."""
    if about.order is None:
        return about
    order = replace(about.order, mentor_id=about.message.person_id, mentee_id=new_id())
    return replace(about, order=order)


def read_as(kind: str, *, as_mentor: bool = False, said: dict[str, Any], **session: Any) -> str:
    """Return the text of a letter in one line; `said` is what was said when it happened."""
    about = situation(kind, **session)
    details = {**about.message.details, **said}
    about = replace(about, message=replace(about.message, details=details))
    return " ".join(compose(for_mentor(about) if as_mentor else about, SENDER).text.split())


@pytest.mark.parametrize(
    ("kind", "as_mentor", "state", "said", "expected"),
    [
        ("request_declined", True, {"cancelled_by": "operator"}, {}, "Mentorium ended the request"),
        ("waitlist_ended", False, {"cancelled_by": "mentor"}, {}, "was withdrawn by Mia Mentor"),
        ("session_moved", True, {}, {"by": "mentee", "refundable": 0}, "cancels now, no money"),
        ("session_moved", False, {}, {"by": "operator"}, "has a new time. Now:"),
        (
            "session_missed",
            True,
            {"missed_by": "mentee", "refund_basis_points": 0},
            {},
            "None of the price goes back to your mentee. Your share is released as after",
        ),
        (
            "session_cancelled",
            False,
            {"cancelled_by": "mentee", "refund_basis_points": 0},
            {},
            "None of the price goes back to you.",
        ),
    ],
)
def test_a_letter_says_who_did_what_and_what_it_means(
    kind: str, state: dict[str, Any], said: dict[str, Any], expected: str, *, as_mentor: bool
):
    """The rarer ways in which things happen have their own words."""
    assert expected in read_as(kind, as_mentor=as_mentor, said=said, **state)


class Balanced(HTMLParser):
    """Checks that every element that is opened is closed in order."""

    VOID = ("meta", "link", "br", "hr", "img")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("as_mentor", [False, True], ids=["mentee", "mentor"])
@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_message_exists_in_every_language(kind: str, language: str, *, as_mentor: bool):
    """Text and HTML of every kind are complete, balanced and say the same, for either side."""
    foreign = next(lang for lang in words.LANGUAGES if lang != language)
    letter, other = (
        compose(for_mentor(about) if as_mentor else about, SENDER)
        for about in (situation(kind, locale=lang) for lang in (language, foreign))
    )
    assert letter.subject != other.subject
    assert letter.subject.strip()
    assert "None" not in letter.text + letter.html + letter.subject
    page = Balanced()
    page.feed(letter.html)
    assert page.open == []
    assert page.links, "there is always something to open"
    assert page.links[0] in letter.text
    assert f'lang="{language}"' in letter.html


def test_languages_have_the_same_templates():
    """No kind is missing in a language."""
    names = [
        {path.name for path in (words.TEMPLATES / language).glob("*.j2")}
        for language in words.LANGUAGES
    ]
    assert names[0] == names[1]


def test_what_people_typed_is_escaped_in_html_and_plain_in_text():
    """A title with markup is text, in every part."""
    letter = written("session_confirmed", name="<i>Tom", title="<script>alert(1)</script> & more")
    assert "<script>" not in letter.html
    assert "<i>" not in letter.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in letter.html
    assert "“<script>alert(1)</script> & more”" in letter.text
    assert "Hello <i>Tom," in letter.text


def test_a_line_break_in_a_title_makes_no_header():
    """What people typed cannot add headers to a mail."""
    letter = written("session_confirmed", title="Talk\r\nBcc: everybody@example.test")
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject


@pytest.mark.parametrize(
    ("locale", "zone", "expected"),
    [
        ("en", "UTC", "Friday, March 6, 2026, 2:00 PM – 3:00 PM (Coordinated Universal Time)"),
        ("en-GB", "Europe/London", "Friday 6 March 2026, 14:00 – 15:00 (Greenwich Mean Time)"),
        (
            "de-DE",
            "Europe/Berlin",
            "Freitag, 6. März 2026, 15:00 – 16:00 (Mitteleuropäische Normalzeit)",
        ),
        ("de", "Asia/Kathmandu", "Freitag, 6. März 2026, 19:45 – 20:45 (GMT+05:45)"),
        (
            "en-US",
            "Pacific/Auckland",
            "Saturday, March 7, 2026, 3:00 AM – 4:00 AM (New Zealand Daylight Time)",
        ),
    ],
)
def test_times_are_in_the_readers_zone_and_locale(locale: str, zone: str, expected: str):
    """The day and the hour are the ones on the reader's wall, also past midnight."""
    voice = words.voice_of(locale, zone)
    shown = words.span(voice, STARTS, STARTS + timedelta(hours=1))
    assert " ".join(shown.replace(",", "").split()) == expected.replace(",", "")


def test_summer_time_counts_at_the_session_not_now():
    """The zone's offset is the one at the session's instant."""
    voice = words.voice_of("en", "Europe/Berlin")
    summer = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert words.clock_time(voice, summer).startswith("3:00")
    assert words.clock_time(voice, summer - timedelta(minutes=1)).startswith("1:59")


@pytest.mark.parametrize("locale", ["", "xx", "fr-FR", "zz_ZZ", "x" * 50, "../de"])
def test_an_unknown_language_is_answered_in_english(locale: str):
    """Whatever the locale says, the reader gets a whole sentence in one language."""
    assert words.voice_of(locale, "Nowhere/Land").language == "en"
    assert str(words.voice_of(locale, "../../etc/passwd").zone) == "UTC"


@pytest.mark.parametrize(
    ("money", "english", "german"),
    [
        (Money(12_050, "USD"), "$120.50", "120,50 $"),
        (Money(5_000, "JPY"), "¥5,000", "5.000 ¥"),
        (Money(1_234, "KWD"), "KWD 1.234", "1,234 KWD"),
        (Money(1_250, "RSD"), "RSD 12.50", "12,50 RSD"),
        (Money(99, "EUR"), "€0.99", "0,99 €"),
    ],
)
def test_amounts_keep_every_minor_unit(money: Money, english: str, german: str):
    """Money is shown with the digits of its currency, never rounded to what shops use."""
    for locale, expected in (("en", english), ("de", german)):
        shown = words.amount(words.voice_of(locale, None), money)
        assert shown.replace("\xa0", " ") == expected


def event_of(letter: Letter) -> tuple[Any, Any]:
    """Return calendar and event of a letter's invitation, as a calendar reads them."""
    assert letter.invitation is not None
    calendar = Calendar.from_ical(letter.invitation.content)
    (event,) = calendar.walk("VEVENT")
    return calendar, event


def test_an_invitation_is_one_that_calendars_accept():
    """UID of the session, SEQUENCE of booking, one attendee, UTC, a link, the platform invites."""
    about = situation("session_confirmed", zone="Asia/Kathmandu", name='Tom "T" Mentee; Jr')
    assert about.session is not None
    calendar, event = event_of(compose(about, SENDER))
    assert calendar["METHOD"] == "REQUEST"
    assert event["UID"] == f"{about.session.session_id}@mentorium"
    assert event["SEQUENCE"] == 0
    assert event["STATUS"] == "CONFIRMED"
    assert event["DTSTART"].dt == STARTS
    assert event["DTSTART"].to_ical() == b"20260306T140000Z"
    assert event["DTEND"].dt == STARTS + timedelta(hours=1)
    assert event["ORGANIZER"] == "mailto:hello@mentorium.test"
    assert event["ATTENDEE"] == "mailto:tom@example.test"
    assert event["URL"] == f"https://mentorium.test/sessions/{about.message.order_id}"
    assert event["SUMMARY"] == "Career talk · Mia Mentor"


def test_a_cancellation_names_the_same_event_with_a_higher_sequence():
    """A calendar takes the event out: same UID, higher SEQUENCE, METHOD:CANCEL."""
    about = situation(
        "session_cancelled", state="cancelled", cancelled_by="mentee", calendar_sequence=1
    )
    assert about.session is not None
    calendar, event = event_of(compose(about, SENDER))
    assert calendar["METHOD"] == "CANCEL"
    assert event["STATUS"] == "CANCELLED"
    assert event["SEQUENCE"] == 1


async def test_each_side_gets_an_invitation_of_its_own(market: Marketplace):
    """Nobody's address is shown to the other; both hold the same event, asked and called off."""
    await market.meet(mentor_locale="de")
    await market.confirm()
    await market.work()
    await market.hear(market.cancelled())
    await market.work()
    assert len(market.mailbox.mails) == 4
    for own, other in (("mia@example.test", "tom@"), ("tom@example.test", "mia@")):
        asked, called_off = market.mailbox.to(own)
        for mail in (asked, called_off):
            assert other not in mail.as_string()
            assert all(other not in part for part in _decoded(mail))
        first, second = calendar_of(asked), calendar_of(called_off)
        assert (first["METHOD"], second["METHOD"]) == ("REQUEST", "CANCEL")
        (one,), (two,) = first.walk("VEVENT"), second.walk("VEVENT")
        assert one["UID"] == two["UID"] == f"{market.session}@mentorium"
        assert (one["SEQUENCE"], two["SEQUENCE"]) == (0, 1)
        assert one["ATTENDEE"] == two["ATTENDEE"] == f"mailto:{own}"


async def test_an_invitation_mail_has_the_parts_that_mail_programs_look_for(market: Marketplace):
    """Text, HTML and text/calendar with its method as alternatives, and the file attached."""
    await market.meet()
    await market.confirm()
    await market.work()
    mail = market.mailbox.to("tom@example.test")[0]
    types = [part.get_content_type() for part in mail.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    parts = list(mail.walk())
    assert parts[4].get_param("method") == "REQUEST"
    assert parts[5].get_filename() == "invite.ics"
    assert str(mail["Message-ID"]).endswith("@mentorium.test>")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail["From"]) == "Mentorium <hello@mentorium.test>"


async def test_a_reader_reads_their_own_language_and_zone(market: Marketplace):
    """One session, two mails: the mentor's in German, the mentee's in English, Nepal's time."""
    await market.meet(mentor_locale="de-DE")
    await market.confirm()
    await market.work()
    mentor, mentee = (
        "\n".join(_decoded(market.mailbox.to(who)[0]))
        for who in ("mia@example.test", "tom@example.test")
    )
    assert "15:00 – 16:00 (Mitteleuropäische" in mentor
    assert "Tom Mentee" in mentor
    assert "(GMT+05:45)" in mentee
    assert "7:45" in mentee


def _decoded(mail: EmailMessage) -> list[str]:
    return [
        part.get_content().decode() if isinstance(part.get_content(), bytes) else part.get_content()
        for part in mail.walk()
        if not part.is_multipart()
    ]
