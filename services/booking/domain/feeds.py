"""A person's sessions as a calendar (RFC 5545, RFC 7986), and the secret that shows it.

The entries have the UID and SEQUENCE of the invitations, so that a calendar that knows both has
each session once. They name nobody: what they say may be read by whoever sees the calendar.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.booking.domain.orders import OrderState
from services.booking.slots import Interval
from shared.ids import OrderId, SessionId, calendar_uid

MEDIA_TYPE = "text/calendar; charset=utf-8"
PRODUCT = "-//Mentorium//Calendar feed//EN"
NAME = "Mentorium"
TOKEN_BYTES = 32
LOOK_BACK = timedelta(days=90)
LOOK_AHEAD = timedelta(days=366)
CANCELLED_FOR = timedelta(days=30)
"""How long a calendar is told that a session was called off: those that were away hear it too."""
ENTRIES_AT_MOST = 1_000
READ_NOTED_EVERY = timedelta(hours=1)
LINE_OCTETS = 75
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Entry:
    """A session as a calendar shows it; `changed_at` is when its purchase last changed."""

    session_id: SessionId
    order_id: OrderId
    title: str
    starts_at: datetime
    ends_at: datetime
    state: OrderState
    calendar_sequence: int
    changed_at: datetime


@dataclass(frozen=True)
class Feed:
    """A person's feed: since when its secret holds, and when somebody last asked with it."""

    created_at: datetime
    last_read_at: datetime | None


def new_token() -> str:
    """Return a secret that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> bytes:
    """Return what is kept of a secret; as long as it is, a plain hash cannot be turned back."""
    return hashlib.sha256(token.encode()).digest()


def window_of(now: datetime) -> Interval:
    """Return the time in which the sessions of a feed start."""
    return Interval(now - LOOK_BACK, now + LOOK_AHEAD)


def calendar(entries: Iterable[Entry], web_url: str) -> str:
    """Return a `text/calendar` object; the same entries always give the same text."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        f"NAME:{NAME}",
        f"X-WR-CALNAME:{NAME}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        *(line for entry in entries for line in _event(entry, web_url)),
        "END:VCALENDAR",
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _event(entry: Entry, web_url: str) -> Iterator[str]:
    link = f"{web_url}/sessions/{entry.order_id}"
    cancelled = entry.state is OrderState.CANCELLED
    yield "BEGIN:VEVENT"
    yield f"UID:{calendar_uid(entry.session_id)}"
    yield f"SEQUENCE:{entry.calendar_sequence}"
    yield f"STATUS:{'CANCELLED' if cancelled else 'CONFIRMED'}"
    yield f"TRANSP:{'TRANSPARENT' if cancelled else 'OPAQUE'}"
    yield f"DTSTAMP:{_instant(entry.changed_at)}"
    yield f"DTSTART:{_instant(entry.starts_at)}"
    yield f"DTEND:{_instant(entry.ends_at)}"
    yield f"SUMMARY:{_text(entry.title)}"
    yield f"DESCRIPTION:{_text(link)}"
    yield f"URL:{link}"
    yield "END:VEVENT"


def _instant(instant: datetime) -> str:
    return f"{instant:%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """Return text as a value of type TEXT (RFC 5545 §3.3.11), without control characters."""
    plain = _CONTROL.sub(" ", text.replace("\r\n", "\n"))
    for special, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        plain = plain.replace(special, written)
    return plain


def _folded(line: str) -> str:
    """Return a line broken after at most 75 octets, never inside a character (RFC 5545 §3.1)."""
    octets, parts, begins = line.encode(), list[bytes](), 0
    while len(octets) - begins > (room := LINE_OCTETS - bool(parts)):
        ends = begins + room
        while octets[ends] & 0xC0 == 0x80:  # In the middle of a character.
            ends -= 1
        parts.append(octets[begins:ends])
        begins = ends
    # The blank that begins a continued line counts too.
    return b"\r\n ".join([*parts, octets[begins:]]).decode()
