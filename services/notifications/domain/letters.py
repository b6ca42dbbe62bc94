"""From the present situation to a letter, or to an item of the feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifications.domain import words
from services.notifications.domain.invitations import Invitation, invite
from services.notifications.domain.messages import Contact, Session, Situation
from shared.money import Money

CALENDAR_KINDS = frozenset({"session_confirmed", "session_cancelled"})
"""Messages that change the reader's calendar."""

PAGES: Mapping[str, str] = {
    "mentor_approved": "/mentor",
    "mentor_changes_requested": "/mentor",
    "mentor_suspended": "/mentor",
    "account_ready": "/mentor",
    "payout_paid": "/earnings",
    "payout_failed": "/earnings",
}
"""Where a message leads that is about no session and holds no link of its own."""


@dataclass(frozen=True)
class Letter:
    """A mail to one person, ready to be handed over."""

    message_id: UUID
    to_name: str
    to_address: str
    subject: str
    text: str
    html: str
    written_at: datetime
    invitation: Invitation | None = None


@dataclass(frozen=True)
class Sender:
    """In whose name letters go out, and where their links lead."""

    name: str
    address: str
    web_url: str


def compose(situation: Situation, sender: Sender) -> Letter:
    """Return the letter of a message; the reader must be known (`addressee`)."""
    reader = addressee(situation)
    facts = _facts(situation, sender)
    said = words.say(situation.message.kind, _voice(reader), facts)
    return Letter(
        message_id=situation.message.message_id,
        to_name=reader.name,
        to_address=reader.email,
        subject=said.subject,
        text=said.text,
        html=said.html,
        written_at=situation.now,
        invitation=_invitation(situation, reader, sender, said.subject),
    )


def feed_words(situation: Situation, sender: Sender) -> tuple[str, str]:
    """Return title and text of a message in the feed, in its reader's language."""
    said = words.say(situation.message.kind, _voice(situation.reader), _facts(situation, sender))
    return said.subject, said.summary


def addressee(situation: Situation) -> Contact:
    """Return whom a letter goes to: a secret goes to the address it was sealed with."""
    secret = situation.secret
    if secret is None:
        if situation.reader is None:
            raise LookupError("the reader's contact has not arrived")
        return situation.reader
    zone = situation.reader.zone if situation.reader else words.FALLBACK_ZONE
    person = situation.message.person_id
    return Contact(person, secret.name, secret.email, secret.locale, zone)


def _voice(reader: Contact | None) -> words.Voice:
    return words.voice_of(reader.locale, reader.zone) if reader else words.voice_of(None, None)


def _invitation(
    situation: Situation, reader: Contact, sender: Sender, subject: str
) -> Invitation | None:
    session = situation.session
    if session is None or situation.message.kind not in CALENDAR_KINDS:
        return None
    other = situation.other_name
    return invite(
        session,
        reader,
        organiser=sender.address,
        summary=f"{session.title} · {other}" if other else session.title,
        link=_link(situation, sender),
        now=situation.now,
    )


def _link(situation: Situation, sender: Sender) -> str:
    if situation.secret:
        return situation.secret.link
    if situation.message.order_id:
        return f"{sender.web_url}/sessions/{situation.message.order_id}"
    return sender.web_url + PAGES.get(situation.message.kind, "/")


def _facts(situation: Situation, sender: Sender) -> dict[str, object]:
    """Return the variables of the templates; what a message has no use for is None."""
    secret, reader = situation.secret, situation.reader
    known = secret or reader
    voice = _voice(addressee(situation) if known else None)
    details = situation.message.details
    return {
        "name": known.name if known else None,
        "other_name": situation.other_name,
        "as_mentor": situation.reads_as_mentor,
        "link": _link(situation, sender),
        "reason": details.get("reason"),
        "money": words.amount(voice, Money(int(details["amount_minor"]), str(details["currency"])))
        if "amount_minor" in details
        else None,
        "expires": words.moment(voice, secret.expires_at) if secret else None,
        **_session_facts(situation.session, voice),
    }


def _session_facts(session: Session | None, voice: words.Voice) -> dict[str, object]:
    if session is None:
        return {}
    return {
        "title": session.title,
        "when": words.span(voice, session.starts_at, session.ends_at),
        "starts": words.clock_time(voice, session.starts_at),
        "cancelled_by": session.cancelled_by,
        "said": session.cancel_reason,
        "percent": words.percentage(voice, session.refund_basis_points or 0),
    }
