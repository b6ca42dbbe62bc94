"""Calendar invitations (RFC 5545, RFC 5546): one per reader, whose address nobody else sees.

The platform is the organiser. The UID is the session's and stays; SEQUENCE travels in the facts of
`booking`, so that a calendar knows which of two invitations is the later one.

One session is a REQUEST, which mail programs act on. An iTIP object of that method holds one UID
alone (RFC 5546 §3.2.2), so the sessions of a series come together as what is published
(docs/decisions/0023); each is updated by a REQUEST of its own later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vText, vUri

from services.notifications.domain.messages import Contact
from services.notifications.domain.orders import Session
from shared.ids import calendar_uid

PRODUCT = "-//Mentorium//Sessions//EN"

Method = Literal["REQUEST", "CANCEL", "PUBLISH"]


@dataclass(frozen=True)
class Invitation:
    """A `text/calendar` object and its method."""

    method: Method
    content: str


def invite(
    sessions: Sequence[Session],
    reader: Contact,
    *,
    organiser: str,
    summary: str,
    link: str,
    now: datetime,
) -> Invitation:
    """Return what puts sessions into their reader's calendar, or takes one out when cancelled."""
    method = _method(sessions)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    for session in sessions:
        event = _event(session, organiser, summary, link, now)
        # What is published has no attendees (RFC 5546 §3.2.1).
        if method != "PUBLISH":
            event.add("attendee", _attendee(reader), encode=False)
        calendar.add_component(event)
    return Invitation(method, calendar.to_ical().decode())


def _method(sessions: Sequence[Session]) -> Method:
    if len(sessions) > 1:
        return "PUBLISH"
    return "CANCEL" if sessions[0].state == "cancelled" else "REQUEST"


def _event(session: Session, organiser: str, summary: str, link: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", calendar_uid(session.session_id))
    event.add("sequence", session.calendar_sequence)
    event.add("status", "CANCELLED" if session.state == "cancelled" else "CONFIRMED")
    event.add("dtstamp", now)
    event.add("dtstart", session.starts_at)
    event.add("dtend", session.ends_at)
    event.add("summary", summary)
    event.add("description", link)
    event.add("url", vUri(link))
    event.add("organizer", _party(organiser, "Mentorium"), encode=False)
    return event


def _party(address: str, name: str) -> vCalAddress:
    party = vCalAddress(f"mailto:{address}")
    # A quote would end the parameter, and RFC 5545 has no escape for it.
    party.params["CN"] = vText(" ".join(name.replace('"', "'").split()))
    return party


def _attendee(reader: Contact) -> vCalAddress:
    attendee = _party(reader.email, reader.name)
    # Both agreed by booking; an answer by mail would reach nobody.
    attendee.params["PARTSTAT"] = vText("ACCEPTED")
    attendee.params["RSVP"] = vText("FALSE")
    return attendee
