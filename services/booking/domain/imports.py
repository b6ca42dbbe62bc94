"""Reading a calendar: the busy times in iCalendar text (RFC 5545, 7986), as real products write it.

Runs in a process of its own (see gateway/reading.py), for a few lines of a feed can describe more
meetings than there are seconds. Nothing but times is looked at: titles, people and descriptions
are dropped before the text is parsed, and so is what is over, which makes parsing far quicker.

An event that cannot be understood makes the whole feed unusable: leaving it out would offer time
that its owner does not have. For the same reason what is tentative counts as busy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from icalendar import Component, vDDDTypes, vPeriod

from services.booking.domain.calendars import Failure, FeedUnusable, Reading
from services.booking.slots.interval import Interval, merged

INSTANCES_AT_MOST = 5_000
_LONGEST_WAY = timedelta(days=2)
"""No zone is further from UTC, so a date may lie this far from its instants."""
_FOLD = re.compile(r"\r?\n[ \t]")
_LINE_END = re.compile(r"\r?\n")
_COMPONENTS = {"VCALENDAR", "VTIMEZONE", "STANDARD", "DAYLIGHT", "VEVENT", "VFREEBUSY"}
_KEPT = re.compile(
    r"(BEGIN|END|VERSION|CALSCALE|TZID|TZOFFSETFROM|TZOFFSETTO|UID|SEQUENCE|DTSTART|DTEND|DURATION"
    r"|RRULE|RDATE|EXDATE|RECURRENCE-ID|STATUS|TRANSP|X-MICROSOFT-CDO-BUSYSTATUS|FREEBUSY)[;:]",
    re.IGNORECASE,
)
_ONE_DATE = re.compile(r"(?:DTSTART|DTEND)(?:;[^:]*|;.*\"[^\"]*\")?:(\d{8})", re.IGNORECASE)
_MORE_DATES = re.compile(r"(RRULE|RDATE|RECURRENCE-ID|DURATION)[;:]", re.IGNORECASE)
_WISH = re.compile(r"^(?:REFRESH-INTERVAL|X-PUBLISHED-TTL)[^:\n]*:(P[0-9A-Z]+)\s*$", re.M | re.I)
_LEAVES_FREE = {
    "TRANSP": "TRANSPARENT",
    "STATUS": "CANCELLED",
    "X-MICROSOFT-CDO-BUSYSTATUS": "FREE",
}


def read_feed(text: str, zone: str, window: Interval) -> Reading:
    """Return what a feed says about a window; dates and floating times are those of `zone`.

    Raises `FeedUnusable`.
    """
    whole = _FOLD.sub("", text.removeprefix("\ufeff"))
    calendar = _parsed("\r\n".join(_lines_of_time(whole, window.starts_at - _LONGEST_WAY)))
    try:
        found = list(_busy(calendar, ZoneInfo(zone), window))
    except MemoryError:
        raise
    except Exception:  # Libraries raise what they like; there is one thing to say about it.
        raise FeedUnusable(Failure.EVENT_UNREADABLE) from None
    if len(found) > INSTANCES_AT_MOST:
        raise FeedUnusable(Failure.TOO_MANY_EVENTS)
    return Reading(tuple(merged(found)), _wish(whole))


def _lines_of_time(text: str, since: datetime) -> Iterator[str]:
    """Return the lines that tell times, without the events that were over before `since`."""
    first_day = since.strftime("%Y%m%d")
    path: list[str] = []
    event: list[str] = []
    for line in _LINE_END.split(text):
        name, _, value = line.upper().partition(":")
        if name == "BEGIN":
            path.append(value.strip())
        if _COMPONENTS.issuperset(path) and _KEPT.match(line):
            event.append(line)
        if name == "END" and path and path.pop() == "VEVENT" and _is_over(event, first_day):
            event = []
        if "VEVENT" not in path:
            yield from event
            event = []


def _is_over(event: Sequence[str], first_day: str) -> bool:
    """Return whether an event that happens once happened before a day, or says no time at all."""
    if any(_MORE_DATES.match(line) for line in event):
        return False
    told = [line for line in event if line.upper().startswith(("DTSTART", "DTEND"))]
    days = [found[1] for line in told if (found := _ONE_DATE.match(line))]
    return len(days) == len(told) and all(day < first_day for day in days)


def _parsed(text: str) -> Component:
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except Exception:  # As above.
        raise FeedUnusable(Failure.NOT_A_CALENDAR) from None
    if calendar.name != "VCALENDAR":
        raise FeedUnusable(Failure.NOT_A_CALENDAR)
    return calendar


def _busy(calendar: Component, home: ZoneInfo, window: Interval) -> Iterator[Interval]:
    """Return the busy times within a window."""
    for starts, ends in (*_events(calendar, home, window), *_periods(calendar)):
        starts_at = max(_instant(starts, home, min), window.starts_at)
        ends_at = min(_instant(ends, home, max), window.ends_at)
        if starts_at < ends_at:
            yield Interval(starts_at, ends_at)


def _events(calendar: Component, home: ZoneInfo, window: Interval) -> Iterator[tuple[date, date]]:
    if any(event.errors for event in calendar.walk("VEVENT")):
        raise FeedUnusable(Failure.EVENT_UNREADABLE)
    found = recurring_ical_events.of(calendar).between(
        window.starts_at.astimezone(home), window.ends_at.astimezone(home)
    )
    for event in found:
        if not any(str(event.get(name)).upper() == word for name, word in _LEAVES_FREE.items()):
            yield _wall(event, "DTSTART"), _wall(event, "DTEND")


def _periods(calendar: Component) -> Iterator[tuple[date, date]]:
    """Return what a calendar says that publishes busy times and no events."""
    for part in calendar.walk("VFREEBUSY"):
        told = part.get("FREEBUSY", [])
        periods = cast("list[vPeriod]", told if isinstance(told, list) else [told])
        for period in periods:
            if str(period.params.get("FBTYPE", "BUSY")).upper() != "FREE":
                yield period.start, period.end


def _wall(event: Component, name: str) -> date:
    return cast("date", cast("vDDDTypes", event[name]).dt)


def _instant(
    wall: date, home: ZoneInfo, choose: Callable[[Iterable[datetime]], datetime]
) -> datetime:
    """Return the instant of a wall-clock time; `choose` among two where a change makes it two."""
    if not isinstance(wall, datetime):
        wall = datetime(wall.year, wall.month, wall.day)
    if wall.tzinfo:
        return wall.astimezone(UTC)
    return choose(wall.replace(tzinfo=home, fold=fold).astimezone(UTC) for fold in (0, 1))


def _wish(text: str) -> timedelta | None:
    """Return how often a feed wants to be read; a wish that cannot be read is none."""
    found = _WISH.search(text)
    try:
        return icalendar.vDuration.from_ical(found[1].upper()) if found else None
    except ValueError:
        return None
