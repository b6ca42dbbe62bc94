"""From the present situation to a letter, or to an item of the feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notifications.domain import words
from services.notifications.domain.clocks import clock_change
from services.notifications.domain.invitations import Invitation, invite
from services.notifications.domain.messages import Contact, Situation
from services.notifications.domain.orders import Order, Session
from shared.money import Money

CALENDAR_KINDS = frozenset({"session_confirmed", "session_moved", "session_cancelled"})
"""Messages that change the reader's calendar."""

PAGES: Mapping[str, str] = {
    "mentor_approved": "/mentor",
    "mentor_changes_requested": "/mentor",
    "mentor_suspended": "/mentor",
    "account_ready": "/mentor",
    "payout_paid": "/earnings",
    "payout_failed": "/earnings",
    "debt_written_off": "/earnings",
    "statement_ready": "/statements",
    **dict.fromkeys(
        (
            "credits_bought",
            "gift_bought",
            "sponsorship_bought",
            "gift_redeemed",
            "gift_received",
            "credits_granted",
            "amends_granted",
            "amends_expiring",
            "credits_expiring",
            "credits_expired",
            "credits_unbookable",
            "credits_refunded",
            "credits_refund_failed",
            "sponsorship_thanks",
        ),
        "/credits",
    ),
    **dict.fromkeys(
        (
            "plan_started",
            "plan_subscribed",
            "plan_renewed",
            "plan_payment_failed",
            "plan_paused",
            "plan_resumed",
            "plan_rested",
            "plan_continued",
            "plan_ending",
            "plan_kept",
            "plan_ended",
        ),
        "/plans",
    ),
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
        invitation=_invitation(situation, reader, sender),
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


def _invitation(situation: Situation, reader: Contact, sender: Sender) -> Invitation | None:
    order = situation.order
    if order is None or situation.message.kind not in CALENDAR_KINDS:
        return None
    other = situation.other_name
    return invite(
        situation.sessions,
        reader,
        organiser=sender.address,
        summary=f"{order.title} · {other}" if other else order.title,
        link=_link(situation, sender),
        now=situation.now,
    )


def _link(situation: Situation, sender: Sender) -> str:
    if situation.secret:
        return situation.secret.link
    if mentor := situation.message.details.get("next_mentor_id"):
        return f"{sender.web_url}/mentors/{mentor}"
    if order_id := situation.message.order_id:
        return f"{sender.web_url}/sessions/{order_id}{_which(situation)}"
    return sender.web_url + PAGES.get(situation.message.kind, "/")


def _which(situation: Situation) -> str:
    """Return what makes the page of a series open on the session that the message is about."""
    order, session_id = situation.order, situation.message.session_id
    return f"?session={session_id}" if order and session_id and len(order.sessions) > 1 else ""


def _facts(situation: Situation, sender: Sender) -> dict[str, object]:
    """Return the variables of the templates; what a message has no use for is None."""
    secret, reader = situation.secret, situation.reader
    known = secret or reader
    voice = _voice(addressee(situation) if known else None)
    return {
        "name": known.name if known else None,
        "other_name": situation.other_name,
        "as_mentor": situation.reads_as_mentor,
        "link": _link(situation, sender),
        "expires": words.moment(voice, secret.expires_at) if secret else None,
        **_told(situation, voice),
        **_about(situation, voice),
    }


def _told(situation: Situation, voice: words.Voice) -> dict[str, object]:
    """Return what was said when it happened."""
    message = situation.message
    details, until = message.details, message.instant("until")
    month = message.instant("month")
    next_best = message.instant("next_starts_at")
    return {
        "reason": details.get("reason"),
        "of": details.get("of"),
        "count": int(details.get("count", 0)),
        "reason_given": bool(details.get("reason_given")),
        "money": _money(voice, details, "amount_minor"),
        "again": bool(details.get("again")),
        "netted": _money(voice, details, "netted_minor"),
        "until": words.moment(voice, until) if until else None,
        "month": words.month(voice, month) if month else None,
        "currency": details.get("currency"),
        "next_best": words.moment(voice, next_best) if next_best else None,
        "proposed": _span(situation, voice, "proposed"),
        "was": _span(situation, voice, "was"),
        "refundable": bool(details.get("refundable", True)),
    }


def _money(voice: words.Voice, details: Mapping[str, str | int], name: str) -> str | None:
    if name not in details:
        return None
    return words.amount(voice, Money(int(details[name]), str(details["currency"])))


def _span(situation: Situation, voice: words.Voice, name: str) -> str | None:
    message = situation.message
    starts, ends = message.instant(f"{name}_starts_at"), message.instant(f"{name}_ends_at")
    return words.span(voice, starts, ends) if starts and ends else None


def _about(situation: Situation, voice: words.Voice) -> dict[str, object]:
    """Return the purchase as it stands, and the session the message is about."""
    order, session = situation.order, situation.session
    if order is None or session is None:
        return {}
    dates = [words.span(voice, each.starts_at, each.ends_at) for each in situation.sessions]
    return {
        "title": order.title,
        "free": order.free,
        "when": dates[0],
        "dates": dates if len(dates) > 1 else [],
        "starts": words.clock_time(voice, session.starts_at),
        "clock_change": clock_change(order, session, voice.zone),
        "percent": words.percentage(voice, session.refund_basis_points or 0),
        "refunds": bool(session.refund_basis_points),
        **_parties(situation, order, session),
    }


def _parties(situation: Situation, order: Order, session: Session) -> dict[str, object]:
    """Return who did what, as the reader sees it: `me`, `other` or, for us, `house`."""
    details, reader = situation.message.details, situation.message.person_id
    told = {
        "by": details.get("by"),
        "asked": details.get("asked"),
        "cancelled_by": session.cancelled_by,
        "missed_by": session.missed_by,
    }
    return {
        name: _seen(str(party), as_mentor=order.mentor_id == reader) if party else None
        for name, party in told.items()
    }


def _seen(party: str, *, as_mentor: bool) -> str:
    if party not in ("mentor", "mentee"):
        return "house"
    return "me" if (party == "mentor") is as_mentor else "other"
