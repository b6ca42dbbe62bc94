"""Calendar invitations (RFC 5545, RFC 5546): one per reader, whose address nobody else sees.

The platform is the organiser. The UID is the session's and stays; SEQUENCE travels in the facts of
`booking`, so that a calendar knows which of two invitations is the later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from icalendar import Calendar, Event, vCalAddress, vText, vUri

from services.notifications.domain.messages import Contact, Session

PRODUCT = "-//Mentorium//Sessions//EN"
UID_DOMAIN = "mentorium"

Method = Literal["REQUEST", "CANCEL"]


@dataclass(frozen=True)
class Invitation:
    """A `text/calendar` object and its method."""

    method: Method
    content: str


def invite(
    session: Session, reader: Contact, *, organiser: str, summary: str, link: str, now: datetime
) -> Invitation:
    """Return what puts a session into its reader's calendar, or takes it out when cancelled."""
    method: Method = "CANCEL" if session.state == "cancelled" else "REQUEST"
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(_event(session, reader, organiser, summary, link, now))
    return Invitation(method, calendar.to_ical().decode())


def _event(
    session: Session, reader: Contact, organiser: str, summary: str, link: str, now: datetime
) -> Event:
    event = Event()
    event.add("uid", f"{session.session_id}@{UID_DOMAIN}")
    event.add("sequence", session.calendar_sequence)
    event.add("status", "CANCELLED" if session.state == "cancelled" else "CONFIRMED")
    event.add("dtstamp", now)
    event.add("dtstart", session.starts_at)
    event.add("dtend", session.ends_at)
    event.add("summary", summary)
    event.add("description", link)
    event.add("url", vUri(link))
    event.add("organizer", _party(organiser, "Mentorium"), encode=False)
    event.add("attendee", _attendee(reader), encode=False)
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
