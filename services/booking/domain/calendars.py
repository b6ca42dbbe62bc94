"""Calendars that mentors keep elsewhere: which may be read, how often, and what can go wrong.

A mentor's address is fetched by us, so it decides whom we connect to (server-side request forgery).
An address in writing promises nothing: its name may lead anywhere, and elsewhere a moment later.
So `Reach.allows` is asked about the very address each connection is made to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NewType
from uuid import UUID

from services.booking.slots import Interval
from shared.errors import Kind, Refusal
from shared.ids import PersonId

CalendarId = NewType("CalendarId", UUID)
Network = IPv4Network | IPv6Network

CALENDARS_AT_MOST = 10
HORIZON = timedelta(days=400)
"""How far ahead calendars are read: further than anything can be booked."""
READ_AGAIN_AFTER = timedelta(days=7)
"""A feed that does not change is read anew so often, for the end of the horizon moves on."""
SOONEST, DEFAULT_REFRESH, LATEST = timedelta(minutes=15), timedelta(hours=1), timedelta(hours=24)
"""Bounds of what a feed may wish, and what a feed without a wish gets."""
ASK_AGAIN_AFTER = timedelta(minutes=1)
"""However often somebody presses the button, a server is not asked more often."""
LEASE = timedelta(minutes=5)
"""Longer than one batch can take."""

PORTS = (80, 443)
NOT_PUBLIC = tuple(
    ip_network(block)
    for block in (
        # Special purposes by IANA's registry for IPv4, multicast, and what is kept for later.
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24"
        " 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24"
        " 224.0.0.0/4 240.0.0.0/4"
        # Azure answers its machines with their secrets at an address that looks public.
        " 168.63.129.16/32"
        # Of the part of IPv6 that is public: protocols (Teredo among them), 6to4, documentation.
        " 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
    ).split()
)
PUBLIC_V6 = IPv6Network("2000::/3")
"""All there is for everybody; mapped IPv4, NAT64 and local addresses lie outside of it."""
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"([/?][!-~]*)?"
)
"""No name or password, nothing but ASCII: two readers of it cannot disagree about the host."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class CalendarAddressRefused(Refusal):
    """The address is none, or leads where we do not go."""

    code = "calendar_address_refused"
    kind = Kind.SHAPE
    detail = "Give the public https address of the calendar, without name and password."


class TooManyCalendars(Refusal):
    """Nobody needs so many."""

    code = "too_many_calendars"
    detail = f"Remove one first: {CALENDARS_AT_MOST} calendars can be added."


class CalendarKnown(Refusal):
    """The same address has been added before."""

    code = "calendar_known"
    detail = "This calendar has been added already."


class Failure(Enum):
    """Why a calendar could not be read; its last known busy times stay."""

    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    HOST_UNKNOWN = "host_unknown"
    UNREACHABLE = "unreachable"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    NOT_FOUND = "not_found"
    NOT_PERMITTED = "not_permitted"
    SERVER_FAILED = "server_failed"
    TOO_LARGE = "too_large"
    NOT_A_CALENDAR = "not_a_calendar"
    EVENT_UNREADABLE = "event_unreadable"
    TOO_MANY_EVENTS = "too_many_events"
    TOO_COMPLEX = "too_complex"


class FeedUnusable(Exception):
    """A feed could not be fetched or read."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True)
class Reach:
    """Where calendars are read from: whatever is public, over https.

    With `networks` (tests and development) these too, over http and at any port.
    """

    networks: tuple[Network, ...] = ()

    def check(self, url: str) -> None:
        """Raise `CalendarAddressRefused` when an address may not even be tried."""
        parts = _ADDRESS.fullmatch(url)
        if parts is None or not (self.networks or parts["scheme"] == "https"):
            raise CalendarAddressRefused
        port = int(parts["port"] or _DEFAULT_PORTS[parts["scheme"]])
        if not (self.networks or port in PORTS):
            raise CalendarAddressRefused
        host = parts["host"].strip("[]")
        if (host.replace(".", "").isdigit() or ":" in host) and not self.allows(host, port):
            raise CalendarAddressRefused

    def allows(self, address: str, port: int) -> bool:
        """Return whether a connection to this address may be made."""
        try:
            found = ip_address(address)
        except ValueError:  # Other ways to write an address, such as 127.1, are not taken.
            return False
        if any(found in network for network in self.networks):
            return True
        if found.version == 6 and found not in PUBLIC_V6:
            return False
        return port in PORTS and not any(found in network for network in NOT_PUBLIC)


@dataclass(frozen=True)
class Marks:
    """By what a server knows whether we have the present state of a feed."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a feed says: busy times in order and apart, and how soon it wants to be read again."""

    busy: tuple[Interval, ...]
    refresh: timedelta | None


@dataclass(frozen=True)
class Finding:
    """A feed that was fetched and read; `marks` are for the next time."""

    reading: Reading
    marks: Marks


@dataclass(frozen=True)
class Errand:
    """A calendar to be read now: nobody else does it until `lease_until` (system time)."""

    calendar_id: CalendarId
    url: str
    marks: Marks
    zone: str
    window: Interval
    lease_until: datetime


@dataclass(frozen=True)
class Calendar:
    """A calendar as its owner sees it; `fetched_at` and `failing_since` are business instants."""

    calendar_id: CalendarId
    mentor_id: PersonId
    name: str
    url: str
    fetched_at: datetime | None
    failure: Failure | None
    failing_since: datetime | None
    busy_count: int

    @property
    def host(self) -> str:
        """Return all of the address that may be shown: whoever knows the rest, reads along."""
        parts = _ADDRESS.fullmatch(self.url)
        return parts["host"] if parts else ""


def normal_address(text: str) -> str:
    """Return an address as it is fetched: `webcal` is what calendar programs call https."""
    scheme, colon, rest = text.strip().partition(":")
    return f"https:{rest}" if colon and scheme.lower() in ("webcal", "webcals") else text.strip()


def refresh_after(wish: timedelta | None) -> timedelta:
    """Return how long a reading lasts, given what the feed wishes."""
    return DEFAULT_REFRESH if wish is None else min(max(wish, SOONEST), LATEST)


def retry_after(failures: int) -> timedelta:
    """Return the pause after so many failures in a row: ever longer, at most a day."""
    return min(SOONEST * 2 ** min(failures - 1, 10), LATEST)
