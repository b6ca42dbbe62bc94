"""Busy times in calendars as products export them; the feeds were written for these tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.booking.domain.calendars import HORIZON, FeedUnusable, Reading
from services.booking.domain.imports import INSTANCES_AT_MOST, read_feed
from services.booking.slots import Interval

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WINDOW = Interval(NOW, NOW + HORIZON)
FEEDS = Path(__file__).parent / "feeds"
GOOGLE = [
    ("2026-03-02T14:00", "2026-03-02T14:30"),
    ("2026-03-09T13:00", "2026-03-09T13:30"),
    ("2026-03-12T18:00", "2026-03-12T19:00"),
    ("2026-03-24T19:00", "2026-03-24T20:00"),
    ("2026-03-30T13:00", "2026-03-30T13:30"),
]
"""Each Monday at nine in New York, an hour earlier in UTC since the 8th; the 16th is left out, the
23rd is on the 24th. The birthday is transparent. What is tentative counts."""
OUTLOOK = [
    ("2026-03-18T09:00", "2026-03-18T10:00"),
    ("2026-03-19T06:15", "2026-03-19T07:15"),
    ("2026-04-01T08:00", "2026-04-01T09:00"),
]
APPLE = [("2026-03-09T04:00", "2026-03-11T04:00"), ("2026-03-12T11:30", "2026-03-12T12:15")]
"""Dates and floating times are those of the mentor, here in New York."""
PROTON = [
    ("2026-03-27T22:00", "2026-03-28T00:00"),
    ("2026-03-28T22:00", "2026-03-29T00:00"),
    ("2026-03-29T21:00", "2026-03-29T23:00"),
    ("2026-03-30T14:00", "2026-03-30T15:00"),
]
FASTMAIL = [("2026-03-28T09:00", "2026-03-29T10:00"), ("2026-04-04T08:00", "2026-04-05T10:00")]
FREEBUSY = [("2026-03-10T10:00", "2026-03-10T11:30"), ("2026-03-11T10:00", "2026-03-11T12:00")]


def read(text: str, zone: str = "America/New_York", window: Interval = WINDOW) -> Reading:
    return read_feed(text, zone, window)


def written(reading: Reading) -> list[tuple[str, str]]:
    return [(f"{b.starts_at:%Y-%m-%dT%H:%M}", f"{b.ends_at:%Y-%m-%dT%H:%M}") for b in reading.busy]


def calendar(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR", ""])


def event(*lines: str) -> str:
    return calendar("BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT")


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("google", GOOGLE),
        ("outlook", OUTLOOK),
        ("apple", APPLE),
        ("proton", PROTON),
        ("fastmail", FASTMAIL),
        ("freebusy", FREEBUSY),
    ],
)
def test_exports_of_products_say_when_their_owner_is_busy(
    product: str, expected: list[tuple[str, str]]
):
    """Windows zones, moved and cancelled instances, all-day, floating, durations, odd X- lines."""
    text = (FEEDS / f"{product}.ics").read_bytes().decode()
    assert written(read(text)) == expected
    assert written(read("\ufeff" + text.replace("\r\n", "\n"))) == expected


@pytest.mark.parametrize(
    ("line", "minutes"),
    [
        ("REFRESH-INTERVAL;VALUE=DURATION:PT2H", 120),
        ("X-PUBLISHED-TTL:PT30M", 30),
        ("X-PUBLISHED-TTL:soon", None),
        ("REFRESH-INTERVAL:P", None),
        ("NAME:none", None),
    ],
)
def test_a_feed_says_how_often_it_wants_to_be_read(line: str, minutes: int | None):
    """RFC 7986, or what Outlook writes; a wish that cannot be read is none."""
    assert read(calendar(line)).refresh == (minutes and timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("<!doctype html><html>Sign in</html>", "not_a_calendar"),
        ("", "not_a_calendar"),
        ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "not_a_calendar"),
        (event("DTSTART:tomorrow", "DTEND:20260310T110000Z"), "event_unreadable"),
        (event("DTSTART:20260310T100000Z", "RRULE:FREQ=SOMETIMES"), "event_unreadable"),
        (
            event("DTSTART:20260310T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXDATE:x"),
            "event_unreadable",
        ),
        (
            event("DTSTART:20260310T100000Z", "DURATION:PT1M", "RRULE:FREQ=MINUTELY;COUNT=6000"),
            "too_many_events",
        ),
    ],
)
def test_a_feed_that_cannot_be_understood_is_not_taken_for_an_empty_one(text: str, failure: str):
    """Whatever is left out would be offered although its owner is busy."""
    with pytest.raises(FeedUnusable) as unusable:
        read(text)
    assert unusable.value.failure.value == failure


def test_events_that_are_over_and_ones_without_a_time_stand_in_nobodys_way():
    """A broken event of years ago does not keep a calendar from being read; a repeated one does."""
    old = ("BEGIN:VEVENT", "UID:1", "DTSTART:20190101T100000Z", "EXDATE:broken", "END:VEVENT")
    assert read(calendar(*old, "BEGIN:VEVENT", "UID:2", "END:VEVENT")).busy == ()
    yearly = read(event("DTSTART;VALUE=DATE:20190704", "RRULE:FREQ=YEARLY"))
    assert written(yearly) == [("2026-07-04T04:00", "2026-07-05T04:00")]


def test_what_began_before_the_window_and_ends_in_it_counts():
    """A long absence is cut to the window; events without UID are apart from each other."""
    lines = [
        *("BEGIN:VEVENT", "DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20260305", "END:VEVENT"),
        *("BEGIN:VEVENT", "DTSTART:20260307T100000Z", "DTEND:20260307T110000Z", "END:VEVENT"),
    ]
    assert written(read(calendar(*lines), "UTC")) == [
        ("2026-03-02T12:00", "2026-03-05T00:00"),
        ("2026-03-07T10:00", "2026-03-07T11:00"),
    ]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("America/New_York", [("2026-11-01T05:15", "2026-11-01T06:45")]),
        ("Asia/Kathmandu", [("2026-10-31T19:30", "2026-10-31T20:00")]),
        ("Australia/Lord_Howe", [("2026-10-31T14:15", "2026-10-31T14:45")]),
    ],
)
def test_floating_times_are_read_in_the_mentors_zone(zone: str, expected: list[tuple[str, str]]):
    """Where the clocks go back, an hour that comes twice is busy twice."""
    text = event("DTSTART:20261101T011500", "DTEND:20261101T014500")
    assert written(read(text, zone)) == expected


def test_a_large_calendar_is_read_in_time():
    """As many instances as are allowed, among ten thousand events that are over."""
    old = "BEGIN:VEVENT\r\nUID:o\r\nDTSTART:20200101T100000Z\r\nSUMMARY:Old\r\nEND:VEVENT"
    every_hour = (
        "BEGIN:VEVENT", "UID:h", "DTSTART:20260303T000000Z", "DURATION:PT10M",
        f"RRULE:FREQ=HOURLY;COUNT={INSTANCES_AT_MOST}", "END:VEVENT",
    )  # fmt: skip
    assert len(read(calendar(*[old] * 10_000, *every_hour)).busy) == INSTANCES_AT_MOST
