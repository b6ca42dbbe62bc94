"""Slots against a slow and obvious definition, in zones with every kind of surprise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.booking.slots import (
    Interval,
    Rules,
    SlotPolicy,
    WeeklyHours,
    free_slots,
    is_offered,
)

FIVE_MINUTES = timedelta(minutes=5)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ANY_TIME = SlotPolicy(60, 0, 0, 0, 400 * 365)
AROUND_A_CHANGE = (
    ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 1, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
)
"""Summer time both ways, by half an hour too, a zone without it at :45, and one that skipped
30 December 2011."""

HOURS = some.tuples(some.integers(0, 6), some.integers(0, 287), some.integers(1, 120)).map(
    lambda at: WeeklyHours(at[0], at[1] * 5, min(1440, (at[1] + at[2]) * 5))
)
RULES = some.tuples(some.sampled_from(AROUND_A_CHANGE), some.lists(HOURS, min_size=1, max_size=6))
BUSY = some.lists(
    some.tuples(some.integers(-600, 600), some.integers(1, 60)).map(
        lambda at: (at[0] * FIVE_MINUTES, at[1] * FIVE_MINUTES)
    ),
    max_size=8,
)


def day_around(instant: datetime) -> Interval:
    return Interval(instant - timedelta(days=1), instant + timedelta(days=2))


def works_at(hours: Sequence[WeeklyHours], zone: ZoneInfo, instant: datetime) -> bool:
    wall = instant.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    return any(
        h.weekday == wall.weekday() and h.starts_minute <= minute < h.ends_minute for h in hours
    )


def on_a_grid(hours: Sequence[WeeklyHours], zone: ZoneInfo, instant: datetime) -> bool:
    wall = instant.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    return any(
        h.weekday == wall.weekday()
        and h.starts_minute <= minute < h.ends_minute
        and (minute - h.starts_minute) % 30 == 0
        for h in hours
    )


def by_definition(rules: Rules, minutes: int, window: Interval) -> list[datetime]:
    """Ask of every fifth minute, on the mentor's wall clock, whether a session may start then."""
    zone, starts, found = ZoneInfo(rules.zone), window.starts_at, list[datetime]()
    while starts < window.ends_at:
        moments = (starts + n * FIVE_MINUTES for n in range(minutes // 5))
        if on_a_grid(rules.weekly, zone, starts) and all(
            works_at(rules.weekly, zone, moment) for moment in moments
        ):
            found.append(starts)
        starts += FIVE_MINUTES
    return found


@settings(max_examples=80, deadline=None)
@given(drawn=RULES, minutes=some.sampled_from([30, 45, 60, 90]))
def test_slots_are_the_starts_at_which_the_mentors_clock_shows_working_hours(
    drawn: tuple[tuple[str, datetime], list[WeeklyHours]], minutes: int
):
    """Hours that a change skips are never offered, hours that come twice once per instant."""
    (zone, change), weekly = drawn
    rules, window = Rules(zone, tuple(weekly)), day_around(change)
    slots = free_slots(rules, (), replace(ANY_TIME, minutes=minutes), LONG_AGO, window)
    assert [slot.starts_at for slot in slots] == by_definition(rules, minutes, window)
    assert all(slot.ends_at - slot.starts_at == timedelta(minutes=minutes) for slot in slots)


@settings(max_examples=150, deadline=None)
@given(drawn=RULES, busy=BUSY, before=some.integers(0, 40), after=some.integers(0, 40))
def test_what_is_sold_takes_away_exactly_the_slots_it_touches(
    drawn: tuple[tuple[str, datetime], list[WeeklyHours]],
    busy: list[tuple[timedelta, timedelta]],
    before: int,
    after: int,
):
    """A slot with its buffers is free when it has no instant in common with anything sold."""
    (zone, change), weekly = drawn
    rules, window = Rules(zone, tuple(weekly)), day_around(change)
    policy = replace(ANY_TIME, buffer_before_minutes=before, buffer_after_minutes=after)
    sold = [Interval(change + at, change + at + length) for at, length in busy]
    offered = free_slots(rules, (), policy, LONG_AGO, window)
    free = free_slots(rules, sold, policy, LONG_AGO, window)
    assert free == [
        slot
        for slot in offered
        if not any(slot.widened(before, after).overlaps(one) for one in sold)
    ]


ALL_WEEK = tuple(WeeklyHours(day, 0, 1440) for day in range(7))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def starts(policy: SlotPolicy, **window: datetime) -> list[datetime]:
    whole = Interval(window.get("since", NOON), window.get("until", NOON + timedelta(days=3)))
    return [slot.starts_at for slot in free_slots(Rules("UTC", ALL_WEEK), (), policy, NOON, whole)]


def test_the_minimum_notice_is_enough_to_the_minute():
    """A start exactly that far away is offered, one a step sooner is not."""
    policy = replace(ANY_TIME, minimum_notice_minutes=90)
    assert starts(policy)[0] == NOON + timedelta(minutes=90)
    assert starts(replace(policy, minimum_notice_minutes=91))[0] == NOON + timedelta(minutes=120)


def test_the_horizon_is_half_open():
    """The last start lies before the horizon, never on it."""
    policy = replace(ANY_TIME, horizon_days=1)
    assert starts(policy)[-1] == NOON + timedelta(days=1) - timedelta(minutes=30)


def test_the_window_is_half_open():
    """A start at its beginning is shown, one at its end belongs to the next window."""
    shown = starts(ANY_TIME, since=NOON, until=NOON + timedelta(hours=1))
    assert shown == [NOON, NOON + timedelta(minutes=30)]
    assert starts(ANY_TIME, since=NOON, until=NOON) == []


@pytest.mark.parametrize(("minutes", "free"), [(60, True), (61, False)])
def test_sessions_may_touch(minutes: int, free: bool):
    """What ends at ten leaves ten o'clock free; a minute more does not."""
    sold = Interval(
        NOON - timedelta(hours=1), NOON - timedelta(hours=1) + timedelta(minutes=minutes)
    )
    found = free_slots(
        Rules("UTC", ALL_WEEK), [sold], ANY_TIME, LONG_AGO, Interval(NOON, NOON + FIVE_MINUTES)
    )
    assert bool(found) is free


def test_a_session_may_run_over_midnight():
    """Hours that end at 24:00 and go on at 00:00 are one."""
    weekly = (WeeklyHours(0, 23 * 60, 1440), WeeklyHours(1, 0, 60))
    window = Interval(NOON, NOON + timedelta(days=1))
    found = free_slots(Rules("UTC", weekly), (), ANY_TIME, NOON, window)
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert [slot.starts_at - midnight for slot in found] == [
        timedelta(minutes=minutes) for minutes in (-60, -30, 0)
    ]


def test_the_hour_after_the_spring_change_follows_the_one_before():
    """In New York 01:30 is followed by 03:00 on 8 March 2026; 02:00 and 02:30 do not exist."""
    rules = Rules("America/New_York", (WeeklyHours(6, 60, 240),))
    change = datetime(2026, 3, 8, tzinfo=UTC)
    found = free_slots(rules, (), ANY_TIME, LONG_AGO, day_around(change))
    zone = ZoneInfo("America/New_York")
    walls = [slot.starts_at.astimezone(zone).strftime("%H:%M") for slot in found]
    assert walls == ["01:00", "01:30", "03:00"]


def test_the_hour_that_comes_twice_is_offered_twice():
    """In London 01:00 and 01:30 are two instants each on 25 October 2026."""
    rules = Rules("Europe/London", (WeeklyHours(6, 60, 150),))
    change = datetime(2026, 10, 25, tzinfo=UTC)
    found = free_slots(rules, (), ANY_TIME, LONG_AGO, day_around(change))
    assert [slot.starts_at.strftime("%H:%MZ") for slot in found] == [
        "00:00Z", "00:30Z", "01:00Z", "01:30Z",
    ]  # fmt: skip


def test_a_day_that_was_skipped_offers_nothing():
    """Apia had no Friday 30 December 2011, so Friday hours open nowhere near it."""
    rules = Rules("Pacific/Apia", (WeeklyHours(4, 0, 1440),))
    window = Interval(datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
    assert free_slots(rules, (), ANY_TIME, LONG_AGO, window) == []


def test_a_start_off_the_grid_is_not_offered():
    """What is not in the list cannot be held."""
    rules = Rules("UTC", ALL_WEEK)
    assert is_offered(rules, ANY_TIME, LONG_AGO, NOON)
    assert not is_offered(rules, ANY_TIME, LONG_AGO, NOON + timedelta(minutes=1))
    assert not is_offered(rules, ANY_TIME, LONG_AGO, NOON + timedelta(microseconds=1))
